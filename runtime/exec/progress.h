// What a person sees while a run trains, on standard error: one line that changes on a terminal, lines every few seconds
// elsewhere, nothing with --quiet. NO_COLOR is honoured. Where nobody can read it any more, it falls silent and the run goes on.
#pragma once

#include "runtime/exec/metrics_log.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace penstock {

class Progress {
public:
  enum class Mode { quiet, lines, terminal };
  /// The mode that fits standard error.
  static Mode detect(bool quiet);

  Progress(Mode mode, std::int64_t totalSteps, std::int64_t stepsPerEpoch, std::int64_t firstStep);
  ~Progress();

  /// Costs nothing worth counting where nothing is due. `now`: monotonic nanoseconds.
  void step(std::int64_t step, std::span<const ObjectiveStep> objectives, std::int64_t tokens, std::int64_t now) {
    smoothed.resize(objectives.size());
    for (std::size_t i = 0; i < objectives.size(); ++i) {
      const auto loss = static_cast<double>(objectives[i].loss);
      Smoothed &mean = smoothed[i];
      mean = {objectives[i].name, seen == 0 ? loss : mean.loss + rate() * (loss - mean.loss)};
    }
    ++seen;
    pending += tokens;
    if (now >= due) {
      show(step, now);
    }
  }
  /// A line that stays, above the changing one.
  void note(const std::string &text);
  /// Ends the changing line.
  void finish();

private:
  double rate() const { return seen < 49 ? 1.0 / static_cast<double>(seen + 2) : 0.02; }
  void show(std::int64_t step, std::int64_t now);
  void say(const std::string &text);

  Mode mode;
  bool color = false, shown = false;
  std::int64_t total, perEpoch, first;
  std::int64_t start, last, due;
  std::int64_t pending = 0, seen = 0;
  struct Smoothed {
    std::string_view name; // of the objective
    double loss;
  };
  std::vector<Smoothed> smoothed;
  double speed = 0;
};

/// Resident memory of this process in bytes.
std::int64_t residentMemory();

} // namespace penstock
