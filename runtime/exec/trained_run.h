// A finished run, opened for evaluate and predict: needs nothing but its folder.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/evaluate.h"
#include "runtime/exec/program.h"
#include "runtime/exec/run_folder.h"
#include "runtime/plugin/plugin_host.h"

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

class TrainedRun {
public:
  /// Reads run.json, maps the program (whose hash must be the run's), loads and packs the weights. `threads` as
  /// ThreadPool::create takes it. A folder that is not a run, or a run that has no weights yet, is an error that says so.
  static Result<std::unique_ptr<TrainedRun>> open(const std::string &folder,
                                                  const std::vector<std::string> &pluginFolders, int threads);

  const RunRecord &record() const { return held; }
  PluginHost &host() { return *plugins; }
  Program &program() { return *compiled; }
  std::string fitted() const { return folder + "/fitted"; }
  int threads() const { return pool->workers(); }

  /// Measures a split; the ids come from the cache folder where it has them.
  Result<SplitResult> evaluate(const std::string &split, const std::string &cache, const ConfidenceSpec &confidence);

  /// Records of the input become JSON objects, one a record and in order, handed to `line` as they are ready: the answer of
  /// the pipeline's head, or, of several heads, an object of answers by name. `format`: "lines", "csv", "jsonl"; `batch`
  /// bounds the records in memory. Ends early where `line` gives false (nobody reads on) or at Ctrl-C.
  Status predict(std::istream &input, const std::string &inputName, const std::string &format, std::int64_t batch,
                 const std::function<bool(const std::string &)> &line);

private:
  TrainedRun() = default;
  std::string folder;
  RunRecord held;
  std::shared_ptr<PluginHost> plugins;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Program> compiled;
};

} // namespace penstock
