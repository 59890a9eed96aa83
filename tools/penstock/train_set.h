// `penstock train`, of one run and of several that differ in their seed or in the fold that is dev.
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/base/status.h"
#include "runtime/exec/run_set.h"
#include "runtime/exec/trainer.h"
#include "tools/penstock/load_pipeline.h"

#include <optional>
#include <string>

namespace penstock {

struct TrainOptions {
  LoadOptions load;
  std::string out, level;
  bool resume = false, json = false, profile = false;
  int threads = -1, seeds = 0;
  double checkpointSeconds = 30;
  bool keepCheckpoints = false;
  std::string goesOn; // the command that goes on with it, where that is not the one of this run alone
};

/// The command that goes on with what was interrupted.
std::string resumeCommand(const TrainOptions &options);

/// Trains one run into `options.out`; `given`: the pipeline, where it is loaded already. Nothing where the pipeline has mistakes, which are
/// said.
Result<std::optional<TrainOutcome>> trainOne(TrainOptions options, CommandContext &context,
                                             std::optional<LoadedPipeline> given = std::nullopt);

/// Trains `options.seeds` runs, each in a folder of its own below `options.out`, and tells what they have in common.
Status trainSeeds(const TrainOptions &options, CommandContext &context);
/// Likewise a run for each fold, and one more of all of them where the split says so.
Status trainFolds(const TrainOptions &options, const SplitSpec &split, CommandContext &context);

/// The mean and deviation of every value of the runs of `set`, which lie in `folder`.
Status printRunSet(const std::string &folder, const RunSet &set, bool json);

} // namespace penstock
