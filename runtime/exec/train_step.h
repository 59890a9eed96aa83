// The step of a training: every objective in its order, each with the weights as they then are.
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/metrics_log.h"
#include "runtime/exec/ranks.h"
#include "runtime/exec/session.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace penstock {

/// What a step gave.
struct StepResult {
  std::int64_t step = 0; // from 0
  std::vector<ObjectiveStep> objectives;
  std::int64_t tokens = 0;
};

/// Steps are enqueued, and their losses fetched when they are there: a device may be some steps behind.
class TrainStep {
public:
  /// Session, pipeline and ranks outlive it.
  static Result<std::unique_ptr<TrainStep>> open(TrainingSession &session, const TrainSpec &train, std::int64_t totalSteps,
                                                 std::int64_t mostParts, Ranks &ranks);

  /// Waits for the steps that are behind.
  ~TrainStep() { (void)session.drain(); }

  /// Grows the memory for steps of up to so many records, and rows of an axis, a part. Where that much cannot be had, steps grow it.
  void reserve(std::int64_t records, std::int64_t rows);
  /// Enqueues a step. The parts may change when it returns.
  Status submit(std::int64_t step, std::span<const Batch *const> parts);
  /// As many steps are behind as may be: the next `submit` needs a `collect` before it.
  bool full() const { return behind == steps.size(); }
  /// The result of the earliest step that is behind, where it is there; with `wait`, it is waited for. NULL: there is none. It holds until
  /// the next `submit`.
  Result<const StepResult *> collect(bool wait);

private:
  /// The entries of one objective.
  struct Mover {
    const ObjectiveSpec *spec = nullptr;
    int trainStep = -1;                        // of a step in one part; or
    int weigh = -1, gradient = -1, apply = -1; // of one in parts
    int lossOutput = -1;                       // of train_step or gradient
    std::vector<OutputBuffers> weightOutputs;  // of each part
    std::vector<double> weightSums;            // of all of them, one a loss
    std::vector<float> weights;
  };
  /// A step that is behind.
  struct Pending {
    StepResult result;
    std::vector<OutputBuffers> outputs; // objective by objective, one a part
    std::size_t parts = 0;
    Ticket ticket = 0;
  };
  TrainStep(TrainingSession &session, const TrainSpec &train, std::int64_t total, Ranks &ranks)
      : session(session), train(train), total(total), ranks(ranks) {}
  Status findMovers(std::int64_t mostParts);
  Status weighParts(Mover &mover, std::span<const Batch *const> parts, Session::Step step);

  TrainingSession &session;
  const TrainSpec &train;
  std::int64_t total;
  Ranks &ranks;
  std::vector<Mover> movers;
  std::size_t mostParts = 1;
  std::vector<Pending> steps; // a ring
  std::size_t next = 0, behind = 0;
};

} // namespace penstock
