#include "runtime/exec/trainer.h"

#include "runtime/base/checked.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/program_rows.h"
#include "runtime/exec/batch_feed.h"
#include "runtime/exec/checkpoint.h"
#include "runtime/exec/decisions.h"
#include "runtime/exec/fitted_tensors.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/learners.h"
#include "runtime/exec/listeners.h"
#include "runtime/exec/loss_curves.h"
#include "runtime/exec/pretrained.h"
#include "runtime/exec/profile.h"
#include "runtime/exec/ranks.h"
#include "runtime/exec/run_opening.h"
#include "runtime/exec/session.h"
#include "runtime/exec/train_step.h"
#include "runtime/exec/vectors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <set>

namespace penstock {

namespace {

// A checkpoint at the end of an epoch waits until those before cost less than this share of the time.
constexpr double checkpointShare = 0.05;

// A test preloads a library with this function to learn which calls fall into a step (docs/design/runtime.md).
using StepProbe = void (*)(std::int64_t step, int begin);

/// The order of things: from weights to steps, evaluations, checkpoints and the end of the run.
class Trainer {
public:
  Trainer(const TrainRequest &request, PluginHost &host) : request(request), host(host), config(request.config) {}

  Result<TrainOutcome> run() {
    const Status status = runAll();
    listeners.end();
    if (!status.ok()) {
      if (savedStep >= 0 && status.code() != ErrorCode::interrupted) {
        return Status(status.code(), status.message() + fmt::format("\nthe checkpoint of step {} in `{}` is good", savedStep, request.out));
      }
      return status;
    }
    outcome.record = std::move(opened.record);
    outcome.notes = std::move(opened.notes);
    return std::move(outcome);
  }

private:
  Status runAll() {
    PENSTOCK_TRY(openRun(request, host, opened));
    ended = opened.folder->continues() && opened.record.finished && config.trains() &&
            !CheckpointStore(opened.folder->file("checkpoints")).any();
    PENSTOCK_TRY(planSteps());
    PENSTOCK_TRY(restore());
    PENSTOCK_ASSIGN(session, TrainingSession::open(opened.model, *opened.pool));
    if (config.trains() && !ended) {
      PENSTOCK_TRY(request.profile ? profiledLoop() : loop());
    }
    return finish();
  }

  Status planSteps();
  Status restore();
  Status takeWeights();
  Status takeEnd();
  Status loop();
  Status profiledLoop();
  Status finish();
  Status collect(bool all);
  Status complete();
  Status tellStep(const StepResult &result);
  Status fitLast();
  Status tellNotices();
  Status tellStandstill();
  Status validate();
  Result<bool> judge(const SplitResult &result);
  Status saveCheckpoint(std::int64_t now);
  Status stopForInterrupt();
  Result<SplitResult> measure(const std::string &split, const ConfidenceSpec &confidence = {});
  bool dueAt(std::int64_t step) const { return validationInterval > 0 && (step % validationInterval == 0 || step == total()); }
  std::int64_t total() const { return feed->totalSteps(); }
  /// No evaluation was better for as long as the run may wait for one.
  bool stopped() const { return config.train.patience > 0 && state.waited >= config.train.patience; }

  const TrainRequest &request;
  PluginHost &host;
  const RunConfig &config;
  TrainOutcome outcome;
  OpenedRun opened;
  bool ended = false;   // the run was whole and its checkpoints are gone: what follows the last step is done again
  bool learned = false; // opened.fitted has the states of learners
  Listeners listeners;
  OneRank ranks;
  std::unique_ptr<CheckpointStore> checkpoints;
  std::optional<BatchFeed> feed;
  std::unique_ptr<TrainingSession> session;
  std::unique_ptr<TrainStep> step;

