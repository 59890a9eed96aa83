// What `deploy` of a run expects of its artifact: measured by `penstock build`, and held.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/model.h"
#include "runtime/exec/run_folder.h"
#include "runtime/plugin/plugin_host.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

class Deployed {
public:
  /// Finds what must be measured, and that there are records for it: those of `data`, a file as the run reads its own, which may have
  /// `{split}` in its name and else stands for every split; with `data` "" those of the run, where they still are. `asRun`: the artifact
  /// computes in the precision of the run, whose results are taken then, unless there are other data.
  static Result<Deployed> plan(const RunRecord &record, const std::string &data, bool asRun);

  /// Whether `measureResults` has anything to do.
  bool wantsResults() const { return !splits.empty(); }
  /// Measures the results that are to be measured anew, with the model of the artifact, packed, and what is fitted.
  Status measureResults(const std::shared_ptr<const Model> &model, const FittedFolder &fitted, PluginHost &host);

  /// Measures the artifact `name` in the folder `out`, one executable where it is a `singleFile`, prints each expectation with its figure,
  /// and fails where one does not hold (expectFailed).
  Status hold(const std::string &out, const std::string &name, bool singleFile) const;

private:
  explicit Deployed(const RunConfig &config) : config(config) {}

  RunConfig config;                 // with the places of the data to measure on
  std::string records;              // the file whose records are answered to take times
  std::vector<std::string> splits;  // whose results are to be measured
  std::vector<SplitResult> results; // of the run, or measured
};

} // namespace penstock
