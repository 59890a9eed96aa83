// Initial values of tensors: a function of seed, name and position alone.
#pragma once

#include "runtime/abi/program_abi.h"

#include <cstdint>

namespace penstock {

/// Writes `tensor.elements` values. Uniform: 24 bits an element in [-a, a); normal: Box-Muller in float64.
void initializeTensor(const PenstockTensorInfo &tensor, std::uint64_t seed, float *out);
/// Writes only elements [begin, end) of the tensor, to out[0 .. end - begin); `begin` is a multiple of 4.
void initializeTensor(const PenstockTensorInfo &tensor, std::uint64_t seed, std::int64_t begin, std::int64_t end, float *out);

} // namespace penstock
