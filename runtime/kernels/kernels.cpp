#include "runtime/kernels/kernels.h"

#include "runtime/device/thread_pool.h"
#include "runtime/kernels/handles.h"

namespace {

penstock::MatmulObject &matmulOf(void *handle) {
  return *static_cast<penstock::MatmulObject *>(static_cast<penstock::KernelObject *>(handle));
}
penstock::ConvObject &convOf(void *handle) { return *static_cast<penstock::ConvObject *>(static_cast<penstock::KernelObject *>(handle)); }

/// For callers that name no level: the machine's best, or AVX2's where the machine cannot be told.
const PenstockLevelTable &best() {
  static const PenstockLevelTable &table = [&]() -> const PenstockLevelTable & {
    const penstock::Result<penstock::Level> level = penstock::machineLevel();
    return penstock::levelTable(level.ok() ? *level : penstock::Level::avx2);
  }();
  return table;
}

} // namespace

extern "C" {

void penstock_parallel_for(void *pool, void (*body)(void *context, int64_t begin, int64_t end, int32_t worker), void *context,
                           int64_t count, int64_t grain) {
  static_cast<penstock::ThreadPool *>(pool)->parallelFor(body, context, count, grain);
}

void penstock_matmul_pack(void *handle, const float *w, void *pool) { matmulOf(handle).pack(w, pool); }
void penstock_matmul_run(void *handle, const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, const float *bias,
                         int32_t accumulate) {
  matmulOf(handle).run(x, ldx, y, ldy, rows, bias, accumulate != 0);
}
void penstock_weight_gradient(void *handle, void *pool, const float *x, int64_t ldx, const float *dy, int64_t lddy, int64_t rows, float *dw,
                              float *scratch) {
  static_cast<penstock::WeightGradientObject *>(static_cast<penstock::KernelObject *>(handle))
      ->run(pool, x, ldx, dy, lddy, rows, dw, scratch);
}

void penstock_conv1d_pack(void *handle, const float *w, void *pool) { convOf(handle).pack(w, pool); }
void penstock_conv1d_run(void *handle, const float *x, float *y, const int32_t *offsets, int64_t begin, int64_t end, const float *bias,
                         float *scratch) {
  convOf(handle).run(x, y, offsets, begin, end, bias, scratch);
}
void penstock_conv1d_gradient_input(void *handle, const float *dy, float *dx, const int32_t *offsets, int64_t begin, int64_t end,
                                    int32_t accumulate, float *scratch) {
  convOf(handle).gradientInput(dy, dx, offsets, begin, end, accumulate != 0, scratch);
}
void penstock_conv1d_gradient_weight(void *handle, void *pool, const float *x, const float *dy, const int32_t *offsets, int64_t records,
                                     float *dw, float *scratch) {
  convOf(handle).gradientWeight(pool, x, dy, offsets, records, dw, scratch);
}
void penstock_conv1d_max(void *handle, const float *x, const int32_t *offsets, int64_t begin, int64_t end, const float *bias, float *out,
                         int32_t *argmax, float *scratch) {
  convOf(handle).max(x, offsets, begin, end, bias, out, argmax, scratch);
}
void penstock_conv1d_max_gradient_input(void *handle, const float *w, const float *g, const int32_t *argmax, float *dx,
                                        const int32_t *offsets, int64_t begin, int64_t end, int32_t accumulate) {
  convOf(handle).maxGradientInput(w, g, argmax, dx, offsets, begin, end, accumulate != 0);
}
void penstock_conv1d_max_gradient_weight(void *handle, void *pool, const float *x, const float *g, const int32_t *argmax,
                                         const int32_t *offsets, int64_t records, float *dw) {
  convOf(handle).maxGradientWeight(pool, x, g, argmax, offsets, records, dw);
}

void penstock_attention_forward(const float *qkv, float *out, float *lse, const int32_t *offsets, const uint64_t *record_numbers,
                                int64_t begin, int64_t end, int64_t heads, int64_t width, float dropout, uint64_t seed, uint64_t step,
                                uint64_t key, float *scratch) {
  best().attentionForward(qkv, out, lse, offsets, record_numbers, begin, end, heads, width, dropout, seed, step, key, scratch);
}
void penstock_attention_backward(const float *qkv, const float *out, const float *lse, const float *dout, float *dqkv,
                                 const int32_t *offsets, const uint64_t *record_numbers, int64_t begin, int64_t end, int64_t heads,
                                 int64_t width, float dropout, uint64_t seed, uint64_t step, uint64_t key, float *scratch) {
  best().attentionBackward(qkv, out, lse, dout, dqkv, offsets, record_numbers, begin, end, heads, width, dropout, seed, step, key, scratch);
}

void penstock_attention_first_forward(const float *q, const float *kv, float *out, float *lse, const int32_t *offsets,
                                      const uint64_t *record_numbers, int64_t begin, int64_t end, int64_t heads, int64_t width,
                                      float dropout, uint64_t seed, uint64_t step, uint64_t key, float *scratch) {
  best().attentionFirstForward(q, kv, out, lse, offsets, record_numbers, begin, end, heads, width, dropout, seed, step, key, scratch);
}
void penstock_attention_first_backward(const float *q, const float *kv, const float *out, const float *lse, const float *dout, float *dq,
                                       float *dkv, const int32_t *offsets, const uint64_t *record_numbers, int64_t begin, int64_t end,
                                       int64_t heads, int64_t width, float dropout, uint64_t seed, uint64_t step, uint64_t key,
                                       float *scratch) {
  best().attentionFirstBackward(q, kv, out, lse, dout, dq, dkv, offsets, record_numbers, begin, end, heads, width, dropout, seed, step, key,
                                scratch);
}

void penstock_segment_sum(const float *x, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y) {
  best().segmentSum(x, offsets, begin, end, width, y);
}
void penstock_segment_max(const float *x, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y, int32_t *argmax) {
  best().segmentMax(x, offsets, begin, end, width, y, argmax);
}
void penstock_segment_max_gradient(const float *g, const int32_t *argmax, const int32_t *offsets, int64_t begin, int64_t end, int64_t width,
                                   float *dx) {
  best().segmentMaxGradient(g, argmax, offsets, begin, end, width, dx);
}
void penstock_bag_sum(const float *table, const int32_t *ids, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y) {
  best().bagSum(table, ids, offsets, begin, end, width, y);
}
void penstock_embedding_gradient(void *pool, const int32_t *ids, const int32_t *source, const float *dy, int64_t rows, int64_t width,
                                 int64_t vocabulary, float *dtable, float *scratch) {
  best().embeddingGradient(pool, ids, source, dy, rows, width, vocabulary, dtable, scratch);
}
void penstock_group_rows(const int32_t *ids, int64_t rows, int64_t vocabulary, int32_t *groups) {
  best().groupById(ids, rows, vocabulary, groups);
}
void penstock_grouped_gradient(void *pool, const int32_t *groups, const int32_t *source, const float *dy, int64_t rows, int64_t width,
                               float *gradient) {
  best().groupedGradient(pool, groups, source, dy, rows, width, gradient);
}
void penstock_counts(const int32_t *ids, const int32_t *offsets, int64_t begin, int64_t end, int64_t vocabulary, float *y) {
  best().counts(ids, offsets, begin, end, vocabulary, y);
}
void penstock_dropout_row(float *out, int64_t width, int64_t position, uint64_t record_number, uint64_t seed, uint64_t step, uint64_t key,
                          float p) {
  best().dropoutRow(out, width, position, record_number, seed, step, key, p);
}

} // extern "C"
