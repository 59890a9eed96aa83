// Who listens to a training: the log, the line on the terminal, the report; trackers come here, too.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/metrics_log.h"
#include "runtime/exec/progress.h"
#include "runtime/exec/run_folder.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace penstock {

/// A step that is done, with its losses.
struct StepReport {
  std::int64_t step = 0; // steps done, this one among them
  double epoch = 0;
  bool last = false; // of the run
  std::span<const ObjectiveStep> objectives;
  std::int64_t tokens = 0;
  std::int64_t now = 0; // monotonic nanoseconds
};

/// A split that was measured.
struct EvaluationReport {
  std::int64_t step = 0; // steps done
  double epoch = 0;
  const SplitResult &result;
  bool kept = false; // of the weights that the run keeps, after the last step
  bool best = false; // the best so far, of those that decide what is kept
};

class TrainListener {
public:
  virtual ~TrainListener() = default;
  /// Steps come in their order. Costs next to nothing, and allocates nothing.
  virtual Status step(const StepReport &) { return {}; }
  virtual Status evaluation(const EvaluationReport &) { return {}; }
  /// A sentence for a person.
  virtual void note(const std::string &) {}
  /// What is wrong, in a sentence without "warning": told with --quiet, too.
  virtual void warning(const std::string &) {}
  /// Beside the steps, what takes its time now: `done` of `total` records. Told often.
  virtual void activity(const std::string &, std::int64_t /*done*/, std::int64_t /*total*/) {}
  /// What was told so far is durable when it returns: a checkpoint that says it was done comes next.
  virtual Status sync() { return {}; }
  /// The run is whole, and run.json says so.
  virtual Status finished(const RunRecord &) { return {}; }
  /// Nothing more will be told, for whatever reason.
  virtual void end() {}
};

/// Tells all of them, in the order in which they were added.
class Listeners final : public TrainListener {
public:
  void add(std::unique_ptr<TrainListener> listener) { all.push_back(std::move(listener)); }

  Status step(const StepReport &report) override;
  Status evaluation(const EvaluationReport &report) override;
  void note(const std::string &text) override;
  void warning(const std::string &text) override;
  void activity(const std::string &what, std::int64_t done, std::int64_t total) override;
  Status sync() override;
  Status finished(const RunRecord &record) override;
  void end() override;

private:
  std::vector<std::unique_ptr<TrainListener>> all;
};

/// Writes metrics.jsonl: a line every `every` steps, and one an evaluation. Begins now to measure the speed.
std::unique_ptr<TrainListener> listenForLog(std::unique_ptr<MetricsLog> log, std::int64_t every);
/// Shows the line on the terminal.
std::unique_ptr<TrainListener> listenForProgress(std::unique_ptr<Progress> progress);
/// Writes report.html into the run folder at the end.
std::unique_ptr<TrainListener> listenForReport(std::string folder);

} // namespace penstock
