#include "runtime/exec/trainer.h"

#include "runtime/base/checked.h"
#include "runtime/base/cores.h"
#include "runtime/base/file.h"
#include "runtime/exec/checkpoint.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/learners.h"
#include "runtime/exec/metrics_log.h"
#include "runtime/exec/output_buffers.h"
#include "runtime/exec/pretrained.h"
#include "runtime/exec/profile.h"
#include "runtime/exec/program.h"
#include "runtime/exec/report.h"
#include "runtime/kernels/kernel_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>

namespace penstock {

namespace {

// A checkpoint at the end of an epoch waits until those before cost less than this share of the time.
constexpr double checkpointShare = 0.05;

// A test preloads a library with this function to learn which calls fall into a step (docs/design/runtime.md).
using StepProbe = void (*)(std::int64_t step, int begin);

struct DataFacts {
  std::string hash;
  std::set<std::string> splits; // with records
  std::int64_t longest = 0;     // rows of the longest record of any axis
};

Result<DataFacts> readFacts(const std::string &text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  DataFacts facts;
  try {
    json.at("hash").get_to(facts.hash);
    for (const auto &[split, entry] : json.at("splits").items()) {
      if (entry.is_object() && entry.value("records", std::int64_t{0}) > 0) {
        facts.splits.insert(split);
      }
    }
    const nlohmann::json vocabularies = json.value("vocabularies", nlohmann::json::object()); // `items` only refers to it
    for (const auto &[axis, vocabulary] : vocabularies.items()) {
      facts.longest = std::max(facts.longest, vocabulary.value("max", std::int64_t{0}));
    }
  } catch (const nlohmann::json::exception &) {
    return internalError("the facts about the data are not sound; please report this");
  }
  return facts;
}

class Trainer {
public:
  Trainer(const TrainRequest &request, PluginHost &host) : request(request), host(host), config(request.config) {}

  Result<TrainOutcome> run() {
    const Status status = runAll();
    if (!status.ok()) {
      if (log) {
        (void)log->flush();
      }
      if (savedStep >= 0 && status.code() != ErrorCode::interrupted) {
        return Status(status.code(), status.message() + fmt::format("\nthe checkpoint of step {} in `{}` is good", savedStep, request.out));
      }
      return status;
    }
    return std::move(outcome);
  }

private:
  Status runAll() {
    PENSTOCK_TRY(openFolder());
    PENSTOCK_TRY(openProgram());
    PENSTOCK_TRY(openData());
    PENSTOCK_TRY(restore());
    if (config.trains()) {
      PENSTOCK_TRY(request.profile ? profiledLoop() : loop());
    }
    return finish();
  }

  Status openFolder();
  Status openProgram();
  Status openFitted();
  Status openData();
  Status restore();
  Status loop();
  Status profiledLoop();
  Status finish();
  void tellNotices();
  Status validate();
  Status saveCheckpoint(std::int64_t now);
  Status stopForInterrupt();
  Status takeWeights();
  struct Mover;
  Result<std::vector<Mover>> findMovers() const;
  Status weighParts(Mover &mover, std::span<const Batch *const> parts, Program::Step step);
  Result<float> runParts(Mover &mover, std::span<const Batch *const> parts, Program::Step step);
  Status runStep(std::vector<Mover> &movers, BatchStream &stream, std::vector<ObjectiveStep> &line, std::int64_t &tokens);
  Result<SplitResult> measure(const std::string &split, const ConfidenceSpec &confidence = {});
  bool dueAt(std::int64_t step) const { return validationInterval > 0 && (step % validationInterval == 0 || step == total); }
  /// No evaluation was better for as long as the run may wait for one.
  bool stopped() const { return config.train.patience > 0 && state.waited >= config.train.patience; }
  /// The number, in the stream of batches, of the first part of a step. An epoch ends with a step of fewer parts.
  std::int64_t firstPartOf(std::int64_t step) const {
    return step / stepsPerEpoch * partsPerEpoch + step % stepsPerEpoch * config.train.accumulate;
  }
  double epochOf(std::int64_t step) const { return stepsPerEpoch > 0 ? static_cast<double>(step) / static_cast<double>(stepsPerEpoch) : 0; }

