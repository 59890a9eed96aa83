// What a person sees while a run trains: epoch, step, loss, speed, the time left, memory.
#pragma once

#include "runtime/exec/metrics_log.h"
#include "runtime/exec/status_line.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace penstock {

class Progress {
public:
  using Mode = StatusLine::Mode;
  /// The mode that fits standard error.
  static Mode detect(bool quiet) { return StatusLine::detect(quiet); }

  Progress(Mode mode, std::int64_t totalSteps, std::int64_t stepsPerEpoch, std::int64_t firstStep);

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
    if (line.due(now)) {
      show(step, now);
    }
  }
  /// For what stands beside steps.
  StatusLine &status() { return line; }

private:
  double rate() const { return seen < 49 ? 1.0 / static_cast<double>(seen + 2) : 0.02; }
  void show(std::int64_t step, std::int64_t now);

  StatusLine line;
  std::int64_t total, perEpoch, first;
  std::int64_t start, last;
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
