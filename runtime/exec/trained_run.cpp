#include "runtime/exec/trained_run.h"

#include "runtime/base/cores.h"
#include "runtime/base/file.h"
#include "runtime/device/devices.h"
#include "runtime/exec/checkpoint.h"
#include "runtime/exec/program_image.h"
#include "runtime/exec/program_table.h"
#include "runtime/kernels/kernel_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace penstock {

Result<std::unique_ptr<TrainedRun>> TrainedRun::open(const std::string &folder, RunRecord record,
                                                     const std::vector<std::string> &pluginFolders, const Recompile &recompile, Code code) {
  std::unique_ptr<TrainedRun> run(new TrainedRun);
  run->folder = folder;
  run->held = std::move(record);
  const std::string weights = folder + "/model.safetensors";
  if (!run->held.finished) {
    return environmentError("the run in `" + folder +
                            "` has not ended, so it has no `model.safetensors`; continue it with "
                            "`penstock train " +
                            run->held.config.file + " --out " + folder + " --resume`");
  }
  const std::string again = CheckpointStore(folder + "/checkpoints").any()
                                ? "; `penstock train ... --resume` makes it again from the last checkpoint"
                                : "; its checkpoints went when it was finished, so train again";
  if (!fileExists(weights)) {
    return damagedFile(weights, "it is not there" + again);
  }
  std::vector<std::string> folders = pluginFolders;
  if (code == Code::ofRun) {
    folders.insert(folders.end(), run->held.config.pluginFolders.begin(), run->held.config.pluginFolders.end());
  }
  PENSTOCK_ASSIGN(run->plugins, PluginHost::create(folders));
  PENSTOCK_ASSIGN(const std::vector<RunPlugin> now, pluginsOf(run->held.config, *run->plugins));
  const PluginChanges changes = comparePlugins(run->held.plugins, now);
  if (!changes.decisive.empty()) {
    return environmentError(fmt::format("{}; what it gives need not fit the weights, so train again, or name the folder of the old one "
                                        "with `--plugins`",
                                        fmt::join(changes.decisive, "\n")));
  }
  run->remarks = changes.all;
  PENSTOCK_ASSIGN(run->pool, ThreadPool::create(static_cast<int>(run->held.config.target.threads)));
  PENSTOCK_TRY(run->openModel(recompile, code));
  Model &model = *run->model;
  if (const std::string kernels = model.computedBy(); kernels != run->held.kernels) {
    run->remarks.push_back(
        fmt::format("the run was trained with the kernels `{}`, here they are `{}`, and others add in another order: answers "
                    "can differ from its own in the last digits",
                    run->held.kernels, kernels));
  }
  const auto opened = SafetensorsFile::open(weights, run->held.weightsHash);
  if (!opened.ok()) {
    return environmentError(opened.status().message() + again);
  }
  const std::shared_ptr<const SafetensorsFile> &file = *opened;
  PENSTOCK_TRY(model.load(TensorClass::parameter, *file));
  PENSTOCK_TRY(model.load(TensorClass::fitted, *file));
  PENSTOCK_ASSIGN(const HostTensors parameters, model.fetch(TensorClass::parameter));
  if (const std::string name = firstNotFinite(parameters.views()); !name.empty()) {
    return invalidInput("the weights in `" + weights + "` are no model: `" + name +
                        "` holds numbers that are not finite; train again with a lower learning rate, or with `clip_norm`");
  }
  PENSTOCK_TRY(model.pack(*run->pool));
  PENSTOCK_ASSIGN(run->session, Session::open(run->model, *run->pool));
  return run;
}

Status TrainedRun::openModel(const Recompile &recompile, Code code) {
  PENSTOCK_ASSIGN(Device *const device, openDevice(held.config.target.device));
  const bool moved = !device->runs(held.level);
  if (code == Code::ofRun && !moved) {
    PENSTOCK_ASSIGN(const ProgramFile file, programFile(recompile));
    PENSTOCK_ASSIGN(std::unique_ptr<ProgramImage> image, ProgramImage::map(file.bytes, file.path));
    PENSTOCK_ASSIGN(const bool readable, isOfThisInterface(*image->function()(), *image, file.path));
    if (readable || !recompile) {
      PENSTOCK_ASSIGN(model, Model::open(std::move(image), file.path, *device));
      return {};
    }
    remarks.push_back("`" + file.path + "` is a program of another release");
  }
  PENSTOCK_ASSIGN(const ProgramFile file, programOfMachine(recompile, moved));
  PENSTOCK_ASSIGN(model, Model::open(file, *device));
  return {};
}

