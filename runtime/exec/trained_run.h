// A finished run, opened for evaluate and predict: needs nothing but its folder.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/evaluate.h"
#include "runtime/exec/program.h"
#include "runtime/exec/run_folder.h"
#include "runtime/plugin/plugin_host.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// What became of the records of predict.
struct PredictSummary {
  std::int64_t answered = 0, failed = 0;
  std::string firstFailure; // as its record's `error` says
  std::string remark;       // what a person should know; "" is nothing
};

class TrainedRun {
public:
  /// Maps the program (whose hash must be the run's), loads and packs the weights. `record` is that of the folder; whoever changes its
  /// configuration, `threads` included, gets the run so. A run that has no weights yet, or whose tokenizer or head has another version
  /// now, is an error that says so.
  static Result<std::unique_ptr<TrainedRun>> open(const std::string &folder, RunRecord record,
                                                  const std::vector<std::string> &pluginFolders);

  /// What a person should know about this run: plugins that are not those it was made with.
  const std::vector<std::string> &warnings() const { return remarks; }

  const RunRecord &record() const { return held; }
  PluginHost &host() { return *plugins; }
  Program &program() { return *compiled; }
  std::string fitted() const { return folder + "/fitted"; }
  int threads() const { return pool->workers(); }

  /// Measures a split; the ids come from the cache folder where it has them.
  Result<SplitResult> evaluate(const std::string &split, const std::string &cache, const ConfidenceSpec &confidence);

  /// Records of the input become JSON objects, one a record and in order, handed to `line` as they are ready: its number from 1 as
  /// `row`, with the answer of the pipeline's head, or, of several heads, the answers by name; or with an `error` that says why there is
  /// none. `batch` bounds the records in memory. Ends early where `line` gives false (nobody reads on) or at Ctrl-C. A failure comes
  /// when all records before it are answered.
  Result<PredictSummary> predict(RecordInput input, std::int64_t batch, const std::function<bool(const std::string &)> &line);

private:
  TrainedRun() = default;
  /// The answers of one head to the records of a batch.
  Result<std::vector<std::string>> decode(const AnswerSpec *answer, const Learner *learner, const PenstockOutputInfo &output,
                                          const float *values, const Batch &batch) const;
  std::string folder;
  RunRecord held;
  std::vector<std::string> remarks;
  std::shared_ptr<PluginHost> plugins;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Program> compiled;
};

} // namespace penstock
