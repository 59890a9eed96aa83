// The losses that a run has logged, as curves: for the report, and to tell whether training moved them.
#pragma once

#include "runtime/base/status.h"

#include <string>
#include <vector>

namespace penstock {

struct LossPoint {
  double step, value;
};

struct LossCurves {
  std::vector<LossPoint> train, dev; // of train the means of at most 400 stretches of steps
};

/// Those that `log`, a metrics.jsonl, calls `names`, one a name.
Result<std::vector<LossCurves>> readLossCurves(const std::string &log, const std::vector<std::string> &names);

/// What a person should know of a loss that training has not brought down, as a sentence; "" is nothing. Fewer than 30 points say nothing,
/// and a line through them that falls by less than their noise is none that falls.
std::string standstillOf(const LossCurves &curves);

} // namespace penstock
