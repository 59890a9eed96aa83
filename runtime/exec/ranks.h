// How the processes that train one model together talk. Parts of steps are numbered over all of them (docs/design/program_abi.md).
#pragma once

#include "runtime/base/status.h"

#include <span>

namespace penstock {

class Ranks {
public:
  virtual ~Ranks() = default;
  /// Whether this process writes checkpoints and the run's files.
  virtual bool writes() const = 0;
  /// Adds up, over all ranks, the weights of a step's losses: before the first gradient of the step.
  virtual Status addWeights(std::span<double> weights) = 0;
};

/// One process has nobody to talk to.
class OneRank final : public Ranks {
public:
  bool writes() const override { return true; }
  Status addWeights(std::span<double>) override { return {}; }
};

} // namespace penstock
