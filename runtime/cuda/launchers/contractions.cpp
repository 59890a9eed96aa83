// Matmul, weight gradient, packing.
#include "runtime/cuda/kernels/contractions.h"

#include "runtime/cuda/handles.h"
#include "runtime/cuda/launch.h"
#include "runtime/cuda/launchers/launchers.h"

namespace penstock::cuda {
namespace {

const LibraryKernel matmulLarge("matmul_large"), matmulSmall("matmul_small"), weightGradient("weight_gradient");

/// Blocks from which on large tiles keep a large card busy. A number of the shape alone decides: bits do not depend on it, but speed does.
constexpr std::int64_t enoughBlocks = 128;

} // namespace
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
                                     isWhole(of.weight, stride) ? 1 : 0};
  if (divideUp(rows, 128) * divideUp(n, 128) >= enoughBlocks) {
    launch(call, matmulLarge, {divideUp(rows, 128), divideUp(n, 128)}, 256, tileProductBytes(128, 128), arguments);
  } else {
    launch(call, matmulSmall, {divideUp(rows, 64), divideUp(n, 64)}, 256, tileProductBytes(64, 64), arguments);
  }
}

void penstock_cuda_weight_gradient(const PenstockCall *call, void *handle, const float *x, std::int64_t ldx, const float *dy,
                                   std::int64_t lddy, std::int64_t rows, const std::int64_t *count, float *dw, std::int32_t) {
  const WeightGradientHandle &of = *static_cast<WeightGradientHandle *>(static_cast<KernelObject *>(handle));
  const WeightGradientArguments arguments = {
      x, dy, dw, ldx, lddy, count, rows, of.k, of.n, isWhole(x, ldx) ? 1 : 0, isWhole(dy, lddy) ? 1 : 0};
  launch(call, weightGradient, {divideUp(of.k, 64), divideUp(of.n, 64)}, 256, tileProductBytes(64, 64), arguments);
}

} // extern "C"
