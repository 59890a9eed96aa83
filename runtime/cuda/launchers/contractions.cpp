// Matmul, weight gradient, packing.
#include "runtime/cuda/kernels/contractions.h"

#include "runtime/cuda/handles.h"
#include "runtime/cuda/launch.h"
#include "runtime/cuda/launchers/launchers.h"

#include <algorithm>

namespace penstock::cuda {
namespace {

/// A kernel in one size of tiles, which are squares.
struct Tile {
  std::int64_t side;
  LibraryKernel kernel;
  int threads;
  std::size_t bytes;
  std::int64_t enough; // blocks that keep a large card busy
};
/// Shared memory of two stages of tiles of bf16 (matmul_bf16.cu).
constexpr std::size_t stagesOf(std::size_t tile, std::size_t depth) { return 2 * (2 * tile * depth * 2); }

// Large tiles first. The shape alone decides; bits do not depend on it.
const Tile matmul[] = {
    {128, LibraryKernel("matmul_large"), 256, tileProductBytes(128, 128), 128},
    {64, LibraryKernel("matmul_small"), 256, tileProductBytes(64, 64), 0},
};
const Tile gradient[] = {
    {128, LibraryKernel("weight_gradient_large"), 256, tileProductBytes(128, 128), 128},
    {64, LibraryKernel("weight_gradient_small"), 256, tileProductBytes(64, 64), 0},
};
const Tile matmulBf16[] = {
    {128, LibraryKernel("matmul_bf16_large"), 256, stagesOf(128, 32), 128},
    {64, LibraryKernel("matmul_bf16_small"), 256, stagesOf(64, 64), 96},
    {32, LibraryKernel("matmul_bf16_tiny"), 128, stagesOf(32, 64), 0},
};
const Tile gradientBf16[] = {
    {128, LibraryKernel("weight_gradient_bf16_large"), 256, stagesOf(128, 32), 128},
    {64, LibraryKernel("weight_gradient_bf16_small"), 256, stagesOf(64, 64), 96},
    {32, LibraryKernel("weight_gradient_bf16_tiny"), 128, stagesOf(32, 64), 0},
};
const LibraryKernel packBf16("pack_bf16");

/// One block a tile of `rows` x `columns`.
template <class Arguments>
void launchTiles(const PenstockCall *call, std::span<const Tile> tiles, std::int64_t rows, std::int64_t columns,
                 const Arguments &arguments) {
  for (const Tile &tile : tiles) {
    const Grid grid = {divideUp(rows, tile.side), divideUp(columns, tile.side)};
    if (grid.x * grid.y >= tile.enough) {
      launch(call, tile.kernel, grid, tile.threads, tile.bytes, arguments);
      return;
    }
  }
}

} // namespace

void launchPacking(const PenstockCall *call, std::span<const PackJob> jobs) {
  for (std::size_t first = 0; first < jobs.size(); first += PackJobs::most) {
    PackJobs together = {};
    std::int64_t blocks = 0;
    for (const PackJob &job : jobs.subspan(first, std::min<std::size_t>(PackJobs::most, jobs.size() - first))) {
      PackJob &to = together.jobs[together.count++] = job;
      to.block = static_cast<int>(blocks);
      blocks += packBlocks(job.k, job.n);
    }
    launch(call, packBf16, {blocks}, 256, 0, together);
  }
}

} // namespace penstock::cuda

using namespace penstock;
using namespace penstock::cuda;

extern "C" {

void penstock_cuda_pack(const PenstockCall *call, void *handle, const float *weight, std::int32_t) {
  static_cast<Handle *>(static_cast<KernelObject *>(handle))->take(call, weight);
}

void penstock_cuda_matmul(const PenstockCall *call, void *handle, const float *x, std::int64_t ldx, float *y, std::int64_t ldy,
                          std::int64_t rows, const std::int64_t *count, const float *bias, std::int32_t accumulate, std::int32_t) {
  const MatmulHandle &of = *static_cast<MatmulHandle *>(static_cast<KernelObject *>(handle));
  const auto &[k, n, transposed, stride] = of.shape;
  const MatmulArguments arguments = {x,
                                     of.weight,
                                     bias,
                                     y,
                                     ldx,
                                     stride,
                                     ldy,
                                     count,
                                     rows,
                                     k,
                                     n,
                                     transposed ? 1 : 0,
                                     accumulate,
                                     isWhole(x, ldx) ? 1 : 0,
                                     isWhole(of.weight, stride) ? 1 : 0,
                                     reinterpret_cast<std::uintptr_t>(y) % 8 == 0 && ldy % 2 == 0 ? 1 : 0};
  launchTiles(call, of.rounds ? std::span<const Tile>(matmulBf16) : matmul, rows, n, arguments);
}

void penstock_cuda_weight_gradient(const PenstockCall *call, void *handle, const float *x, std::int64_t ldx, const float *dy,
                                   std::int64_t lddy, std::int64_t rows, const std::int64_t *count, float *dw, std::int32_t) {
  const WeightGradientHandle &of = *static_cast<WeightGradientHandle *>(static_cast<KernelObject *>(handle));
  const WeightGradientArguments arguments = {
      x, dy, dw, ldx, lddy, count, rows, of.k, of.n, isWhole(x, ldx) ? 1 : 0, isWhole(dy, lddy) ? 1 : 0};
  launchTiles(call, of.rounds ? std::span<const Tile>(gradientBf16) : gradient, of.k, of.n, arguments);
}

} // extern "C"
