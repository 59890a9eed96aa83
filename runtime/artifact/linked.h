// What is linked into an artifact: programs by level, and plugins of the tree. `penstock build` names those that it wants to the linker;
// the others are not there.
#pragma once

#include "runtime/abi/plugin_abi.h"
#include "runtime/abi/program_abi.h"
#include "runtime/kernels/kernel_table.h"

#include <string_view>

namespace penstock {

/// Devices beside the CPU that an artifact may have code for, best first.
inline constexpr const char *artifactDevices[] = {"cuda"};

inline constexpr Level bestFirst[] = {Level::amx, Level::avx512, Level::avx2};

/// The program that predicts, or the one that trains; NULL where the artifact has no such code of that level.
const PenstockProgram *linkedProgram(Level level, bool trains = false);
/// The program that predicts on a device of this kind (`target.device`); NULL where the artifact has none.
const PenstockProgram *linkedDeviceProgram(std::string_view kind);
/// NULL where the artifact does not have that plugin.
PenstockPluginFunction linkedPlugin(std::string_view name);

/// The hash of the header that the library was built with, 16 digits; "" where there is none.
std::string_view linkedTypes();
/// Whether the data must lie behind the library, in one file.
bool isSingleFile();

} // namespace penstock
