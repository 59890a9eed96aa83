// What those who write the data of an artifact and those who read it agree on.
#pragma once

#include "runtime/abi/program_abi.h"

#include <string>
#include <string_view>

namespace penstock {

/// Of manifest.toml and of what stands in the data; the data's container has a number of its own (bundle.cpp).
inline constexpr int artifactFormat = 1;
inline constexpr const char *artifactDataFile = "weights.bin";
/// The folder of plugins that are not linked in, and a library's name there. `plugin`: "tokenizer words".
inline constexpr const char *artifactPluginFolder = "plugins";
std::string artifactPluginFile(std::string_view plugin);
/// The section with all weights, those that answering does not read as well, as a file of safetensors: of an artifact that can be trained,
/// or that has code for a device, which packs them itself.
inline constexpr const char *allWeightsSection = "weights";
/// Functions of the C interface (c_interface.cpp), without the artifact's name.
inline constexpr std::string_view artifactFunctions[] = {"open", "close", "session_open", "session_close", "predict", "version"};

/// What data and program of an artifact must agree on: tensors, inputs and kernels, as a hash.
std::string programFingerprint(const PenstockProgram &program);

} // namespace penstock