Result<ProgramFile> TrainedRun::programFile(const Recompile &recompile) {
  const std::string path = folder + "/program.so";
  Result<ProgramFile> kept = ProgramFile::read(path);
  if (kept.ok() && kept->hash() == held.programHash) {
    return kept;
  }
  const std::string damaged = (kept.ok() ? damagedFile(path, "it is not the program of this run") : kept.status()).message();
  if (!recompile) {
    return environmentError(damaged + "; `penstock train ... --resume` compiles it again");
  }
  const Result<std::string> compiled = recompile(held, *plugins);
  if (!compiled.ok()) {
    return Status(compiled.status().code(), damaged + ", and it cannot be compiled again: " + compiled.status().message());
  }
  PENSTOCK_ASSIGN(ProgramFile made, ProgramFile::read(*compiled));
  PENSTOCK_TRY(made.forgetKey());
  if (made.hash() != held.programHash) {
    return environmentError(damaged + ", and compiling it again gives another one (another release or another machine); train again");
  }
  remarks.push_back(damaged + ", so it was compiled again; `penstock train ... --resume` mends the folder");
  made.path = path;
  return made;
}

Result<ProgramFile> TrainedRun::programOfMachine(const Recompile &recompile, bool moved) {
  if (!recompile) {
    return environmentError("the program of the run is to be compiled anew, and this build has no compiler");
  }
  PENSTOCK_ASSIGN(const std::string compiled, recompile(held, *plugins));
  PENSTOCK_ASSIGN(ProgramFile made, ProgramFile::read(compiled));
  PENSTOCK_TRY(made.forgetKey());
  if (made.hash() != held.programHash && !moved) { // what computes it is said where it moved
    remarks.push_back(
        "what was compiled is another program than the run's (another release, level or compiler), so answers can differ from its "
        "own in the last digits");
  }
  return made;
}

Result<SplitResult> TrainedRun::evaluate(const std::string &split, const std::string &cache, const ConfidenceSpec &confidence,
                                         StatusLine &line) {
  return measure(held.config, split, cache, confidence, line);
}

Result<SplitResult> TrainedRun::evaluateFile(const std::string &file, const std::string &split, const std::string &cache,
                                             const ConfidenceSpec &confidence, StatusLine &line) {
  RunConfig config = held.config;
  readWhole(config.records, absolutePath(file), split);
  PENSTOCK_ASSIGN(SplitResult result, measure(config, split, cache, confidence, line));
  result.split = file;
  return result;
}

Result<SplitResult> TrainedRun::measure(const RunConfig &config, const std::string &split, const std::string &cache,
                                        const ConfidenceSpec &confidence, StatusLine &line) {
  line.showRecords("reading " + split, 0, 0);
  Dataset::Options options;
  options.fitted = fitted();
  options.cache = cache;
  options.threads = std::min(threads(), usableCores());
  options.lastOnly = measuresLast(config, split);
  PENSTOCK_ASSIGN(const std::shared_ptr<const Dataset> dataset, Dataset::open(config.records, split, *plugins, options));
  if (dataset->records() == 0) {
    return invalidInput(config.records.sources.front().files.empty() ? "the split `" + split + "` has no records"
                                                                     : "there are no records to measure on");
  }
  const FittedFolder states = fitted();
  const std::string what = "measuring " + split;
  const std::int64_t total = dataset->records();
  Result<SplitResult> result = evaluateSplit(*session, dataset, config, *plugins, split, confidence, 64, &states,
                                             [&](std::int64_t done) { line.showRecords(what, done, total); });
  line.clear();
  return result;
}

Status TrainedRun::predict(PredictRequest request, PredictSummary &summary) {
  PENSTOCK_ASSIGN(const std::unique_ptr<const Predictor> predictor, Predictor::open(held.config, fitted(), *plugins, *model));
  return predictor->predict(*session, std::move(request), summary);
}

} // namespace penstock
