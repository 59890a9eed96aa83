#include "runtime/exec/run_opening.h"

#include "runtime/base/cores.h"
#include "runtime/base/file.h"
#include "runtime/device/devices.h"
#include "runtime/exec/decisions.h"
#include "runtime/exec/fitted_tensors.h"
#include "runtime/kernels/kernel_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace penstock {

Result<DataFacts> dataFactsOf(const std::string &text) {
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
    if (const auto series = json.find("series"); series != json.end()) {
      facts.longest = std::max(facts.longest, series->value("max", std::int64_t{0}));
    }
  } catch (const nlohmann::json::exception &) {
    return internalError("the facts about the data are not sound; please report this");
  }
  return facts;
}

namespace {

class RunOpening {
public:
  RunOpening(const TrainRequest &request, PluginHost &host, OpenedRun &run)
      : request(request), host(host), config(request.config), run(run) {}

  Status open() {
    PENSTOCK_TRY(openFolder());
    PENSTOCK_TRY(openProgram());
    PENSTOCK_TRY(openFitted());
    return openData();
  }

private:
  Status openFolder();
  Status openProgram();
  Status openCompiled(Device &device);
  Status openLinked(Device &device);
  Status openFitted();
  Status fitDocuments();
  Status openData();

  const TrainRequest &request;
  PluginHost &host;
  const RunConfig &config;
  OpenedRun &run;
};

Status RunOpening::openFolder() {
  PENSTOCK_ASSIGN(run.facts, dataFactsOf(request.facts));
  if (!run.facts.splits.contains("train")) {
    return invalidInput("the data has no records in the split `train`; training needs some");
  }
  PENSTOCK_ASSIGN(run.folder, RunFolder::prepare(request.out, request.resume));
  PENSTOCK_ASSIGN(std::vector<RunPlugin> plugins, pluginsOf(config, host));
  if (run.folder->continues()) {
    PENSTOCK_ASSIGN(run.record, readRunRecord(run.folder->path()));
    PENSTOCK_TRY(checkSamePipeline(run.record.config, config));
    if (run.record.dataHash != run.facts.hash) {
      return environmentError("the data changed since this run was begun (its hash was " + run.record.dataHash + ", now it is " +
                              run.facts.hash + "); a resumed run needs the same data, so train into another folder");
    }
    if (const PluginChanges changes = comparePlugins(run.record.plugins, plugins); !changes.all.empty()) {
      return environmentError(
          fmt::format("{}; a resumed run needs the same plugins, so train into another folder", fmt::join(changes.all, "\n")));
    }
    run.record.plugins = std::move(plugins);
    return {};
  }
  run.record.started = timestamp();
  run.record.plugins = std::move(plugins);
  run.record.config = config;
  run.record.version = request.version;
  run.record.dataText = request.dataText;
  run.record.dataHash = run.facts.hash;
  // The mark of a run stands before anything else does, and is no more than that until `restore` writes it with all hashes.
  PENSTOCK_TRY(run.folder->clear());
  return writeRunRecord(run.folder->path(), run.record, false);
}

Status RunOpening::openProgram() {
  if (config.target.threads < 0 || config.target.threads > 4096) {
    return invalidInput("`target.threads` must be between 0 (one a core) and 4096");
  }
  PENSTOCK_ASSIGN(run.pool, ThreadPool::create(static_cast<int>(config.target.threads)));
  // An artifact has code for the CPU.
  PENSTOCK_ASSIGN(Device *const device, request.linked != nullptr ? cpuDevice() : openDevice(config.target.device));
  const bool moves = run.folder->continues() && !device->runs(run.record.level);
  PENSTOCK_TRY(request.linked != nullptr ? openLinked(*device) : openCompiled(*device));
  RunRecord &record = run.record;
  const std::string kernels = run.model->computedBy();
  if (moves) {
    run.notes.push_back(fmt::format("this run was begun with the kernels `{}` and goes on with `{}`: its bits are those of neither alone",
                                    record.kernels, kernels));
  } else if (run.folder->continues() && record.kernels != kernels) {
    return environmentError(
        fmt::format("this run was begun with the kernels `{}`, now they are `{}`, and others add in another order; continue it with the "
                    "same ones (PENSTOCK_KERNELS, and for bf16 the machine, choose them), or train into another folder",
                    record.kernels, kernels));
  }
  record.config = config;
  record.version = request.version;
  record.dataHash = run.facts.hash;
  record.level = run.model->table().level;
  record.kernels = kernels;
  record.cores = usableCores();
  record.threads = run.pool->workers();
  return {};
}

Status RunOpening::openLinked(Device &device) {
  if (run.folder->continues() && run.record.programHash != request.linkedHash) {
    return environmentError("this run was begun by another artifact, whose program may round elsewhere; train into another folder");
  }
  run.record.programHash = request.linkedHash;
  PENSTOCK_ASSIGN(run.model, Model::open(*request.linked, device));
  return {};
}

Status RunOpening::openCompiled(Device &device) {
  RunRecord &record = run.record;
  const std::string own = run.folder->file("program.so");
  // The code of a resumed run is the code that began it: other code might round elsewhere.
  std::optional<ProgramFile> file;
  const bool same = run.folder->continues() && device.runs(record.level);
  if (same) {
    Result<ProgramFile> kept = ProgramFile::read(own);
    if (kept.ok() && kept->hash() == record.programHash) {
      file = *std::move(kept);
    }
  } else if (!run.folder->continues()) {
    record.profiled = request.profile;
  }
  if (!file) {
    PENSTOCK_ASSIGN(const std::string compiled, request.program(record.profiled));
    PENSTOCK_ASSIGN(file, ProgramFile::read(compiled));
    PENSTOCK_TRY(file->forgetKey());
    if (same) {
      if (file->hash() != record.programHash) {
        return environmentError("the compiled program of this run is damaged, and compiling again gives another one (another "
                                "release or another machine); train into another folder");
      }
      run.notes.push_back("`" + own + "` was damaged, so it was compiled again");
    }
    record.programHash = file->hash();
    file->path = own;
    PENSTOCK_TRY(writeFileAtomically(own, file->bytes));
  }
  PENSTOCK_ASSIGN(run.model, Model::open(*file, device));
  return {};
}

// A resumed run needs what it was begun with. The same data give it again.
Status RunOpening::openFitted() {
  run.record.fits = fitsOf(config, host);
  const std::set<std::string> later = filesOf(run.record.fits, FitTime::weights); // are made anew at the end
  run.fitted = FittedFolder(run.folder->file("fitted"), run.record.fitted);
  const FittedFolder *const earlier = request.earlier ? &request.earlier->fitted : nullptr;
  if (earlier != nullptr) {
    run.fitted.held = earlier->held;
  }
  if (run.folder->continues()) {
    if (run.fitted.hashes.empty()) {
      return damagedFile(run.folder->file("run.json"), "it does not say what the run was fitted to; train again into another folder");
    }
    const Status whole = checkFitted(run.fitted, later);
    if (whole.ok()) {
      return {};
    }
    run.notes.push_back("`" + run.fitted.path + "` was damaged, so it was written again from the data");
  }
  PENSTOCK_ASSIGN(FittedFolder written, writeFitted(config.records, request.facts, run.fitted.path, earlier));
  for (const auto &[name, hash] : run.fitted.hashes) {
    if (std::any_of(run.record.fits.begin(), run.record.fits.end(),
                    [&](const Fit &fit) { return fit.file == name && fit.what == "documents"; })) {
      written.hashes[name] = hash; // is counted, and compared, when the data are open
      continue;
    }
    const bool same = later.contains(name) || (written.hashes.contains(name) && written.hashes[name] == hash);
    if (!same) {
      return environmentError("`" + run.fitted.path + "/" + name +
                              "` was damaged, and writing it from the data again gives another one, so this "
                              "run cannot be continued; train into another folder");
    }
  }
  run.fitted = std::move(written);
  run.record.fitted = run.fitted.hashes;
  return {};
}

Status RunOpening::fitDocuments() {
  std::optional<FittedFolder> earlier;
  if (request.earlier) {
    earlier = request.earlier->fitted;
  } else if (!config.train.from.empty()) {
    PENSTOCK_ASSIGN(earlier, fittedOfRun(config.train.from));
  }
  PENSTOCK_TRY(penstock::fitDocuments(run.record.fits, run.train, earlier ? &*earlier : nullptr, host, run.fitted));
  run.record.fitted = run.fitted.hashes;
  return {};
}

Status RunOpening::openData() {
  Dataset::Options options;
  options.fitted = run.fitted;
  options.cache = request.cache;
  options.threads = std::min(run.pool->workers(), run.record.cores);
  PENSTOCK_ASSIGN(run.train, Dataset::open(config.records, "train", host, options));
  if (run.train->records() == 0) {
    return invalidInput("the split `train` has no records; training needs some");
  }
  PENSTOCK_TRY(fitDocuments());
  for (const AnswerSpec &answer : config.answers) {
    if (answer.targetType == "class" || answer.targetType == "set" || answer.targetType == "tags") {
      run.record.config.classes.push_back({answer.name, run.train->classNames(answer.target)});
    }
  }
  std::set<std::string> wanted;
  for (const MetricSpec &use : config.metrics) {
    wanted.insert(use.split);
  }
  for (const auto *expectations : {&config.expectations, &config.deploy.expectations}) {
    for (const ExpectationSpec &expectation : *expectations) {
      wanted.insert(expectation.split);
    }
  }
  const bool decides = std::any_of(config.answers.begin(), config.answers.end(), fitsDecision);
  if (decides || (config.trains() && (config.train.validateSteps > 0 || config.train.validateEpochs > 0))) {
    wanted.insert("dev");
  }
  for (const std::string &split : wanted) {
    options.lastOnly = measuresLast(config, split);
    if (split == "train" && !options.lastOnly) {
      run.splits[split] = run.train;
    } else if (run.facts.splits.contains(split)) {
      PENSTOCK_ASSIGN(run.splits[split], Dataset::open(config.records, split, host, options));
    }
  }

  if (decides && !run.splits.contains("dev")) {
    return invalidInput(
        "how an answer decides is fitted on dev, and there are no records of dev; give some, or a number in the place of what "
        "is fitted");
  }
  run.record.records = run.train->records();
  return {};
}

} // namespace

Status openRun(const TrainRequest &request, PluginHost &host, OpenedRun &run) { return RunOpening(request, host, run).open(); }

} // namespace penstock