  std::int64_t validationInterval = 0;
  TrainState state;
  std::optional<HostTensors> best; // parameters of the best step, where they are not yet in a file
  std::int64_t savedStep = -1;     // step of the newest checkpoint
  std::int64_t savedAt = 0;        // time of it
  std::int64_t saveCost = 0;       // nanoseconds it took
  std::int64_t began = 0;          // time at which this process began to train
  double secondsBefore = 0;        // of the processes before
  std::optional<SplitResult> lastDev;
};

Status Trainer::planSteps() {
  PENSTOCK_ASSIGN(feed, BatchFeed::plan(opened.train, config));
  if (opened.splits.contains("dev")) {
    validationInterval = config.train.validateSteps;
    if (validationInterval <= 0 && config.train.validateEpochs > 0) {
      validationInterval =
          std::max<std::int64_t>(1, std::llround(config.train.validateEpochs * static_cast<double>(feed->stepsPerEpoch())));
    }
  }
  opened.record.stepsPerEpoch = feed->stepsPerEpoch();
  opened.record.totalSteps = ended ? opened.record.totalSteps : total();
  return {};
}

Status Trainer::restore() {
  std::set<std::string> given;
  for (const PretrainedSpec &weight : config.pretrained) {
    if (!weight.folder.empty()) {
      given.insert(weight.parameter);
    }
  }
  Model &model = *opened.model;
  RunFolder &folder = *opened.folder;
  checkpoints = std::make_unique<CheckpointStore>(folder.file("checkpoints"));
  PENSTOCK_TRY(model.initialize(config.train.seed, *opened.pool, given));
  PENSTOCK_TRY(fillFittedTensors(model, config.fittedTensors, opened.fitted));
  state.seed = config.train.seed;
  state.pipelineHash = config.hash();
  state.dataHash = opened.facts.hash;
  PENSTOCK_ASSIGN(std::optional<CheckpointStore::Loaded> loaded, checkpoints->load(model));
  if (loaded) {
    outcome.warnings = std::move(loaded->skipped);
    state = std::move(loaded->state);
    if (state.step > total()) {
      return environmentError(fmt::format("the checkpoint in `{}` is of step {}, but this run has {} step{}", request.out, state.step,
                                          total(), total() == 1 ? "" : "s"));
    }
    outcome.resumedAt = state.step;
    savedStep = state.step;
  } else if (ended) {
    PENSTOCK_TRY(takeEnd());
  } else {
    PENSTOCK_TRY(loadPretrained(model, *opened.pool, config.pretrained));
    PENSTOCK_TRY(loadVectors(model, config.vectors, opened.train, host, opened.notes));
    if (!config.train.from.empty()) {
      PENSTOCK_TRY(takeWeights());
    }
    if (!folder.continues()) {
      PENSTOCK_TRY(writeRunRecord(folder.path(), opened.record));
    }
  }
  secondsBefore = state.seconds;
  PENSTOCK_ASSIGN(std::unique_ptr<MetricsLog> log, MetricsLog::open(folder.file("metrics.jsonl"), state.step, state.lastValidated));
  listeners.add(listenForLog(std::move(log), config.train.logEvery));
  listeners.add(listenForProgress(std::make_unique<Progress>(request.progress, total(), feed->stepsPerEpoch(), state.step)));
  listeners.add(listenForReport(folder.path()));
  for (const std::string &note : opened.notes) {
    listeners.note(note);
  }
  for (const std::string &warning : outcome.warnings) {
    listeners.warning("a checkpoint was not used: " + warning);
  }
  if (ended) {
    listeners.note("the run is finished; it is measured again");
  } else if (outcome.resumedAt >= 0) {
    listeners.note(fmt::format("continuing at step {} of {}", state.step, total()));
  }
  return {};
}

/// The weights of a finished run, which no step changes any more.
Status Trainer::takeEnd() {
  const RunRecord &record = opened.record;
  const Result<std::shared_ptr<const SafetensorsFile>> file =
      SafetensorsFile::open(opened.folder->file("model.safetensors"), record.weightsHash);
  if (!file.ok()) {
    return Status(file.status().code(), file.status().message() +
                                            "; the run is finished and its checkpoints are gone (`--keep-checkpoints` "
                                            "keeps them), so train again into another folder");
  }
  PENSTOCK_TRY(opened.model->load(TensorClass::parameter, **file));
  state.step = record.totalSteps;
  state.seconds = record.seconds;
  state.lastValidated = validationInterval > 0 ? state.step : -1; // the last step is always measured
  outcome.resumedAt = state.step;
  return {};
}

/// With new classes behind the old ones a weight has more columns, or rows: what it had stays where it was, the rest as it begins in any
/// run. False where it is not that. `more`: by how many classes answers have grown.
bool copyGrown(const TensorView &from, const TensorView &to, const std::set<std::int64_t> &more, float *values) {
  const std::size_t rank = from.shape.size();
  const auto grows = [&](std::int64_t before, std::int64_t now) { return now == before || more.contains(now - before); };
  if (rank != to.shape.size() || rank < 1 || rank > 2 || !std::equal(from.shape.begin(), from.shape.end(), to.shape.begin(), grows)) {
    return false;
  }
  const std::int64_t rows = rank == 1 ? 1 : from.shape[0], width = from.shape.back(), wide = to.shape.back();
  for (std::int64_t row = 0; row < rows; ++row) {
    std::memcpy(values + row * wide, from.data + row * width, static_cast<std::size_t>(width) * sizeof(float));
  }
  return true;
}

// The weights of an earlier run, by name. What it lacks begins as in any run; what has another shape is a mistake.
Status Trainer::takeWeights() {
  const std::string &from = config.train.from;
  std::set<std::int64_t> more; // classes
  std::shared_ptr<const SafetensorsFile> file;
  if (request.earlier) {
    file = request.earlier->weights;
  } else {
    PENSTOCK_ASSIGN(const RunRecord earlier, readRunRecord(from));
    if (!earlier.finished) {
      return environmentError("the run in `" + from + "` has not ended, so it has no weights to begin from; continue it with `--resume`");
    }
    PENSTOCK_ASSIGN(file, SafetensorsFile::open(from + "/model.safetensors", earlier.weightsHash));
    for (const AnswerSpec &answer : config.train.grow ? config.answers : std::vector<AnswerSpec>()) {
      const auto now = static_cast<std::int64_t>(opened.record.config.classesOf(answer).size());
      const auto before = static_cast<std::int64_t>(earlier.config.classesOf(answer).size());
      if (before > 0 && now > before) {
        more.insert(now - before);
      }
    }
  }
  PENSTOCK_ASSIGN(const HostTensors weights, opened.model->fetch(TensorClass::parameter));
  std::string fresh, grown;
  std::int64_t taken = 0;
  for (const TensorView &mine : weights.views()) {
    const TensorView *found = file->find(mine.name);
    if (found == nullptr) {
      fresh += (fresh.empty() ? "`" : ", `") + mine.name + "`";
      continue;
    }
    if (found->shape != mine.shape && copyGrown(*found, mine, more, weights.of(mine))) {
      grown += fmt::format("{}`{}` from {} to {}", grown.empty() ? "" : ", ", mine.name, fmt::join(found->shape, " x "),
                           fmt::join(mine.shape, " x "));
      ++taken;
      continue;
    }
    if (found->shape != mine.shape) {
      return invalidInput(fmt::format("`{}` is {} in the run `{}` and {} in this model; weights of one name have one shape, so make "
                                      "the model as it was there, or bind what differs to another name",
                                      mine.name, fmt::join(found->shape, " x "), from, fmt::join(mine.shape, " x ")));
    }
    std::memcpy(weights.of(mine), found->data, static_cast<std::size_t>(mine.elements) * sizeof(float));
    ++taken;
  }
  if (taken == 0) {
    return invalidInput("no weight of the run `" + from + "` has the name of one of this model, so there is nothing to begin from");
  }
  opened.notes.push_back(fmt::format("began with {} weights of `{}`{}{}{}{}", taken, from, fresh.empty() ? "" : "; new: ", fresh,
                                     grown.empty() ? "" : "; grown: ", grown));
  return opened.model->store(weights);
}

Result<SplitResult> Trainer::measure(const std::string &split, const ConfidenceSpec &confidence) {
  const std::shared_ptr<const Dataset> &dataset = opened.splits.at(split);
  const std::string what = "measuring " + split;
  return evaluateSplit(*session, dataset, config, host, split, confidence, 64, learned ? &opened.fitted : nullptr,
                       [&](std::int64_t done) { listeners.activity(what, done, dataset->records()); });
}

Status Trainer::validate() {
  PENSTOCK_TRY(complete());
  PENSTOCK_ASSIGN(SplitResult result, measure("dev"));
  PENSTOCK_ASSIGN(const bool better, judge(result));
  state.lastValidated = state.step;
  PENSTOCK_TRY(listeners.evaluation({state.step, feed->epochOf(state.step), result, false, better}));
  lastDev = std::move(result);
  return {};
}

/// Whether these weights are the best so far, which are kept then.
Result<bool> Trainer::judge(const SplitResult &result) {
  const std::string &keep = config.train.keepMetric;
  if (keep.empty()) {
    return false;
  }
  const std::string metric = keep.starts_with("dev.") ? keep.substr(4) : keep;
  const double *value = result.find(metric);
  if (value == nullptr) {
    return invalidInput("`train.keep` asks for the best `" + keep +
                        "`, but the evaluation on dev gives no such value; "
                        "add the metric to `evaluate { dev: [...] }`");
  }
  ++state.waited;
  const bool better = state.bestStep < 0 || (config.train.keepHigher ? *value > state.bestValue : *value < state.bestValue);
  if (!std::isfinite(*value) || !better) {
    return false;
  }
  state.waited = 0;
  state.bestStep = state.step;
  state.bestValue = *value;
  state.bestFile.clear();
  PENSTOCK_ASSIGN(const HostTensors now, opened.model->fetch(TensorClass::parameter));
  PENSTOCK_ASSIGN(best, now.copy());
  return true;
}

Status Trainer::saveCheckpoint(std::int64_t now) {
  if (savedStep == state.step) {
    return {};
  }
  PENSTOCK_TRY(complete());
  state.seconds = secondsBefore + static_cast<double>(now - began) * 1e-9;
  PENSTOCK_TRY(listeners.sync());
  if (ranks.writes()) {
    if (state.bestStep >= 0 && state.bestFile.empty()) {
      PENSTOCK_TRY(checkpoints->saveBest(best->views(), state));
      best.reset();
    }
    PENSTOCK_TRY(checkpoints->save(*opened.model, state));
  }
  savedStep = state.step;
  savedAt = monotonicNow();
  saveCost = savedAt - now;
  return {};
}

Status Trainer::stopForInterrupt() {
  PENSTOCK_TRY(saveCheckpoint(monotonicNow()));
  return {ErrorCode::interrupted,
          fmt::format("interrupted at step {} of {}, which is saved; continue with\n  {}", state.step, total(), request.resumeCommand)};
}

Status Trainer::tellStep(const StepResult &result) {
  const std::int64_t done = result.step + 1;
  for (const ObjectiveStep &objective : result.objectives) {
    if (!std::isfinite(objective.loss)) {
      const std::string name(objective.name), dot = name.empty() ? "" : ".";
      return invalidInput(fmt::format("the loss{} of step {} is not finite ({}), so training stopped; lower the learning rate "
                                      "(`--set train.{}optimizer.lr=...`), warm it up, or clip the gradient",
                                      name.empty() ? "" : " of `" + name + "`", done,
                                      std::isnan(objective.loss) ? "nan" : fmt::to_string(objective.loss), name + dot));
    }
  }
  return listeners.step({done, feed->epochOf(done), done == total(), result.objectives, result.tokens, monotonicNow()});
}

/// Tells of the steps that are done; with `all`, waits for those that are not.
Status Trainer::collect(bool all) {
  for (;;) {
    PENSTOCK_ASSIGN(const StepResult *const result, step->collect(all || step->full()));
    if (result == nullptr) {
      return {};
    }
    PENSTOCK_TRY(tellStep(*result));
  }
}

/// The model is what its steps made of it, and all their losses are finite.
Status Trainer::complete() {
  PENSTOCK_TRY(collect(true));
  return session->complete();
}

Status Trainer::loop() {
  PENSTOCK_ASSIGN(step, TrainStep::open(*session, config.train, total(), feed->mostParts(), ranks));
  // The largest batch that may come, so that no step has to map memory.
  const Result<std::int64_t> rows = (Checked(opened.facts.longest) * Checked(config.train.batch)).get("the rows of a batch");
  if (rows.ok()) {
    step->reserve(std::min(config.train.batch, opened.train->records()), *rows);
  }
  PENSTOCK_TRY(feed->start(state.step));
  began = savedAt = monotonicNow();
  const auto checkpointInterval = static_cast<std::int64_t>(request.checkpointSeconds * 1e9);
  if (dueAt(state.step) && state.step > 0 && state.lastValidated != state.step) {
    PENSTOCK_TRY(validate()); // an interrupt fell between the step and its evaluation
  }
  const auto probe = reinterpret_cast<StepProbe>(::dlsym(RTLD_DEFAULT, "penstock_step_probe"));
  while (state.step < total() && !stopped()) {
    if (probe != nullptr) {
      probe(state.step, 1);
    }
    PENSTOCK_ASSIGN(const auto parts, feed->next(state.step));
    PENSTOCK_TRY(step->submit(state.step, parts));
    ++state.step;
    for (const Batch *part : parts) {
      state.records += part->view.records;
      state.tokens += part->tokens;
    }
    PENSTOCK_TRY(collect(false));
    if (probe != nullptr) {
      probe(state.step, 0);
    }
    const bool validated = dueAt(state.step);
    if (validated) {
      const Status status = validate();
      if (status.code() == ErrorCode::interrupted) {
        return stopForInterrupt();
      }
      PENSTOCK_TRY(status);
    }
    if (interrupted()) {
      return stopForInterrupt();
    }
    const std::int64_t now = monotonicNow();
    const bool atEnd = validated || feed->endsEpoch(state.step);
    const double since = static_cast<double>(now - savedAt);
    if (now - savedAt >= checkpointInterval || state.step == total() || stopped() ||
        (atEnd && since * checkpointShare >= static_cast<double>(saveCost))) {
      PENSTOCK_TRY(saveCheckpoint(now));
    }
  }
  if (stopped() && state.step < total()) {
    listeners.note(fmt::format("stopped at step {} of {}: {} evaluation{} without a better {}", state.step, total(), state.waited,
                               state.waited == 1 ? "" : "s", config.train.keepMetric));
    opened.record.totalSteps = state.step;
  }
  opened.record.seconds = secondsBefore + static_cast<double>(monotonicNow() - began) * 1e-9;
  return {};
}

Status Trainer::profiledLoop() {
  PENSTOCK_ASSIGN(const MachineSpeed machine, opened.model->speed(*opened.pool));
  std::vector<std::string> names;
  for (const ObjectiveSpec &objective : config.train.objectives) {
    names.push_back(objective.name);
  }
  Profile profile(opened.model->table(), machine, opened.pool->workers(), std::move(names));
  session->observe(&profile);
  const Status status = loop();
  (void)session->drain(); // what is in flight tells the profile
  session->observe(nullptr);
  outcome.profile = profile.text();
  PENSTOCK_TRY(writeFileAtomically(opened.folder->file("profile.json"), profile.trace()));
  return status;
}

Status Trainer::finish() {
  RunRecord &record = opened.record;
  Model &model = *opened.model;
  if (record.seconds == 0) {
    record.seconds = secondsBefore;
  }
  const bool keepBest = !config.train.keepMetric.empty() && state.bestStep >= 0;
  if (keepBest && state.bestStep != state.step) {
    PENSTOCK_ASSIGN(const auto file, SafetensorsFile::open(checkpoints->bestPath(state), state.bestHash));
    PENSTOCK_TRY(model.load(TensorClass::parameter, *file));
    lastDev.reset();
  }
  record.keptStep = ended ? record.keptStep : keepBest ? state.bestStep : state.step;
  PENSTOCK_TRY(session->complete()); // other weights are packed
  PENSTOCK_ASSIGN(const HostTensors parameters, model.fetch(TensorClass::parameter));
  PENSTOCK_ASSIGN(const HostTensors fittedTensors, model.fetch(TensorClass::fitted));
  std::vector<TensorView> kept = parameters.views();
  kept.insert(kept.end(), fittedTensors.views().begin(), fittedTensors.views().end());
  if (const std::string name = firstNotFinite(kept); !name.empty()) {
    return invalidInput(fmt::format("the weights after step {} are not finite numbers, first in `{}`; lower the learning rate "
                                    "(`--set train.optimizer.lr=...`), warm it up, or clip the gradient",
                                    record.keptStep, name));
  }
  PENSTOCK_ASSIGN(record.weightsHash, writeSafetensors(opened.folder->file("model.safetensors"), kept, {{"format", "penstock"}}));
  PENSTOCK_TRY(fitLast());
  learned = true;
  record.fitted = opened.fitted.hashes;
  record.results.clear();
  // What was measured in training knows no answers of learners, and decides without what was fitted now.
  const bool judgesLearners = std::any_of(config.answers.begin(), config.answers.end(),
                                          [](const AnswerSpec &one) { return (one.learner && !one.target.empty()) || fitsDecision(one); });
  for (const auto &[split, dataset] : opened.splits) {
    if (split == "dev" && lastDev && !judgesLearners && state.lastValidated == state.step && config.confidence.samples == 0) {
      record.results.push_back(std::move(*lastDev));
      continue;
    }
    Result<SplitResult> result = measure(split, config.confidence);
    if (result.status().code() == ErrorCode::interrupted) {
      return {ErrorCode::interrupted, "interrupted while measuring the trained model; continue with\n  " + request.resumeCommand};
    }
    PENSTOCK_TRY(result.status());
    // Of weights that the log has measured at this step a resumed run says no more than a whole one.
    if (split != "dev" || state.lastValidated != state.step || record.keptStep != state.step || config.confidence.samples > 0) {
      PENSTOCK_TRY(listeners.evaluation({state.step, feed->epochOf(state.step), *result, true, false}));
    }
    record.results.push_back(std::move(*result));
  }
  PENSTOCK_TRY(listeners.sync());
  record.finished = true;
  record.ended = timestamp();
  outcome.expectations = checkExpectations(config, record.results);
  PENSTOCK_TRY(writeRunRecord(opened.folder->path(), record));
  PENSTOCK_TRY(listeners.finished(record));
  PENSTOCK_TRY(tellStandstill());
  PENSTOCK_TRY(tellNotices());
  return request.keepCheckpoints ? Status() : checkpoints->removeAll();
}

/// The fits of time `weights`.
Status Trainer::fitLast() {
  std::vector<std::string> notes;
  const auto seen = [&](std::int64_t count) { listeners.activity("fitting on train", count, opened.train->records()); };
  Status done = fitLearners(*session, opened.train, config, opened.record.fits, host, opened.fitted, seen);
  if (done.ok()) {
    const auto dev = opened.splits.find("dev");
    done = fitDecisions(*session, dev == opened.splits.end() ? nullptr : dev->second, config, host, opened.fitted, notes);
  }
  for (const std::string &note : notes) {
    listeners.note(note);
  }
  return done.code() == ErrorCode::interrupted
             ? Status(ErrorCode::interrupted, "interrupted while fitting what is fitted last; continue with\n  " + request.resumeCommand)
             : done;
}

/// A loss that was low already where training began with the weights of another run need not fall; several objectives may hold each other.
Status Trainer::tellStandstill() {
  const std::vector<ObjectiveSpec> &objectives = config.train.objectives;
  if (objectives.size() != 1 || !config.train.from.empty()) {
    return {};
  }
  PENSTOCK_ASSIGN(const auto curves, readLossCurves(opened.folder->file("metrics.jsonl"), {objectives[0].lossName()}));
  if (const std::string said = standstillOf(curves[0]); !said.empty()) {
    listeners.note("warning: " + said);
  }
  return {};
}

// Each text once: layers that count the same parts say the same.
Status Trainer::tellNotices() {
  const PenstockProgram &table = opened.model->table();
  if (noticesOf(table).empty()) {
    return {};
  }
  PENSTOCK_ASSIGN(const HostTensors states, opened.model->fetch(TensorClass::state));
  std::map<std::string, float> counts;
  for (const PenstockNotice &notice : noticesOf(table)) {
    float &count = counts[notice.text];
    count = std::max(count, states.data()[tensorsOf(table)[notice.tensor].offset]);
  }
  for (const auto &[text, count] : counts) {
    if (count > 0) {
      listeners.warning(fmt::format("{} ({:.0f} part{})", text, count, count == 1 ? "" : "s"));
    }
  }
  return {};
}

} // namespace

Result<TrainOutcome> trainRun(const TrainRequest &request, PluginHost &host) { return Trainer(request, host).run(); }

} // namespace penstock
