// oneDNN's library, opened where a program asks for one of its kernels and not before: a run without it maps neither oneDNN nor what it
// brings along (OpenMP, OpenCL).
#pragma once

#include "runtime/base/status.h"
#include "runtime/kernels/kernel_table.h"

#include <dnnl.h>

namespace penstock {

#if DNNL_VERSION_MAJOR >= 3
#define PENSTOCK_ONEDNN_OF_ITS_VERSION(X)                                                                                                  \
  X(memory_desc_destroy)                                                                                                                   \
  X(memory_desc_create_with_strides)                                                                                                       \
  X(memory_desc_create_with_tag) X(memory_desc_clone) X(matmul_primitive_desc_create)
#else
#define PENSTOCK_ONEDNN_OF_ITS_VERSION(X)                                                                                                  \
  X(memory_desc_init_by_strides) X(memory_desc_init_by_tag) X(matmul_desc_init) X(primitive_desc_create)
#endif
/// What is called of oneDNN, without `dnnl_`.
#define PENSTOCK_ONEDNN_FUNCTIONS(X)                                                                                                       \
  X(version)                                                                                                                               \
  X(set_max_cpu_isa)                                                                                                                       \
  X(engine_create)                                                                                                                         \
  X(engine_destroy)                                                                                                                        \
  X(stream_create)                                                                                                                         \
  X(stream_destroy)                                                                                                                        \
  X(stream_wait)                                                                                                                           \
  X(memory_create)                                                                                                                         \
  X(memory_destroy)                                                                                                                        \
  X(memory_set_data_handle)                                                                                                                \
  X(memory_desc_get_size)                                                                                                                  \
  X(primitive_create)                                                                                                                      \
  X(primitive_destroy)                                                                                                                     \
  X(primitive_execute)                                                                                                                     \
  X(primitive_desc_destroy)                                                                                                                \
  X(primitive_desc_query_md)                                                                                                               \
  X(primitive_attr_create)                                                                                                                 \
  X(primitive_attr_destroy)                                                                                                                \
  X(primitive_attr_set_scratchpad_mode) X(reorder_primitive_desc_create) PENSTOCK_ONEDNN_OF_ITS_VERSION(X)

struct OneDnnFunctions {
#define PENSTOCK_ONEDNN_FUNCTION(name) decltype(&::dnnl_##name) name = nullptr;
  PENSTOCK_ONEDNN_FUNCTIONS(PENSTOCK_ONEDNN_FUNCTION)
#undef PENSTOCK_ONEDNN_FUNCTION
  void (*omp_set_num_threads)(int) = nullptr; // null where oneDNN was built without OpenMP
};

/// Opens the library once for the process, with the instructions of `level` at most. An error where it is not installed (it says what to
/// install), lacks a function, or serves another level already: oneDNN's limit is one for the process.
Status openOneDnn(Level level);

/// Its functions, once `openOneDnn` was a success.
const OneDnnFunctions &oneDnn();

/// Success, or an error that says what oneDNN refused.
Status checkOneDnn(dnnl_status_t status, const char *what);

} // namespace penstock
