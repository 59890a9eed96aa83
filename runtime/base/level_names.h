// The names of the instruction sets that programs are compiled for.
#pragma once

#include <array>

namespace penstock {

/// Each serves what those before it serve; in the order of `Level` (runtime/kernels/kernel_table.h).
inline constexpr std::array<const char *, 3> levelNames = {"avx2", "avx512", "amx"};

} // namespace penstock
