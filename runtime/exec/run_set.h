// Several runs of one pipeline, which differ in their seed or in the fold that is dev: a folder with runs.json and a run folder each.
#pragma once

#include "runtime/base/fields.h"
#include "runtime/base/status.h"
#include "runtime/exec/run_folder.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

/// The content of runs.json. It is written before the first run begins, and again when one is known to answer.
struct RunSet {
  enum class By { seeds, folds };
  friend constexpr auto wordsOf(By) { return std::array{"seeds", "folds"}; }

  By by = By::seeds;
  std::vector<std::string> runs; // names of their folders, in their order
  std::string refit;             // of folds: the run of all of them; ""
  std::string answers;           // the run that `predict` opens; "": none, or not known yet

  static constexpr auto fields() {
    return std::tuple(field("by", &RunSet::by, Role::place), field("runs", &RunSet::runs, Role::place),
                      field("refit", &RunSet::refit, Role::place), field("answers", &RunSet::answers, Role::place));
  }
  friend bool operator==(const RunSet &, const RunSet &) = default;
};

/// Whether `folder` is one of several runs.
bool isRunSet(const std::string &folder);
Result<RunSet> readRunSet(const std::string &folder);
Status writeRunSet(const std::string &folder, const RunSet &set);

/// The folder of the run that answers for `folder`: itself where it is a run, of several the one that was chosen. An error says why there
/// is none.
Result<std::string> answeringRun(const std::string &folder);

/// A value of several runs.
struct Spread {
  std::int64_t runs = 0; // that have it
  double mean = 0;
  double deviation = 0; // of the sample, by n - 1; NaN of one run
};
Spread spreadOf(const std::vector<double> &values);

/// By split and by name of the value; the loss is called `loss`.
using SpreadTable = std::map<std::string, std::map<std::string, Spread>>;
SpreadTable spreadsOf(const std::vector<RunRecord> &runs);

/// A value of a split, `loss` its loss; nothing where the run has none.
std::optional<double> valueOf(const RunRecord &run, const std::string &split, const std::string &name);

/// The place of the run whose value is nearest to the median, the first of equals. What is compared is what `keep` compares, else the
/// first value of dev, else its loss, else the first value of any split; without any of them the first run.
std::size_t nearestToMedian(const std::vector<RunRecord> &runs);

} // namespace penstock
