// Matmul, weight gradient, packing.
#include "runtime/cuda/kernels/contractions.h"

#include "runtime/cuda/handles.h"
#include "runtime/cuda/launch.h"
#include "runtime/cuda/launchers/launchers.h"

#include <algorithm>

namespace penstock::cuda {
namespace {

/// One kernel in two sizes of tiles.
struct Tiles {
  LibraryKernel large, small;
  std::size_t largeBytes, smallBytes;
};
/// Shared memory of two stages of tiles of bf16 (matmul_bf16.cu).
constexpr std::size_t stagesOf(std::size_t tile, std::size_t depth) { return 2 * (2 * tile * depth * 2); }

const Tiles matmul = {LibraryKernel("matmul_large"), LibraryKernel("matmul_small"), tileProductBytes(128, 128), tileProductBytes(64, 64)};
const Tiles matmulBf16 = {LibraryKernel("matmul_bf16_large"), LibraryKernel("matmul_bf16_small"), stagesOf(128, 32), stagesOf(64, 64)};
const Tiles gradient = {LibraryKernel("weight_gradient_large"), LibraryKernel("weight_gradient_small"), tileProductBytes(128, 128),
                        tileProductBytes(64, 64)};
const Tiles gradientBf16 = {LibraryKernel("weight_gradient_bf16_large"), LibraryKernel("weight_gradient_bf16_small"), stagesOf(128, 32),
                            stagesOf(64, 64)};
const LibraryKernel packBf16("pack_bf16");

/// Tiles of `rows` x `columns`: large ones where there are enough of them to keep a large card busy. The shape alone decides; bits do not
/// depend on it.
template <class Arguments>
void launchTiles(const PenstockCall *call, const Tiles &by, std::int64_t rows, std::int64_t columns, const Arguments &arguments) {
  constexpr std::int64_t enough = 128;
  if (divideUp(rows, 128) * divideUp(columns, 128) >= enough) {
    launch(call, by.large, {divideUp(rows, 128), divideUp(columns, 128)}, 256, by.largeBytes, arguments);
  } else {
    launch(call, by.small, {divideUp(rows, 64), divideUp(columns, 64)}, 256, by.smallBytes, arguments);
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
  launchTiles(call, of.rounds ? matmulBf16 : matmul, rows, n, arguments);
}

void penstock_cuda_weight_gradient(const PenstockCall *call, void *handle, const float *x, std::int64_t ldx, const float *dy,
                                   std::int64_t lddy, std::int64_t rows, const std::int64_t *count, float *dw, std::int32_t) {
  const WeightGradientHandle &of = *static_cast<WeightGradientHandle *>(static_cast<KernelObject *>(handle));
  const WeightGradientArguments arguments = {
      x, dy, dw, ldx, lddy, count, rows, of.k, of.n, isWhole(x, ldx) ? 1 : 0, isWhole(dy, lddy) ? 1 : 0};
  launchTiles(call, of.rounds ? gradientBf16 : gradient, of.k, of.n, arguments);
}

} // extern "C"
