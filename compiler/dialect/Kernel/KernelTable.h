// The table of kernels: one row a kernel, read by every pass that needs to know how a kernel is called.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace penstock::kernel {

enum class Scope {
  rows,     // one call computes a block of rows of its axis
  segments, // one call computes a range of records, reading and writing their rows
  whole     // the kernel splits its own work over the pool
};

struct KernelRow {
  llvm::StringRef name;   // of kernel.invoke
  llvm::StringRef symbol; // in runtime/kernels/kernels.h
  Scope scope;
  bool handle; // takes the handle of a kernel.dispatch
};

/// The row of `name`, or null.
const KernelRow *findKernel(llvm::StringRef name);

} // namespace penstock::kernel
