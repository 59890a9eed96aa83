// metrics.jsonl: one line a logged step, one an evaluation.
//
//   {"step":12,"epoch":0.107,"loss":0.6931,"learning_rate":0.001,"tokens_per_second":283911}
//   {"step":112,"epoch":1,"split":"dev","loss":0.41,"metrics":{"f1_macro":0.94}}
//
// Of several objectives each has its columns, "critic.loss" and "critic.learning_rate"; an evaluation has their losses among the metrics.
// `step` counts the steps done. A line is formatted into memory; the file is written about every 0.2 s and at `flush`.
#pragma once

#include "runtime/base/status.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

/// Where a result lies with the level of confidence that was asked for.
struct Interval {
  std::string name;
  double low = 0, high = 0;
};

/// What an evaluation of one split gave.
struct SplitResult {
  std::string split;
  std::int64_t records = 0;
  double loss = 0;
  bool hasLoss = false;
  std::vector<std::pair<std::string, double>> values;
  std::vector<std::string> texts;    // reports for people
  std::vector<std::string> warnings; // sentences: the classes of the split that train lacks
  std::vector<Interval> intervals;   // of those values that have one; empty where none were asked for

  const Interval *intervalOf(const std::string &name) const;
  /// "0.9612", or "0.9612 [0.9401, 0.9789]" where the value has an interval.
  std::string shown(const std::string &name, double value) const;
  /// The value of that name, "loss" among them; NULL where there is none.
  const double *find(const std::string &metric) const;
};

/// A JSON object of names and numbers; what is not finite becomes null.
std::string valuesToJson(const std::vector<std::pair<std::string, double>> &values);

/// What a step gave of one objective.
struct ObjectiveStep {
  std::string_view name; // "" of the only one
  float loss = 0, learningRate = 0;
};

class MetricsLog {
public:
  /// Opens the file and keeps of it what a state with `steps` steps done and the last evaluation at step `evaluated` (-1: none) has behind
  /// it. What comes later, the end of a run and a torn last line go: they will be written again.
  static Result<std::unique_ptr<MetricsLog>> open(const std::string &path, std::int64_t steps, std::int64_t evaluated);
  ~MetricsLog();
  MetricsLog(const MetricsLog &) = delete;
  MetricsLog &operator=(const MetricsLog &) = delete;

  /// Costs below 3 us and no allocation; `now` is a monotonic time in nanoseconds.
  Status step(std::int64_t step, double epoch, std::span<const ObjectiveStep> objectives, double tokensPerSecond, std::int64_t now);
  /// `final`: measured on the weights that the run keeps, after the last step.
  Status evaluation(std::int64_t step, double epoch, const SplitResult &result, bool final);
  Status flush();
  /// flush and fsync: before a checkpoint says that these steps are done.
  Status sync();

private:
  MetricsLog() = default;
  std::string path;
  int descriptor = -1;
  std::string held;
  std::int64_t lastFlush = 0;
};

} // namespace penstock
