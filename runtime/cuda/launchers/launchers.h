// The launchers, one for each row of the table of kernels, and what they share: sizes of grids and blocks.
#pragma once

#include "runtime/base/kernel_rows.h"
#include "runtime/cuda/kernel_types.h"

#include <cstddef>
#include <cstdint>

extern "C" {
#define PENSTOCK_KERNEL(kernel, ...) penstock::cuda::Function<penstock::kernels::kernel> penstock_cuda_##kernel;
#include "runtime/base/kernel_rows.def"
}

namespace penstock::cuda {

constexpr std::int64_t divideUp(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Whether rows `stride` floats apart from `from` on can be read 16 bytes at a time.
inline bool isWhole(const float *from, std::int64_t stride) { return reinterpret_cast<std::uintptr_t>(from) % 16 == 0 && stride % 4 == 0; }

/// Shared memory of tileProduct<rows, columns> (runtime/cuda/kernels/tile_product.h).
constexpr std::size_t tileProductBytes(std::size_t rows, std::size_t columns) { return 2 * 16 * (rows + 4 + columns + 4) * sizeof(float); }

} // namespace penstock::cuda
