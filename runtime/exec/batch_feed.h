// Where the batches of a training come from: which parts make a step, how many steps an epoch and a run have.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"

#include <cstdint>
#include <memory>
#include <span>

namespace penstock {

/// Steps are numbered from 0. A step has `accumulate` parts, but for the last one of an epoch, which may have fewer.
class BatchFeed {
public:
  /// An error where the number of epochs is none that can be used. A pipeline that does not train has no step.
  static Result<BatchFeed> plan(std::shared_ptr<const Dataset> train, const PipelineValue &pipeline);

  std::int64_t stepsPerEpoch() const { return perEpoch; }
  std::int64_t totalSteps() const { return total; }
  /// The most parts of a step.
  std::int64_t mostParts() const { return together; }
  /// After so many steps.
  double epochOf(std::int64_t steps) const { return perEpoch > 0 ? static_cast<double>(steps) / static_cast<double>(perEpoch) : 0; }
  bool endsEpoch(std::int64_t steps) const { return steps % perEpoch == 0; }

  /// Begins with this step.
  Status start(std::int64_t step);
  /// The parts of the next step, which is this one. They stay valid until the next call.
  Result<std::span<const Batch *const>> next(std::int64_t step);

private:
  std::int64_t firstPartOf(std::int64_t step) const { return step / perEpoch * partsPerEpoch + step % perEpoch * accumulate; }

  std::shared_ptr<const Dataset> train;
  BatchStream::Plan batches;
  std::unique_ptr<BatchStream> stream;
  std::int64_t accumulate = 1, together = 1, partsPerEpoch = 0, perEpoch = 0, total = 0;
};

} // namespace penstock
