// Segments and rows by id.
#include "runtime/cuda/launch.h"
#include "runtime/cuda/launchers/launchers.h"

namespace penstock::cuda {
namespace {

const LibraryKernel segmentSum("segment_sum"), segmentMax("segment_max"), segmentMaxGradient("segment_max_grad"),
    segmentSoftmax("segment_softmax"), segmentSoftmaxGradient("segment_softmax_grad"), runningSum("running_sum"), bagSum("bag_sum"),
    countsOfIds("counts"), weightedCounts("weighted_counts"), occurrences("occurrences"), embeddingGradient("embedding_grad"),
    embeddingGradientFew("embedding_grad_few"), groupRowsOrder("group_rows_order"), groupRowsHeads("group_rows_heads"),
    groupedGradient("grouped_gradient");

/// A thread a column of a record.
template <class... Arguments>
void launchColumns(const PenstockCall *call, const LibraryKernel &kernel, std::int64_t records, std::int64_t width,
                   Arguments... arguments) {
  launch(call, kernel, {divideUp(records * width, 128)}, 128, 0, arguments...);
}

/// A warp a row and chunk of columns.
Grid warpsOf(std::int64_t rows, std::int64_t width, std::int64_t columns) { return {divideUp(rows, 4), divideUp(width, columns)}; }

constexpr std::int64_t manyWarps = 4096;

void launchEmbeddingGradient(const PenstockCall *call, const std::int32_t *ids, const std::int32_t *source, const float *dy,
                             std::int64_t rows, const std::int64_t *count, std::int64_t width, std::int64_t vocabulary, float *dtable) {
  // Every warp reads all ids; of a small table there are so few that narrow ones bring more columns under way.
  const bool few = vocabulary * divideUp(width, 128) < manyWarps;
  launch(call, few ? embeddingGradientFew : embeddingGradient, warpsOf(vocabulary, width, few ? 32 : 128), 128, 0, ids, source, dy, rows,
         count, width, vocabulary, dtable);
}

} // namespace
} // namespace penstock::cuda

using namespace penstock::cuda;

extern "C" {

void penstock_cuda_segment_sum(const PenstockCall *call, const float *x, const std::int32_t *offsets, std::int64_t records,
                               const std::int64_t *count, std::int64_t width, float *y, std::int32_t) {
  launchColumns(call, segmentSum, records, width, x, offsets, records, count, width, y);
}

void penstock_cuda_segment_max(const PenstockCall *call, const float *x, const std::int32_t *offsets, std::int64_t records,
                               const std::int64_t *count, std::int64_t width, float *y, std::int32_t *argmax, std::int32_t) {
  launchColumns(call, segmentMax, records, width, x, offsets, records, count, width, y, argmax);
}

void penstock_cuda_segment_max_grad(const PenstockCall *call, const float *g, const std::int32_t *argmax, const std::int32_t *offsets,
                                    std::int64_t records, const std::int64_t *count, std::int64_t width, float *dx, std::int32_t) {
  launchColumns(call, segmentMaxGradient, records, width, g, argmax, offsets, records, count, width, dx);
}

void penstock_cuda_segment_softmax(const PenstockCall *call, const float *x, const std::int32_t *offsets, std::int64_t records,
                                   const std::int64_t *count, std::int64_t width, float *y, std::int32_t) {
  launchColumns(call, segmentSoftmax, records, width, x, offsets, records, count, width, y);
}

void penstock_cuda_segment_softmax_grad(const PenstockCall *call, const float *y, const float *g, const std::int32_t *offsets,
                                        std::int64_t records, const std::int64_t *count, std::int64_t width, float *dx, std::int32_t) {
  launchColumns(call, segmentSoftmaxGradient, records, width, y, g, offsets, records, count, width, dx);
}

void penstock_cuda_running_sum(const PenstockCall *call, const float *x, const std::int32_t *offsets, std::int64_t records,
                               const std::int64_t *count, std::int64_t width, std::int64_t backward, float *y, std::int32_t) {
  launchColumns(call, runningSum, records, width, x, offsets, records, count, width, backward, y);
}

void penstock_cuda_bag_sum(const PenstockCall *call, const float *table, const std::int32_t *ids, const std::int32_t *offsets,
                           std::int64_t records, const std::int64_t *count, std::int64_t width, float *y, std::int32_t) {
  launchColumns(call, bagSum, records, width, table, ids, offsets, records, count, width, y);
}

void penstock_cuda_counts(const PenstockCall *call, const std::int32_t *ids, const std::int32_t *offsets, std::int64_t records,
                          const std::int64_t *count, std::int64_t vocabulary, float *y, std::int32_t) {
  launch(call, countsOfIds, {records}, 128, 0, ids, offsets, records, count, vocabulary, y);
}

void penstock_cuda_weighted_counts(const PenstockCall *call, const std::int32_t *ids, const float *weights, const std::int32_t *offsets,
                                   std::int64_t records, const std::int64_t *count, std::int64_t vocabulary, float *y, std::int32_t) {
  launch(call, weightedCounts, {records}, 128, 0, ids, weights, offsets, records, count, vocabulary, y);
}

void penstock_cuda_occurrences(const PenstockCall *call, const std::int32_t *ids, const std::int32_t *offsets, std::int64_t records,
                               const std::int64_t *count, float *y, std::int32_t) {
  launch(call, occurrences, {records}, 128, 0, ids, offsets, records, count, y);
}

void penstock_cuda_embedding_grad(const PenstockCall *call, const std::int32_t *ids, const std::int32_t *source, const float *dy,
                                  std::int64_t rows, const std::int64_t *count, std::int64_t width, std::int64_t vocabulary,
                                  const std::int64_t *, float *dtable, std::int32_t) {
  launchEmbeddingGradient(call, ids, source, dy, rows, count, width, vocabulary, dtable);
}

void penstock_cuda_position_rows_grad(const PenstockCall *call, const std::int32_t *places, const std::int32_t *source, const float *dy,
                                      std::int64_t rows, const std::int64_t *count, std::int64_t width, std::int64_t vocabulary,
                                      const std::int64_t *, float *dtable, std::int32_t) {
  launchEmbeddingGradient(call, places, source, dy, rows, count, width, vocabulary, dtable);
}

void penstock_cuda_bag_sum_grad(const PenstockCall *call, const std::int32_t *ids, const std::int32_t *records, const float *dy,
                                std::int64_t rows, const std::int64_t *count, std::int64_t width, std::int64_t vocabulary,
                                const std::int64_t *, float *dtable, std::int32_t) {
  launchEmbeddingGradient(call, ids, records, dy, rows, count, width, vocabulary, dtable);
}

void penstock_cuda_group_rows(const PenstockCall *call, const std::int32_t *ids, std::int64_t rows, const std::int64_t *count,
                              std::int64_t vocabulary, std::int32_t *groups, std::int32_t) {
  launch(call, groupRowsOrder, {divideUp(rows, 256)}, 256, 0, ids, rows, count, vocabulary, groups);
  launch(call, groupRowsHeads, {1}, 256, 0, ids, rows, count, vocabulary, groups);
}

void penstock_cuda_grouped_gradient(const PenstockCall *call, const std::int32_t *groups, const std::int32_t *source, const float *dy,
                                    std::int64_t rows, const std::int64_t *, std::int64_t width, float *gradient, std::int32_t) {
  launch(call, groupedGradient, warpsOf(rows, width, 128), 128, 0, groups, source, dy, rows, width, gradient);
}

} // extern "C"
