#include "runtime/exec/batch_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace penstock {

Result<BatchFeed> BatchFeed::plan(std::shared_ptr<const Dataset> train, const PipelineValue &pipeline) {
  const TrainSpec &spec = pipeline.train;
  BatchFeed feed;
  feed.accumulate = spec.accumulate;
  feed.partsPerEpoch = (train->records() + spec.batch - 1) / spec.batch;
  feed.perEpoch = (feed.partsPerEpoch + spec.accumulate - 1) / spec.accumulate;
  feed.total = spec.steps;
  if (feed.total < 0) {
    const double steps = spec.epochs * static_cast<double>(feed.perEpoch);
    if (!(steps >= 0) || steps > 9e15) {
      return invalidInput("`train.epochs` is not a usable number of epochs");
    }
    feed.total = std::max<std::int64_t>(1, std::llround(steps));
  }
  if (!pipeline.trains()) {
    feed.total = 0;
  }
  feed.together = std::min(spec.accumulate, feed.partsPerEpoch);
  feed.batches.batch = spec.batch;
  feed.batches.shuffle = spec.shuffle;
  feed.batches.trains = true;
  feed.batches.seed = spec.seed;
  feed.batches.together = feed.together;
  feed.train = std::move(train);
  return feed;
}

Status BatchFeed::start(std::int64_t step) {
  batches.firstStep = firstPartOf(step);
  batches.lastStep = firstPartOf(total);
  PENSTOCK_ASSIGN(stream, BatchStream::start(train, batches));
  return {};
}

Result<std::span<const Batch *const>> BatchFeed::next(std::int64_t step) {
  PENSTOCK_ASSIGN(const auto parts, stream->next(std::min(accumulate, partsPerEpoch - step % perEpoch * accumulate)));
  if (parts.empty()) {
    return internalError(fmt::format("the batches ended at step {} of {}; please report this", step, total));
  }
  return parts;
}

} // namespace penstock
