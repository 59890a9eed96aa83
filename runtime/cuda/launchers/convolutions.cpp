// conv1d, its gradients, and conv1d with the largest of each record.
#include "runtime/cuda/kernels/convolutions.h"

#include "runtime/cuda/handles.h"
#include "runtime/cuda/launch.h"
#include "runtime/cuda/launchers/launchers.h"

#include <algorithm>

namespace penstock::cuda {
namespace {

const LibraryKernel conv("conv1d"), inputGrad("conv1d_input_grad"), weightGrad("conv1d_weight_grad"), convMax("conv1d_max"),
    maxInputGrad("conv1d_max_input_grad"), maxWeightGrad("conv1d_max_weight_grad");

/// Parts that rows are dealt to where a kernel knows nothing of how many there are: a number of the shape alone.
std::int64_t partsOf(std::int64_t others) { return std::clamp<std::int64_t>(divideUp(512, std::max<std::int64_t>(1, others)), 1, 512); }

ConvArguments argumentsOf(void *handle, const std::int32_t *offsets, std::int64_t capacity, const std::int64_t *count) {
  const ConvHandle &by = *static_cast<ConvHandle *>(static_cast<KernelObject *>(handle));
  ConvArguments of = {};
  of.w = by.weight, of.width = by.width, of.k = by.k, of.n = by.n;
  of.offsets = offsets, of.capacity = capacity, of.count = count;
  return of;
}

} // namespace
} // namespace penstock::cuda

using namespace penstock::cuda;

extern "C" {

void penstock_cuda_conv1d(const PenstockCall *call, void *handle, const float *x, float *y, const std::int32_t *offsets,
                          std::int64_t capacity, const std::int64_t *count, const float *bias, std::int32_t) {
  ConvArguments of = argumentsOf(handle, offsets, capacity, count);
  of.x = x, of.bias = bias, of.result = y;
  const std::int64_t tiles = divideUp(of.n, 64);
  launch(call, conv, {tiles, partsOf(tiles)}, 256, tileProductBytes(64, 64), of);
}

void penstock_cuda_conv1d_input_grad(const PenstockCall *call, void *handle, const float *dy, float *dx, const std::int32_t *offsets,
                                     std::int64_t capacity, const std::int64_t *count, std::int32_t accumulate, std::int32_t) {
  ConvArguments of = argumentsOf(handle, offsets, capacity, count);
  of.dy = dy, of.result = dx, of.accumulate = accumulate;
  const std::int64_t tiles = divideUp(of.k, 64);
  launch(call, inputGrad, {tiles, partsOf(tiles)}, 256, tileProductBytes(64, 64), of);
}

void penstock_cuda_conv1d_weight_grad(const PenstockCall *call, void *handle, const float *x, const float *dy, const std::int32_t *offsets,
                                      std::int64_t capacity, const std::int64_t *count, float *dw, std::int32_t) {
  ConvArguments of = argumentsOf(handle, offsets, capacity, count);
  of.x = x, of.dy = dy, of.result = dw;
  launch(call, weightGrad, {divideUp(of.k, 64), divideUp(of.n, 64), of.width}, 256, tileProductBytes(64, 64), of);
}

void penstock_cuda_conv1d_max(const PenstockCall *call, void *handle, const float *x, const std::int32_t *offsets, std::int64_t capacity,
                              const std::int64_t *count, const float *bias, float *out, std::int32_t *argmax, std::int32_t) {
  ConvArguments of = argumentsOf(handle, offsets, capacity, count);
  of.x = x, of.bias = bias, of.result = out, of.argmaxOut = argmax;
  launch(call, convMax, {capacity, divideUp(of.n, 64)}, 256, tileProductBytes(64, 64), of);
}

void penstock_cuda_conv1d_max_input_grad(const PenstockCall *call, void *handle, const float *w, const float *g, const std::int32_t *argmax,
                                         float *dx, const std::int32_t *offsets, std::int64_t capacity, const std::int64_t *count,
                                         std::int32_t accumulate, std::int32_t) {
  ConvArguments of = argumentsOf(handle, offsets, capacity, count);
  of.w = w, of.dy = g, of.argmax = argmax, of.result = dx, of.accumulate = accumulate;
  launch(call, maxInputGrad, {capacity, divideUp(of.k, 128), 16}, 128, 0, of);
}

void penstock_cuda_conv1d_max_weight_grad(const PenstockCall *call, void *handle, const float *x, const float *g,
                                          const std::int32_t *argmax, const std::int32_t *offsets, std::int64_t capacity,
                                          const std::int64_t *count, float *dw, std::int32_t) {
  ConvArguments of = argumentsOf(handle, offsets, capacity, count);
  of.x = x, of.dy = g, of.argmax = argmax, of.result = dw;
  launch(call, maxWeightGrad, {divideUp(of.k, 32), divideUp(of.n, 16), of.width}, 128, 0, of);
}

} // extern "C"
