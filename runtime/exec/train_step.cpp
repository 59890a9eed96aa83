#include "runtime/exec/train_step.h"

#include "runtime/base/program_rows.h"
#include "runtime/exec/run_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace penstock {

// A device may be so many steps behind; the host is never.
static constexpr std::size_t stepsBehind = 3;

Result<std::unique_ptr<TrainStep>> TrainStep::open(TrainingSession &session, const TrainSpec &train, std::int64_t totalSteps,
                                                   std::int64_t mostParts, Ranks &ranks) {
  std::unique_ptr<TrainStep> step(new TrainStep(session, train, totalSteps, ranks));
  PENSTOCK_TRY(step->findMovers(mostParts));
  return step;
}

Status TrainStep::findMovers(std::int64_t parts) {
  const Model &model = session.model();
  const PenstockProgram &program = model.table();
  const bool inParts = train.accumulate > 1;
  for (const ObjectiveSpec &spec : train.objectives) {
    const int number = static_cast<int>(movers.size());
    Mover &mover = movers.emplace_back();
    mover.spec = &spec;
    for (const auto &[entry, name] : {std::pair(&mover.weigh, "weights"), std::pair(&mover.gradient, "gradient"),
                                      std::pair(&mover.apply, "apply"), std::pair(&mover.trainStep, "train_step")}) {
      if (inParts != (entry == &mover.trainStep)) {
        *entry = model.entry(name, number);
        if (*entry < 0) {
          return internalError(fmt::format("the compiled program has no `{}` of objective {}; please report this", name, number));
        }
      }
    }
    const PenstockEntry &table = entriesOf(program)[inParts ? mover.gradient : mover.trainStep];
    mover.lossOutput = Model::output(table, "loss");
    if (mover.lossOutput < 0) {
      return internalError(fmt::format("the compiled `{}` has no output `loss`; please report this", table.name));
    }
    if (inParts) {
      const auto losses = lossesOf(program);
      mover.weightSums.resize(static_cast<std::size_t>(
          std::count_if(losses.begin(), losses.end(), [&](const PenstockLossInfo &loss) { return loss.objective == number; })));
      mover.weights.resize(mover.weightSums.size());
      mover.weightOutputs.resize(static_cast<std::size_t>(std::max<std::int64_t>(parts, 1)));
    }
  }
  mostParts = static_cast<std::size_t>(std::max<std::int64_t>(parts, 1));
  steps.resize(model.device().isHost() ? 1 : stepsBehind);
  for (Pending &pending : steps) {
    pending.result.objectives.resize(movers.size());
    pending.outputs.resize(movers.size() * mostParts);
  }
  return {};
}

void TrainStep::reserve(std::int64_t records, std::int64_t rows) {
  for (const Mover &mover : movers) {
    (void)session.reserve(std::max(mover.trainStep, mover.gradient), records, rows);
  }
}

// Of each loss the weight of all parts: by it each part divides its sum of items.
Status TrainStep::weighParts(Mover &mover, std::span<const Batch *const> parts, Session::Step step) {
  std::fill(mover.weightSums.begin(), mover.weightSums.end(), 0.0);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    step.batch = &parts[p]->view;
    PENSTOCK_TRY(session.submit(mover.weigh, step, &mover.weightOutputs[p]).status());
  }
  PENSTOCK_TRY(session.drain());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (std::size_t i = 0; i < mover.weightSums.size(); ++i) {
      mover.weightSums[i] += static_cast<double>(mover.weightOutputs[p].values(static_cast<int>(i))[0]);
    }
  }
  PENSTOCK_TRY(ranks.addWeights(mover.weightSums));
  for (std::size_t i = 0; i < mover.weightSums.size(); ++i) {
    mover.weights[i] = std::max(static_cast<float>(mover.weightSums[i]), std::numeric_limits<float>::min()); // without items 0, not 0 / 0
  }
  return {};
}

// The gradient of a step, part by part, is that of one batch of all of them. Dropout's masks are keyed by step and record, so they are
// those of the one batch, too.
Status TrainStep::submit(std::int64_t number, std::span<const Batch *const> parts) {
  Pending &pending = steps[next];
  pending.result.step = number;
  pending.result.tokens = 0;
  for (const Batch *part : parts) {
    pending.result.tokens += part->tokens;
  }
  pending.parts = parts.size();
  for (std::size_t i = 0; i < movers.size(); ++i) {
    Mover &mover = movers[i];
    Session::Step step;
    step.seed = train.seed;
    step.number = static_cast<std::uint64_t>(number);
    step.learningRate = learningRate(mover.spec->schedule, mover.spec->optimizer.lr, number, total);
    pending.result.objectives[i] = {mover.spec->name, 0, step.learningRate};
    const bool inParts = mover.trainStep < 0;
    if (inParts) {
      PENSTOCK_TRY(weighParts(mover, parts, step));
      step.weights = mover.weights;
    }
    for (std::size_t p = 0; p < parts.size(); ++p) {
      step.batch = &parts[p]->view;
      PENSTOCK_ASSIGN(pending.ticket,
                      session.submit(inParts ? mover.gradient : mover.trainStep, step, &pending.outputs[i * mostParts + p]));
      ++step.part;
    }
    if (inParts) {
      step.batch = nullptr;
      step.weights = {};
      PENSTOCK_ASSIGN(pending.ticket, session.submit(mover.apply, step));
    }
  }
  next = (next + 1) % steps.size();
  ++behind;
  return {};
}

Result<const StepResult *> TrainStep::collect(bool wait) {
  if (behind == 0) {
    return nullptr;
  }
  Pending &pending = steps[(next + steps.size() - behind) % steps.size()];
  if (!wait && !session.done(pending.ticket)) {
    return nullptr;
  }
  PENSTOCK_TRY(session.wait(pending.ticket));
  for (std::size_t i = 0; i < movers.size(); ++i) {
    double loss = 0;
    for (std::size_t p = 0; p < pending.parts; ++p) {
      loss += static_cast<double>(pending.outputs[i * mostParts + p].values(movers[i].lossOutput)[0]);
    }
    pending.result.objectives[i].loss = static_cast<float>(loss);
  }
  --behind;
  return &pending.result;
}

} // namespace penstock
