// A finished run, opened for evaluate and predict: needs nothing but its folder.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/evaluate.h"
#include "runtime/exec/run_folder.h"
#include "runtime/exec/session.h"
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

/// How `predict` writes answers (printers.h).
enum class AnswerFormat { json, csv };

class TrainedRun {
public:
  /// Compiles the program of a run again from what its record keeps, and gives its path.
  using Recompile = std::function<Result<std::string>(const RunRecord &record, PluginHost &host)>;

  /// Maps the program, loads and packs the weights, all of which must have the hashes of the run. `record` is that of the folder; whoever
  /// changes its configuration, `threads` included, gets the run so. A program that is damaged or missing is made anew by `recompile`,
  /// where that is given and makes the same. A run that has no weights yet, or whose tokenizer or head has another version now, is an error
  /// that says so.
  static Result<std::unique_ptr<TrainedRun>> open(const std::string &folder, RunRecord record,
                                                  const std::vector<std::string> &pluginFolders, const Recompile &recompile = {});

  /// What a person should know about this run: plugins that are not those it was made with, a program that was made anew.
  const std::vector<std::string> &warnings() const { return remarks; }

  const RunRecord &record() const { return held; }
  PluginHost &host() { return *plugins; }
  FittedFolder fitted() const { return {folder + "/fitted", held.fitted}; }
  int threads() const { return pool->workers(); }

  /// Measures a split; the ids come from the cache folder where it has them.
  Result<SplitResult> evaluate(const std::string &split, const std::string &cache, const ConfidenceSpec &confidence);

  /// Records of the input become lines, one a record and in order, handed to `line` as they are ready: its number from 1 as `row`, with
  /// the answer of the pipeline's head, or, of several heads, the answers by name; or with an `error` that says why there is none. CSV
  /// has a line of names before them. `batch` bounds the records in memory. Ends early where `line` gives false (nobody reads on) or at
  /// Ctrl-C. A failure comes when all records before it are answered.
  Result<PredictSummary> predict(RecordInput input, std::int64_t batch, AnswerFormat format,
                                 const std::function<bool(const std::string &)> &line);

private:
  TrainedRun() = default;
  Result<ProgramFile> programFile(const Recompile &recompile);
  std::string folder;
  RunRecord held;
  std::vector<std::string> remarks;
  std::shared_ptr<PluginHost> plugins;
  std::unique_ptr<ThreadPool> pool;
  std::shared_ptr<Model> model;
  std::unique_ptr<Session> session;
};

} // namespace penstock
