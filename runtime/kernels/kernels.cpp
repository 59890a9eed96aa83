#include "runtime/kernels/kernels.h"

#include "runtime/device/thread_pool.h"
#include "runtime/kernels/handles.h"

namespace {

penstock::MatmulObject &matmulOf(void *handle) {
  return *static_cast<penstock::MatmulObject *>(static_cast<penstock::KernelObject *>(handle));
}
penstock::ConvObject &convOf(void *handle) { return *static_cast<penstock::ConvObject *>(static_cast<penstock::KernelObject *>(handle)); }

} // namespace

extern "C" {

void penstock_parallel_for(void *pool, void (*body)(void *context, int64_t begin, int64_t end, int32_t worker), void *context,
                           int64_t count, int64_t grain) {
  static_cast<penstock::ThreadPool *>(pool)->parallelFor(body, context, count, grain);
}

void penstock_pack(void *handle, const float *w, void *pool) { static_cast<penstock::KernelObject *>(handle)->pack(w, pool); }
void penstock_matmul(void *handle, const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, const float *bias,
                     int32_t accumulate) {
  matmulOf(handle).run(x, ldx, y, ldy, rows, bias, accumulate != 0);
}
void penstock_weight_gradient(void *handle, void *pool, const float *x, int64_t ldx, const float *dy, int64_t lddy, int64_t rows, float *dw,
                              float *scratch) {
  static_cast<penstock::WeightGradientObject *>(static_cast<penstock::KernelObject *>(handle))
      ->run(pool, x, ldx, dy, lddy, rows, dw, scratch);
}

void penstock_conv1d(void *handle, const float *x, float *y, const int32_t *offsets, int64_t begin, int64_t end, const float *bias,
                     float *scratch) {
  convOf(handle).run(x, y, offsets, begin, end, bias, scratch);
}
void penstock_conv1d_input_grad(void *handle, const float *dy, float *dx, const int32_t *offsets, int64_t begin, int64_t end,
                                int32_t accumulate, float *scratch) {
  convOf(handle).gradientInput(dy, dx, offsets, begin, end, accumulate != 0, scratch);
}
void penstock_conv1d_weight_grad(void *handle, void *pool, const float *x, const float *dy, const int32_t *offsets, int64_t records,
                                 float *dw, float *scratch) {
  convOf(handle).gradientWeight(pool, x, dy, offsets, records, dw, scratch);
}
void penstock_conv1d_max(void *handle, const float *x, const int32_t *offsets, int64_t begin, int64_t end, const float *bias, float *out,
                         int32_t *argmax, float *scratch) {
  convOf(handle).max(x, offsets, begin, end, bias, out, argmax, scratch);
}
void penstock_conv1d_max_input_grad(void *handle, const float *w, const float *g, const int32_t *argmax, float *dx, const int32_t *offsets,
                                    int64_t begin, int64_t end, int32_t accumulate) {
  convOf(handle).maxGradientInput(w, g, argmax, dx, offsets, begin, end, accumulate != 0);
}
void penstock_conv1d_max_weight_grad(void *handle, void *pool, const float *x, const float *g, const int32_t *argmax,
                                     const int32_t *offsets, int64_t records, float *dw) {
  convOf(handle).maxGradientWeight(pool, x, g, argmax, offsets, records, dw);
}

} // extern "C"
