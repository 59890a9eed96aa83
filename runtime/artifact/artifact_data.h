// What those who write the data of an artifact and those who read it agree on.
#pragma once

#include "runtime/abi/program_abi.h"

#include <string>

namespace penstock {

/// Of manifest.toml and of what stands in the data; the data's container has a number of its own (bundle.cpp).
inline constexpr int artifactFormat = 1;
inline constexpr const char *artifactDataFile = "weights.bin";
/// Files that plugins read by their path, below the folder of the artifact.
inline constexpr const char *artifactFilesFolder = "files";

/// What data and program of an artifact must agree on: tensors, inputs and kernels, as a hash.
std::string programFingerprint(const PenstockProgram &program);

} // namespace penstock
