// What this machine can do at best, measured: the ceilings that a profile compares with.
#pragma once

#include "runtime/base/status.h"
#include "runtime/device/thread_pool.h"
#include "runtime/kernels/kernel_table.h"

#include <string>

namespace penstock {

struct MachineSpeed {
  std::string device; // "": the CPU, measured; else the numbers follow from clocks of the device of this name, 0 where it does not say
  double fp32 = 0;    // operations a second (two a multiply-add) in registers, all threads of the pool together
  double bf16 = 0;    // the same with operands in bf16 and sums in float32; 0 where precision bf16 is computed in float32
  double stream = 0;  // bytes a second of a = b + s * c (two read, one written) over 96 MiB; a last-level cache that is larger helps
};

/// Takes about 60 ms; the best of a few short runs, so other programs spoil little. An error only where 96 MiB cannot be had.
Result<MachineSpeed> measureMachine(Level level, ThreadPool &pool);

} // namespace penstock
