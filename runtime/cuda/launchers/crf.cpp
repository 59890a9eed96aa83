// The conditional random field.
#include "runtime/cuda/launch.h"
#include "runtime/cuda/launchers/launchers.h"

#include <algorithm>

namespace penstock::cuda {
namespace {

const LibraryKernel loss("crf_loss"), lossGradient("crf_loss_grad"), decode("crf_decode");

/// A block a record, a thread a tag.
template <class... Arguments>
void launchRecords(const PenstockCall *call, const LibraryKernel &kernel, std::int64_t records, std::int64_t tags, Arguments... arguments) {
  const auto threads = static_cast<int>(std::min<std::int64_t>(128, divideUp(tags, 32) * 32));
  launch(call, kernel, {records}, threads, static_cast<std::size_t>(4 * tags) * sizeof(double), arguments...);
}

} // namespace
} // namespace penstock::cuda

using namespace penstock::cuda;

extern "C" {

void penstock_cuda_crf_loss(const PenstockCall *call, const float *logits, const std::int32_t *target, const float *transitions,
                            const std::int32_t *offsets, std::int64_t records, const std::int64_t *count, std::int64_t tags, float *losses,
                            float *alpha, std::int32_t) {
  launchRecords(call, loss, records, tags, logits, target, transitions, offsets, records, count, tags, losses, alpha);
}

void penstock_cuda_crf_loss_grad(const PenstockCall *call, const float *logits, const std::int32_t *target, const float *transitions,
                                 const float *alpha, const float *cotangent, const std::int32_t *offsets, std::int64_t records,
                                 const std::int64_t *count, std::int64_t tags, float *dlogits, float *dtransitions, std::int32_t) {
  launchRecords(call, lossGradient, records, tags, logits, target, transitions, alpha, cotangent, offsets, records, count, tags, dlogits,
                dtransitions);
}

void penstock_cuda_crf_decode(const PenstockCall *call, const float *logits, const float *transitions, const std::int32_t *offsets,
                              const std::int32_t *rowWord, std::int64_t records, const std::int64_t *count, std::int64_t tags,
                              float *result, float *alpha, std::int32_t *back, std::int32_t) {
  launchRecords(call, decode, records, tags, logits, transitions, offsets, rowWord, records, count, tags, result, alpha, back);
}

} // extern "C"
