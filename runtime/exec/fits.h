// What a run fits beside its weights, as one list (docs/design/fits.md): the trainer makes it, run.json keeps it, the report shows it.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/run_config.h"
#include "runtime/plugin/plugin_host.h"

#include <set>
#include <string>
#include <vector>

namespace penstock {

enum class FitTime {
  data,   // before step 0
  weights // when the kept weights are final, before the splits are measured
};
inline const char *nameOf(FitTime time) { return time == FitTime::data ? "data" : "weights"; }

struct Fit {
  std::string name; // of the feature, column or answer; "inputs": of all that the model reads
  std::string what; // "vocabulary", "classes", "statistics", "documents" (how many records have each id), "counts", "learner", "decision"
  FitTime time = FitTime::data;
  std::string by;    // the plugin; "" where none makes it
  std::string split; // whose records it sees; "" where it is taken from the run of `train.from`
  std::string file;  // below fitted/
};

/// All fits of a run, in the order in which they are made. One whose plugin this host does not have stands there: whoever makes it says so.
std::vector<Fit> fitsOf(const RunConfig &config, const PluginHost &host);

/// The files of the fits of that time.
std::set<std::string> filesOf(const std::vector<Fit> &fits, FitTime time);

/// Where the state of an answer's learner lies.
std::string learnerFile(const std::string &answer);

} // namespace penstock
