// A finished run, opened for evaluate and predict: needs nothing but its folder.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/evaluate.h"
#include "runtime/exec/predictor.h"
#include "runtime/exec/run_folder.h"
#include "runtime/exec/session.h"
#include "runtime/plugin/plugin_host.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

class TrainedRun {
public:
  /// Compiles the program of a run again from what its record keeps, and gives its path.
  using Recompile = std::function<Result<std::string>(const RunRecord &record, PluginHost &host)>;

  /// Whose code answers: that which the run brings, or that of this machine alone.
  enum class Code { ofRun, ofMachine };

  /// Maps the program, loads and packs the weights, all of which must have the hashes of the run. `record` is that of the folder; whoever
  /// changes its configuration, `threads` included, gets the run so. A program that is damaged or missing is made anew by `recompile`,
  /// where that is given and makes the same. With the code of this machine nothing of the run's is loaded: `recompile` makes the program,
  /// and the folders of plugins that the run names are left out. So it is for a device (`target.device`) that the run's program is not for,
  /// but for the plugins. A run that has no weights yet, or whose tokenizer or head has another
  /// version now, is an error that says so.
  static Result<std::unique_ptr<TrainedRun>> open(const std::string &folder, RunRecord record,
                                                  const std::vector<std::string> &pluginFolders, const Recompile &recompile = {},
                                                  Code code = Code::ofRun);

  /// What a person should know about this run: plugins that are not those it was made with, a program that was made anew.
  const std::vector<std::string> &warnings() const { return remarks; }

  const RunRecord &record() const { return held; }
  PluginHost &host() { return *plugins; }
  FittedFolder fitted() const { return {folder + "/fitted", held.fitted}; }
  int threads() const { return pool->workers(); }

  /// Measures a split; the ids come from the cache folder where it has them. The line says how far it is.
  Result<SplitResult> evaluate(const std::string &split, const std::string &cache, const ConfidenceSpec &confidence, StatusLine &line);
  /// Measures the whole of another file as that split; the result has the file's name.
  Result<SplitResult> evaluateFile(const std::string &file, const std::string &split, const std::string &cache,
                                   const ConfidenceSpec &confidence, StatusLine &line);

  /// Answers records (Predictor::predict).
  Status predict(PredictRequest request, PredictSummary &summary);

private:
  TrainedRun() = default;
  Status openModel(const Recompile &recompile, Code code);
  Result<SplitResult> measure(const RunConfig &config, const std::string &split, const std::string &cache, const ConfidenceSpec &confidence,
                              StatusLine &line);
  Result<ProgramFile> programFile(const Recompile &recompile);
  Result<ProgramFile> programOfMachine(const Recompile &recompile, bool moved);
  std::string folder;
  RunRecord held;
  std::vector<std::string> remarks;
  std::shared_ptr<PluginHost> plugins;
  std::unique_ptr<ThreadPool> pool;
  std::shared_ptr<Model> model;
  std::unique_ptr<Session> session;
};

} // namespace penstock
