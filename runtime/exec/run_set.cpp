#include "runtime/exec/run_set.h"

#include "runtime/base/fields_json.h"
#include "runtime/base/file.h"
#include "runtime/base/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

namespace penstock {

namespace {

std::string pathOf(const std::string &folder) { return folder + "/runs.json"; }

/// What runs are compared by.
struct Compared {
  std::string split, name;
};

Compared comparedBy(const RunRecord &run) {
  const std::string &kept = run.config.train.keepMetric;
  if (const std::size_t point = kept.find('.'); point != std::string::npos) {
    return {kept.substr(0, point), kept.substr(point + 1)};
  }
  const SplitResult *first = nullptr;
  for (const SplitResult &result : run.results) {
    if (result.split == "dev") {
      return {"dev", result.values.empty() ? "loss" : result.values.front().first};
    }
    first = first == nullptr && !result.values.empty() ? &result : first;
  }
  return first == nullptr ? Compared() : Compared{first->split, first->values.front().first};
}

} // namespace

bool isRunSet(const std::string &folder) {
  std::error_code error;
  return std::filesystem::exists(pathOf(folder), error);
}

Result<RunSet> readRunSet(const std::string &folder) {
  PENSTOCK_ASSIGN(const std::string text, readWholeFile(pathOf(folder)));
  const FieldJson json = FieldJson::parse(text, nullptr, false);
  PENSTOCK_ASSIGN(RunSet set, readJson<RunSet>(json, "`" + pathOf(folder) + "`"));
  for (const std::string &run : set.runs) {
    if (run.empty() || run.find('/') != std::string::npos || run == "..") {
      return environmentError("`" + pathOf(folder) + "` names a run that lies elsewhere");
    }
  }
  const bool known =
      set.answers.empty() || set.answers == set.refit || std::find(set.runs.begin(), set.runs.end(), set.answers) != set.runs.end();
  return known ? Result<RunSet>(std::move(set)) : environmentError("`" + pathOf(folder) + "` names a run that it does not list");
}

Status writeRunSet(const std::string &folder, const RunSet &set) {
  AtomicFile file(pathOf(folder));
  PENSTOCK_TRY(file.open(0644));
  PENSTOCK_TRY(file.write(jsonTextOf(set) + "\n"));
  return file.commit();
}

Result<std::string> answeringRun(const std::string &folder) {
  if (!isRunSet(folder)) {
    return folder;
  }
  PENSTOCK_ASSIGN(const RunSet set, readRunSet(folder));
  if (!set.answers.empty()) {
    return folder + "/" + set.answers;
  }
  const std::string shown = printable(folder);
  if (set.by == RunSet::By::folds && set.refit.empty()) {
    return usageError(
        fmt::format("`{}` holds a run for each fold, each trained without a part of the data, to be judged and not to answer; "
                    "train with `split(folds: {}, refit: true)` for one more run of all of them, or name one: `{}/{}`",
                    shown, set.runs.size(), shown, set.runs.empty() ? "" : set.runs.front()));
  }
  return usageError(
      fmt::format("`{}` holds {} runs that are not all finished, so none of them answers yet; go on with `penstock train ... --resume`",
                  shown, set.runs.size()));
}

Spread spreadOf(const std::vector<double> &values) {
  Spread spread;
  for (const double value : values) {
    spread.mean += std::isnan(value) ? 0 : value;
    spread.runs += std::isnan(value) ? 0 : 1;
  }
  spread.mean = spread.runs == 0 ? std::numeric_limits<double>::quiet_NaN() : spread.mean / static_cast<double>(spread.runs);
  double squares = 0;
  for (const double value : values) {
    squares += std::isnan(value) ? 0 : (value - spread.mean) * (value - spread.mean);
  }
  spread.deviation = spread.runs < 2 ? std::numeric_limits<double>::quiet_NaN() : std::sqrt(squares / static_cast<double>(spread.runs - 1));
  return spread;
}

SpreadTable spreadsOf(const std::vector<RunRecord> &runs) {
  std::map<std::string, std::map<std::string, std::vector<double>>> values;
  for (const RunRecord &run : runs) {
    for (const SplitResult &result : run.results) {
      if (result.hasLoss) {
        values[result.split]["loss"].push_back(result.loss);
      }
      for (const auto &[name, value] : result.values) {
        values[result.split][name].push_back(value);
      }
    }
  }
  SpreadTable table;
  for (const auto &[split, named] : values) {
    for (const auto &[name, list] : named) {
      table[split][name] = spreadOf(list);
    }
  }
  return table;
}

std::optional<double> valueOf(const RunRecord &run, const std::string &split, const std::string &name) {
  for (const SplitResult &result : run.results) {
    if (result.split != split) {
      continue;
    }
    for (const auto &[other, value] : result.values) {
      if (other == name) {
        return value;
      }
    }
    return name == "loss" && result.hasLoss ? std::optional(result.loss) : std::nullopt;
  }
  return std::nullopt;
}

std::size_t nearestToMedian(const std::vector<RunRecord> &runs) {
  if (runs.empty()) {
    return 0;
  }
  const Compared compared = comparedBy(runs.front());
  std::vector<double> values, sorted;
  for (const RunRecord &run : runs) {
    values.push_back(valueOf(run, compared.split, compared.name).value_or(std::numeric_limits<double>::quiet_NaN()));
    if (!std::isnan(values.back())) {
      sorted.push_back(values.back());
    }
  }
  if (sorted.empty()) {
    return 0;
  }
  std::sort(sorted.begin(), sorted.end());
  const double median = (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
  std::size_t best = 0;
  double distance = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::abs(values[i] - median) < distance) { // false of NaN
      distance = std::abs(values[i] - median);
      best = i;
    }
  }
  return best;
}

} // namespace penstock
