// The kernels that compiled programs call and that are one function for all levels, with C types that follow from their rows:
// runtime/base/kernel_rows.def says what each takes and promises. Those that a level has of its own are in level_table.h.
//
// Compiled code reaches all of them by name (PenstockProgram.symbols) and through handles (PenstockProgram.dispatches). Kernels of scope
// `rows` and `segments` run on the calling thread over a range of rows or records, from bodies of penstock_parallel_for; those of scope
// `whole` take the pool and split the work themselves.
#pragma once

#include "runtime/abi/kernel_limits.h"
#include "runtime/base/kernel_rows.h"

#include <stdint.h>

extern "C" {

/// Runs body(context, begin, end, worker) over [0, count) in pieces of `grain`, on the pool and the calling thread.
/// Which worker runs a piece is not fixed; 0 <= worker < workers of the pool. Takes no lock, allocates nothing.
void penstock_parallel_for(void *pool, void (*body)(void *context, int64_t begin, int64_t end, int32_t worker), void *context,
                           int64_t count, int64_t grain);

#define PENSTOCK_ONE_KERNEL(kernel, ...) penstock::KernelFunction<penstock::kernels::kernel> penstock_##kernel;
#include "runtime/base/kernel_rows.def"

} // extern "C"
