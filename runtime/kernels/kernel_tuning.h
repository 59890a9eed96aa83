// The table that `penstock doctor --tune` makes of a machine, and `kernels: tuned` reads.
#pragma once

#include "runtime/base/kernel_choices.h"
#include "runtime/base/status.h"
#include "runtime/kernels/kernel_table.h"

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// What was found of a machine at a level: CACHE/kernels-LEVEL.json.
struct KernelTuning {
  std::string level, library; // library: "oneDNN 2.6.3"
  std::vector<KernelChoice> choices;
};

/// Times our kernels and oneDNN's in turns on the calling thread, some seconds: matmuls of each class of shape, in blocks of rows as a
/// program has them. oneDNN is taken where it is faster by a twentieth. An environment error where there is no oneDNN to compare with.
Result<KernelTuning> tuneKernels(Level level);

/// Where the table of a level lies in the folder of the cache; what makes room there leaves it alone.
std::string kernelTuningPath(const std::string &cacheFolder, Level level);
std::string kernelTuningText(const KernelTuning &tuning);
/// The choices of such a table; all else in it is for people. An environment error where there is no file, or no such table in it.
Result<std::vector<KernelChoice>> readKernelTuning(const std::string &path, Level level);

} // namespace penstock