  const TrainRequest &request;
  PluginHost &host;
  const RunConfig &config;
  TrainOutcome outcome;
  DataFacts facts;
  std::unique_ptr<RunFolder> folder;
  FittedFolder fitted;
  std::unique_ptr<CheckpointStore> checkpoints;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Program> program;
  std::shared_ptr<const Dataset> train;
  std::map<std::string, std::shared_ptr<const Dataset>> splits;
  std::unique_ptr<MetricsLog> log;
  std::unique_ptr<Progress> progress;

  std::int64_t partsPerEpoch = 0, stepsPerEpoch = 0, total = 0, validationInterval = 0;
  TrainState state;
  std::vector<float> best;     // parameters of the best step, where they are not yet in a file
  std::int64_t savedStep = -1; // step of the newest checkpoint
  std::int64_t savedAt = 0;    // time of it
  std::int64_t saveCost = 0;   // nanoseconds it took
  std::int64_t began = 0;      // time at which this process began to train
  double secondsBefore = 0;    // of the processes before
  std::optional<SplitResult> lastDev;
};

Status Trainer::openFolder() {
  PENSTOCK_ASSIGN(facts, readFacts(request.facts));
  if (!facts.splits.contains("train")) {
    return invalidInput("the data has no records in the split `train`; training needs some");
  }
  PENSTOCK_ASSIGN(folder, RunFolder::prepare(request.out, request.resume));
  checkpoints = std::make_unique<CheckpointStore>(folder->file("checkpoints"));
  PENSTOCK_ASSIGN(std::vector<RunPlugin> plugins, pluginsOf(config, host));
  if (folder->continues()) {
    PENSTOCK_ASSIGN(outcome.record, readRunRecord(folder->path()));
    PENSTOCK_TRY(checkSamePipeline(outcome.record.config, config));
    if (outcome.record.dataHash != facts.hash) {
      return environmentError("the data changed since this run was begun (its hash was " + outcome.record.dataHash + ", now it is " +
                              facts.hash + "); a resumed run needs the same data, so train into another folder");
    }
    if (const PluginChanges changes = comparePlugins(outcome.record.plugins, plugins); !changes.all.empty()) {
      return environmentError(
          fmt::format("{}; a resumed run needs the same plugins, so train into another folder", fmt::join(changes.all, "\n")));
    }
    outcome.record.plugins = std::move(plugins);
    return {};
  }
  outcome.record.started = timestamp();
  outcome.record.plugins = std::move(plugins);
  outcome.record.config = config;
  outcome.record.version = request.version;
  outcome.record.dataHash = facts.hash;
  // The mark of a run stands before anything else does, and is no more than that until `restore` writes it with all hashes.
  PENSTOCK_TRY(folder->clear());
  return writeRunRecord(folder->path(), outcome.record, false);
}

Status Trainer::openProgram() {
  if (config.target.threads < 0 || config.target.threads > 4096) {
    return invalidInput("`target.threads` must be between 0 (one a core) and 4096");
  }
  PENSTOCK_ASSIGN(pool, ThreadPool::create(static_cast<int>(config.target.threads)));
  RunRecord &record = outcome.record;
  const std::string own = folder->file("program.so");
  // The code of a resumed run is the code that began it: other code might round elsewhere.
  std::optional<ProgramFile> file;
  if (folder->continues()) {
    Result<ProgramFile> kept = ProgramFile::read(own);
    if (kept.ok() && kept->hash() == record.programHash) {
      file = *std::move(kept);
    }
  } else {
    record.profiled = request.profile;
  }
  if (!file) {
    PENSTOCK_ASSIGN(const std::string compiled, request.program(record.profiled));
    PENSTOCK_ASSIGN(file, ProgramFile::read(compiled));
    PENSTOCK_TRY(file->forgetKey());
    if (folder->continues()) {
      if (file->hash() != record.programHash) {
        return environmentError("the compiled program of this run is damaged, and compiling again gives another one (another "
                                "release or another machine); train into another folder");
      }
      outcome.notes.push_back("`" + own + "` was damaged, so it was compiled again");
    }
    record.programHash = file->hash();
    file->path = own;
    PENSTOCK_TRY(writeFileAtomically(own, file->bytes));
  }
  PENSTOCK_ASSIGN(program, Program::open(*file, *pool));
  const std::string kernels = kernelsOf(program->table(), program->level());
  if (folder->continues() && record.kernels != kernels) {
    return environmentError(
        fmt::format("this run was begun with the kernels `{}`, now they are `{}`, and others add in another order; continue it with the "
                    "same ones (PENSTOCK_KERNELS, and for bf16 the machine, choose them), or train into another folder",
                    record.kernels, kernels));
  }
  record.config = config;
  record.version = request.version;
  record.dataHash = facts.hash;
  record.level = program->table().level;
  record.kernels = kernels;
  record.cores = usableCores();
  record.threads = pool->workers();
  return {};
}

// A resumed run needs what it was begun with. The same data give it again.
Status Trainer::openFitted() {
  outcome.record.fits = fitsOf(config, host);
  const std::set<std::string> later = filesOf(outcome.record.fits, FitTime::weights); // are made anew at the end
  fitted = FittedFolder(folder->file("fitted"), outcome.record.fitted);
  if (folder->continues()) {
    if (fitted.hashes.empty()) {
      return damagedFile(folder->file("run.json"), "it does not say what the run was fitted to; train again into another folder");
    }
    const Status whole = checkFitted(fitted, later);
    if (whole.ok()) {
      return {};
    }
    outcome.notes.push_back("`" + fitted.path + "` was damaged, so it was written again from the data");
  }
  PENSTOCK_ASSIGN(FittedFolder written, writeFitted(config.records, request.facts, fitted.path));
  for (const auto &[name, hash] : fitted.hashes) {
    const bool same = later.contains(name) || (written.hashes.contains(name) && written.hashes[name] == hash);
    if (!same) {
      return environmentError("`" + fitted.path + "/" + name +
                              "` was damaged, and writing it from the data again gives another one, so this "
                              "run cannot be continued; train into another folder");
    }
  }
  fitted = std::move(written);
  outcome.record.fitted = fitted.hashes;
  return {};
}

Status Trainer::openData() {
  PENSTOCK_TRY(openFitted());
  Dataset::Options options;
  options.fitted = fitted;
  options.cache = request.cache;
  options.threads = std::min(pool->workers(), outcome.record.cores);
  PENSTOCK_ASSIGN(train, Dataset::open(config.records, "train", host, options));
  if (train->records() == 0) {
    return invalidInput("the split `train` has no records; training needs some");
  }
  for (const AnswerSpec &answer : config.answers) {
    if (answer.targetType == "class" || answer.targetType == "set" || answer.targetType == "tags") {
      outcome.record.config.classes.push_back({answer.name, train->classNames(answer.target)});
    }
  }
  std::set<std::string> wanted;
  for (const MetricSpec &use : config.metrics) {
    wanted.insert(use.split);
  }
  for (const ExpectationSpec &expectation : config.expectations) {
    wanted.insert(expectation.split);
  }
  if (config.trains() && (config.train.validateSteps > 0 || config.train.validateEpochs > 0)) {
    wanted.insert("dev");
  }
  for (const std::string &split : wanted) {
    if (split == "train") {
      splits[split] = train;
    } else if (facts.splits.contains(split)) {
      PENSTOCK_ASSIGN(splits[split], Dataset::open(config.records, split, host, options));
    }
  }

  partsPerEpoch = (train->records() + config.train.batch - 1) / config.train.batch;
  stepsPerEpoch = (partsPerEpoch + config.train.accumulate - 1) / config.train.accumulate;
  total = config.train.steps;
  if (total < 0) {
    const double steps = config.train.epochs * static_cast<double>(stepsPerEpoch);
    if (!(steps >= 0) || steps > 9e15) {
      return invalidInput("`train.epochs` is not a usable number of epochs");
    }
    total = std::max<std::int64_t>(1, std::llround(steps));
  }
  if (!config.trains()) {
    total = 0;
  }
  if (splits.contains("dev")) {
    validationInterval = config.train.validateSteps;
    if (validationInterval <= 0 && config.train.validateEpochs > 0) {
      validationInterval = std::max<std::int64_t>(1, std::llround(config.train.validateEpochs * static_cast<double>(stepsPerEpoch)));
    }
  }
  outcome.record.records = train->records();
  outcome.record.stepsPerEpoch = stepsPerEpoch;
  outcome.record.totalSteps = total;
  return {};
}

Status Trainer::restore() {
  std::set<std::string> given;
  for (const PretrainedSpec &weight : config.pretrained) {
    if (!weight.folder.empty()) {
      given.insert(weight.parameter);
    }
  }
  program->initialize(config.train.seed, given);
  state.seed = config.train.seed;
  state.pipelineHash = config.hash();
  state.dataHash = facts.hash;
  PENSTOCK_ASSIGN(std::optional<CheckpointStore::Loaded> loaded, checkpoints->load(*program));
  if (loaded) {
    outcome.warnings = std::move(loaded->skipped);
    state = std::move(loaded->state);
    if (state.step > total) {
      return environmentError(fmt::format("the checkpoint in `{}` is of step {}, but this run has {} step{}", request.out, state.step,
                                          total, total == 1 ? "" : "s"));
    }
    outcome.resumedAt = state.step;
    savedStep = state.step;
  } else {
    PENSTOCK_TRY(loadPretrained(*program, *pool, config.pretrained));
    if (!config.train.from.empty()) {
      PENSTOCK_TRY(takeWeights());
    }
    if (!folder->continues()) {
      PENSTOCK_TRY(writeRunRecord(folder->path(), outcome.record));
    }
  }
  secondsBefore = state.seconds;
  PENSTOCK_ASSIGN(log, MetricsLog::open(folder->file("metrics.jsonl"), state.step, state.lastValidated));
  progress = std::make_unique<Progress>(request.progress, total, stepsPerEpoch, state.step);
  for (const std::string &note : outcome.notes) {
    progress->note(note);
  }
  for (const std::string &warning : outcome.warnings) {
    progress->note("a checkpoint was not used: " + warning);
  }
  if (outcome.resumedAt >= 0) {
    progress->note(fmt::format("continuing at step {} of {}", state.step, total));
  }
  return {};
}

// The weights of an earlier run, by name. What it lacks begins as in any run; what has another shape is a mistake.
Status Trainer::takeWeights() {
  const std::string &from = config.train.from;
  PENSTOCK_ASSIGN(const RunRecord earlier, readRunRecord(from));
  if (!earlier.finished) {
    return environmentError("the run in `" + from + "` has not ended, so it has no weights to begin from; continue it with `--resume`");
  }
  PENSTOCK_ASSIGN(const auto file, SafetensorsFile::open(from + "/model.safetensors", earlier.weightsHash));
  float *const flat = program->flat(TensorClass::parameter);
  std::string fresh;
  std::int64_t taken = 0;
  for (const TensorView &mine : program->tensors(TensorClass::parameter)) {
    const TensorView *found = file->find(mine.name);
    if (found == nullptr) {
      fresh += (fresh.empty() ? "`" : ", `") + mine.name + "`";
      continue;
    }
    if (found->shape != mine.shape) {
      return invalidInput(fmt::format("`{}` is {} in the run `{}` and {} in this model; weights of one name have one shape, so make "
                                      "the model as it was there, or bind what differs to another name",
                                      mine.name, fmt::join(found->shape, " x "), from, fmt::join(mine.shape, " x ")));
    }
    std::memcpy(flat + (mine.data - flat), found->data, static_cast<std::size_t>(mine.elements) * sizeof(float));
    ++taken;
  }
  if (taken == 0) {
    return invalidInput("no weight of the run `" + from + "` has the name of one of this model, so there is nothing to begin from");
  }
  outcome.notes.push_back(fmt::format("began with {} weights of `{}`{}{}", taken, from, fresh.empty() ? "" : "; new: ", fresh));
  return {};
}

Result<SplitResult> Trainer::measure(const std::string &split, const ConfidenceSpec &confidence) {
  return evaluateSplit(*program, splits.at(split), config, host, split, confidence);
}

Status Trainer::validate() {
  PENSTOCK_ASSIGN(SplitResult result, measure("dev"));
  PENSTOCK_TRY(log->evaluation(state.step, epochOf(state.step), result, false));
  state.lastValidated = state.step;
  std::string text = fmt::format("step {} (epoch {:.4g}): dev", state.step, epochOf(state.step));
  if (result.hasLoss) {
    text += fmt::format(" loss {:.4f}", result.loss);
  }
  for (const auto &[name, value] : result.values) {
    if (name.find('[') == std::string::npos) { // of one class
      text += fmt::format("  {} {:.4f}", name, value);
    }
  }
  const std::string &keep = config.train.keepMetric;
  if (!keep.empty()) {
    const std::string metric = keep.starts_with("dev.") ? keep.substr(4) : keep;
    const double *value = result.find(metric);
    if (value == nullptr && metric == "loss" && result.hasLoss) {
      value = &result.loss;
    }
    if (value == nullptr) {
      return invalidInput("`train.keep` asks for the best `" + keep +
                          "`, but the evaluation on dev gives no such value; "
                          "add the metric to `evaluate { dev: [...] }`");
    }
    const bool better = state.bestStep < 0 || (config.train.keepHigher ? *value > state.bestValue : *value < state.bestValue);
    ++state.waited;
    if (std::isfinite(*value) && better) {
      state.waited = 0;
      state.bestStep = state.step;
      state.bestValue = *value;
      state.bestFile.clear();
      const float *now = program->flat(TensorClass::parameter);
      best.assign(now, now + program->flatElements(TensorClass::parameter));
      text += "  (best so far)";
    }
  }
  progress->note(text);
  lastDev = std::move(result);
  return {};
}

Status Trainer::saveCheckpoint(std::int64_t now) {
  if (savedStep == state.step) {
    return {};
  }
  PENSTOCK_TRY(program->settle());
  state.seconds = secondsBefore + static_cast<double>(now - began) * 1e-9;
  PENSTOCK_TRY(log->sync());
  if (state.bestStep >= 0 && state.bestFile.empty()) {
    std::vector<TensorView> views = program->tensors(TensorClass::parameter);
    const float *flat = program->flat(TensorClass::parameter);
    for (TensorView &view : views) {
      view.data = best.data() + (view.data - flat);
    }
    PENSTOCK_TRY(checkpoints->saveBest(views, state));
  }
  PENSTOCK_TRY(checkpoints->save(*program, state));
  savedStep = state.step;
  savedAt = monotonicNow();
  saveCost = savedAt - now;
  return {};
}

Status Trainer::stopForInterrupt() {
  PENSTOCK_TRY(saveCheckpoint(monotonicNow()));
  progress->finish();
  return {ErrorCode::interrupted,
          fmt::format("interrupted at step {} of {}, which is saved; continue with\n  {}", state.step, total, request.resumeCommand)};
}

/// The entries of one objective, and what they leave.
struct Trainer::Mover {
  const ObjectiveSpec &spec;
  int trainStep = -1;                        // of a step in one part; or
  int weigh = -1, gradient = -1, apply = -1; // of one in parts
  int lossOutput = -1;                       // of train_step or gradient
  OutputBuffers outputs, weightOutputs;      // of one part
  std::vector<double> weightSums;            // of all of them, one a loss
  std::vector<float> weights;
};

Result<std::vector<Trainer::Mover>> Trainer::findMovers() const {
  const bool inParts = config.train.accumulate > 1;
  std::vector<Mover> movers;
  for (const ObjectiveSpec &spec : config.train.objectives) {
    const int number = static_cast<int>(movers.size());
    Mover mover{spec};
    for (const auto &[entry, name] : {std::pair(&mover.weigh, "weights"), std::pair(&mover.gradient, "gradient"),
                                      std::pair(&mover.apply, "apply"), std::pair(&mover.trainStep, "train_step")}) {
      if (inParts != (entry == &mover.trainStep)) {
        *entry = program->entry(name, number);
        if (*entry < 0) {
          return internalError(fmt::format("the compiled program has no `{}` of objective {}; please report this", name, number));
        }
      }
    }
    const PenstockEntry &table = program->table().entries[inParts ? mover.gradient : mover.trainStep];
    mover.lossOutput = Program::output(table, "loss");
    if (mover.lossOutput < 0) {
      return internalError(fmt::format("the compiled `{}` has no output `loss`; please report this", table.name));
    }
    mover.outputs.prepare(table, config.train.batch);
    if (inParts) {
      const PenstockProgram &all = program->table();
      mover.weightOutputs.prepare(all.entries[mover.weigh], 0);
      mover.weightSums.resize(static_cast<std::size_t>(
          std::count_if(all.losses, all.losses + all.loss_count, [&](const PenstockLossInfo &loss) { return loss.objective == number; })));
      mover.weights.resize(mover.weightSums.size());
    }
    movers.push_back(std::move(mover));
  }
  return movers;
}

// Of each loss the weight of all parts: by it each part divides its sum of items.
Status Trainer::weighParts(Mover &mover, std::span<const Batch *const> parts, Program::Step step) {
  step.outputs = mover.weightOutputs.addresses();
  std::fill(mover.weightSums.begin(), mover.weightSums.end(), 0.0);
  for (const Batch *part : parts) {
    step.batch = &part->view;
    PENSTOCK_TRY(program->run(mover.weigh, step));
    for (std::size_t i = 0; i < mover.weightSums.size(); ++i) {
      mover.weightSums[i] += static_cast<double>(mover.weightOutputs.values(static_cast<int>(i))[0]);
    }
  }
  for (std::size_t i = 0; i < mover.weightSums.size(); ++i) {
    mover.weights[i] = std::max(static_cast<float>(mover.weightSums[i]), std::numeric_limits<float>::min()); // without items 0, not 0 / 0
  }
  return {};
}

// One objective of a step, with the weights as they are now. The gradient of a step, part by part, is that of one batch of all of them.
// Dropout's masks are keyed by step and record, so they are those of the one batch, too.
Result<float> Trainer::runParts(Mover &mover, std::span<const Batch *const> parts, Program::Step step) {
  const bool inParts = mover.trainStep < 0;
  if (inParts) {
    PENSTOCK_TRY(weighParts(mover, parts, step));
    step.weights = mover.weights.data();
  }
  double loss = 0;
  for (const Batch *part : parts) {
    step.batch = &part->view;
    step.outputs = mover.outputs.addresses();
    PENSTOCK_TRY(program->run(inParts ? mover.gradient : mover.trainStep, step));
    loss += static_cast<double>(mover.outputs.values(mover.lossOutput)[0]);
    ++step.part;
  }
  if (inParts) {
    step.batch = nullptr;
    step.outputs = nullptr;
    PENSTOCK_TRY(program->run(mover.apply, step));
  }
  return static_cast<float>(loss);
}

// All objectives, in their order. `line` has what each gave.
Status Trainer::runStep(std::vector<Mover> &movers, BatchStream &stream, std::vector<ObjectiveStep> &line, std::int64_t &tokens) {
  const std::int64_t first = state.step % stepsPerEpoch * config.train.accumulate;
  PENSTOCK_ASSIGN(const auto parts, stream.next(std::min(config.train.accumulate, partsPerEpoch - first)));
  if (parts.empty()) {
    return internalError(fmt::format("the batches ended at step {} of {}; please report this", state.step, total));
  }
  for (std::size_t i = 0; i < movers.size(); ++i) {
    Program::Step step;
    step.seed = config.train.seed;
    step.number = static_cast<std::uint64_t>(state.step);
    step.learningRate = learningRate(movers[i].spec.schedule, movers[i].spec.optimizer.lr, state.step, total);
    PENSTOCK_ASSIGN(const float loss, runParts(movers[i], parts, step));
    line[i] = {movers[i].spec.name, loss, step.learningRate};
  }
  for (const Batch *part : parts) {
    state.records += part->view.records;
    tokens += part->tokens;
  }
  return {};
}

Status Trainer::loop() {
  PENSTOCK_ASSIGN(std::vector<Mover> movers, findMovers());
  std::vector<ObjectiveStep> line(movers.size());
  // The largest batch that may come, so that no step has to map memory. Where that much cannot be had, steps grow the arena.
  const Result<std::int64_t> rows = (Checked(facts.longest) * Checked(config.train.batch)).get("the rows of a batch");
  if (rows.ok()) {
    for (const Mover &mover : movers) {
      (void)program->reserve(std::max(mover.trainStep, mover.gradient), std::min(config.train.batch, train->records()), *rows);
    }
  }
  BatchStream::Plan plan;
  plan.batch = config.train.batch;
  plan.shuffle = config.train.shuffle;
  plan.trains = true;
  plan.seed = config.train.seed;
  plan.together = std::min(config.train.accumulate, partsPerEpoch);
  plan.firstStep = firstPartOf(state.step);
  plan.lastStep = firstPartOf(total);
  PENSTOCK_ASSIGN(const std::unique_ptr<BatchStream> stream, BatchStream::start(train, plan));

  began = savedAt = monotonicNow();
  std::int64_t lineTime = began, lineTokens = 0;
  const auto checkpointInterval = static_cast<std::int64_t>(request.checkpointSeconds * 1e9);
  if (dueAt(state.step) && state.step > 0 && state.lastValidated != state.step) {
    PENSTOCK_TRY(validate()); // an interrupt fell between the step and its evaluation
    lineTime = monotonicNow();
  }
  const auto probe = reinterpret_cast<StepProbe>(::dlsym(RTLD_DEFAULT, "penstock_step_probe"));
  while (state.step < total && !stopped()) {
    if (probe != nullptr) {
      probe(state.step, 1);
    }
    std::int64_t tokens = 0;
    PENSTOCK_TRY(runStep(movers, *stream, line, tokens));
    ++state.step;
    state.tokens += tokens;
    lineTokens += tokens;
    for (const ObjectiveStep &objective : line) {
      if (!std::isfinite(objective.loss)) {
        progress->finish();
        const std::string name(objective.name), dot = name.empty() ? "" : ".";
        return invalidInput(fmt::format("the loss{} of step {} is not finite ({}), so training stopped; lower the learning rate "
                                        "(`--set train.{}optimizer.lr=...`), warm it up, or clip the gradient",
                                        name.empty() ? "" : " of `" + name + "`", state.step,
                                        std::isnan(objective.loss) ? "nan" : fmt::to_string(objective.loss), name + dot));
      }
    }
    std::int64_t now = monotonicNow();
    if (state.step % config.train.logEvery == 0 || state.step == total) {
      const double speed = static_cast<double>(lineTokens) * 1e9 / static_cast<double>(std::max<std::int64_t>(now - lineTime, 1));
      PENSTOCK_TRY(log->step(state.step, epochOf(state.step), line, speed, now));
      lineTime = now;
      lineTokens = 0;
    }
    progress->step(state.step, line, tokens, now);
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
      now = lineTime = monotonicNow();
    }
    if (interrupted()) {
      return stopForInterrupt();
    }
    const bool atEnd = validated || state.step % stepsPerEpoch == 0;
    const double since = static_cast<double>(now - savedAt);
    if (now - savedAt >= checkpointInterval || state.step == total || stopped() ||
        (atEnd && since * checkpointShare >= static_cast<double>(saveCost))) {
      PENSTOCK_TRY(saveCheckpoint(now));
    }
  }
  if (stopped() && state.step < total) {
    progress->note(fmt::format("stopped at step {} of {}: {} evaluation{} without a better {}", state.step, total, state.waited,
                               state.waited == 1 ? "" : "s", config.train.keepMetric));
    outcome.record.totalSteps = state.step;
  }
  outcome.record.seconds = secondsBefore + static_cast<double>(monotonicNow() - began) * 1e-9;
  return {};
}

Status Trainer::profiledLoop() {
  PENSTOCK_ASSIGN(const MachineSpeed machine, measureMachine(program->level(), *pool));
  std::vector<std::string> names;
  for (const ObjectiveSpec &objective : config.train.objectives) {
    names.push_back(objective.name);
  }
  Profile profile(*program, machine, pool->workers(), std::move(names));
  program->observe(&profile);
  const Status status = loop();
  program->observe(nullptr);
  outcome.profile = profile.text();
  PENSTOCK_TRY(writeFileAtomically(folder->file("profile.json"), profile.trace()));
  return status;
}

Status Trainer::finish() {
  RunRecord &record = outcome.record;
  if (record.seconds == 0) {
    record.seconds = secondsBefore;
  }
  PENSTOCK_TRY(program->settle());
  const bool keepBest = !config.train.keepMetric.empty() && state.bestStep >= 0;
  if (keepBest && state.bestStep != state.step) {
    PENSTOCK_ASSIGN(const auto file, SafetensorsFile::open(checkpoints->bestPath(state), state.bestHash));
    PENSTOCK_TRY(program->load(TensorClass::parameter, *file));
    lastDev.reset();
  }
  record.keptStep = keepBest ? state.bestStep : state.step;
  std::vector<TensorView> kept = program->tensors(TensorClass::parameter);
  for (TensorView &view : program->tensors(TensorClass::fitted)) {
    kept.push_back(std::move(view));
  }
  if (const std::string name = firstNotFinite(kept); !name.empty()) {
    return invalidInput(fmt::format("the weights after step {} are not finite numbers, first in `{}`; lower the learning rate "
                                    "(`--set train.optimizer.lr=...`), warm it up, or clip the gradient",
                                    record.keptStep, name));
  }
  PENSTOCK_ASSIGN(record.weightsHash, writeSafetensors(folder->file("model.safetensors"), kept, {{"format", "penstock"}}));
  if (const Status learned = fitLearners(*program, train, config, record.fits, host, fitted); !learned.ok()) {
    return learned.code() == ErrorCode::interrupted
               ? Status(ErrorCode::interrupted, "interrupted while fitting the learners; continue with\n  " + request.resumeCommand)
               : learned;
  }
  record.fitted = fitted.hashes;
  record.results.clear();
  for (const auto &[split, dataset] : splits) {
    if (split == "dev" && lastDev && state.lastValidated == state.step && config.confidence.samples == 0) {
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
      PENSTOCK_TRY(log->evaluation(state.step, epochOf(state.step), *result, true));
    }
    record.results.push_back(std::move(*result));
  }
  PENSTOCK_TRY(log->sync());
  record.finished = true;
  record.ended = timestamp();
  outcome.expectations = checkExpectations(config, record.results);
  PENSTOCK_TRY(writeRunRecord(folder->path(), record));
  PENSTOCK_TRY(writeReport(folder->path(), record));
  tellNotices();
  progress->finish();
  return {};
}

// Each text once: layers that count the same parts say the same.
void Trainer::tellNotices() {
  const PenstockProgram &table = program->table();
  const float *const states = program->flat(TensorClass::state);
  std::map<std::string, float> counts;
  for (int i = 0; i < table.notice_count; ++i) {
    float &count = counts[table.notices[i].text];
    count = std::max(count, states[table.tensors[table.notices[i].tensor].offset]);
  }
  for (const auto &[text, count] : counts) {
    if (count > 0) {
      progress->note(fmt::format("warning: {} ({:.0f} part{})", text, count, count == 1 ? "" : "s"));
    }
  }
}

} // namespace

Result<TrainOutcome> trainRun(const TrainRequest &request, PluginHost &host) { return Trainer(request, host).run(); }

} // namespace penstock
