#include "runtime/artifact/train_artifact.h"

#include "runtime/artifact/artifact_data.h"
#include "runtime/artifact/linked.h"
#include "runtime/artifact/write_artifact.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/fits.h"
#include "runtime/exec/run_folder.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace penstock {
namespace {

/// The best level that this machine has and the artifact has code of.
Result<const PenstockProgram *> trainingProgram() {
  PENSTOCK_ASSIGN(const Level machine, machineLevel());
  for (const Level level : bestFirst) {
    if (const PenstockProgram *const found = level <= machine ? linkedProgram(level, true) : nullptr; found != nullptr) {
      return found;
    }
  }
  return environmentError("this artifact was not built to be trained; `penstock build --trainable` builds one that is");
}

/// Where the records are read: the source's own form, in other files.
Status takeFiles(RecordsSpec &records, const std::array<std::string, std::size(splitNames)> &files) {
  const bool oneFile = records.split.by != "file";
  SourceSpec &source = records.sources.front();
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (oneFile && i > 0 && !files[i].empty()) {
      return usageError(
          fmt::format("the pipeline takes its splits from one file, so `--{}` has no place: give all records in one file", splitNames[i]));
    }
    source.files.emplace_back();
    if (!files[i].empty()) {
      source.files.back().push_back(absolutePath(files[i]));
    }
  }
  if (oneFile) {
    source.path = source.files.front().empty() ? "" : source.files.front().front();
    source.files.clear();
  }
  return {};
}

/// Writes the artifact of a run that has ended, with the code of this one.
class NewArtifact {
public:
  NewArtifact(const Artifact &artifact, RunRecord record, std::string run, const std::string &version)
      : artifact(artifact), record(std::move(record)), run(std::move(run)) {
    this->record.config = artifact.config(); // can be trained again as this one
    data.record = &this->record;
    data.run = this->run;
    data.fitted = FittedFolder(this->run + "/fitted", this->record.fitted);
    for (const auto &[name, bytes] : artifact.fittedFiles().held) {
      if (!fileExists(data.fitted.path + "/" + name)) { // else it was fitted anew
        data.fitted.held[name] = bytes;
      }
    }
    data.name = artifact.about().name;
    data.version = version;
    data.resolved = artifact.about().resolved;
    data.precision = artifact.about().precision;
    data.differences = artifact.about().differences;
    data.trains = true;
    data.singleFile = isSingleFile();
  }

  Status write(const std::string &out) {
    // Of levels that this machine lacks there are no packed weights: the new artifact does without them.
    PENSTOCK_ASSIGN(const Level machine, machineLevel());
    for (int level = 0; level <= static_cast<int>(machine); ++level) {
      if (const PenstockProgram *const program = linkedProgram(static_cast<Level>(level)); program != nullptr) {
        PENSTOCK_ASSIGN(const std::shared_ptr<Model> model, Model::open(*program, hostDevice()));
        data.levels.push_back({program->level, model});
      }
    }
    for (const char *const kind : artifactDevices) {
      if (const PenstockProgram *const program = linkedDeviceProgram(kind); program != nullptr) {
        data.devices[kind] = programFingerprint(*program);
      }
    }
    for (const PluginManifest &manifest : artifact.host().manifests()) {
      PENSTOCK_ASSIGN(const std::string_view text,
                      artifact.bundle().section(fmt::format("plugin/{} {}", kindName(manifest.kind), manifest.name)));
      data.plugins.push_back({manifest, std::string(text), !manifest.library.empty()});
    }
    return writeFolderAtomically(out, [&](const std::string &folder) -> Status {
      PENSTOCK_ASSIGN(const std::string types, writeArtifactData(data, artifact.host(), folder));
      if (types != linkedTypes()) {
        return internalError("the trained artifact has other types than this one; please report this");
      }
      return copyCode(folder);
    });
  }

private:
  Status copyCode(const std::string &folder) const {
    const std::string own = artifactFile(), command = folder + "/" + data.name;
    if (isSingleFile()) {
      PENSTOCK_ASSIGN(std::string code, Bundle::withoutAppended(own));
      PENSTOCK_TRY(writeSingleFile(std::move(code), folder + "/" + artifactDataFile, command));
      PENSTOCK_TRY(removeAll(folder + "/" + artifactDataFile));
      return removeAll(folder + "/manifest.toml");
    }
    const std::string library = fmt::format("/lib{}.so", data.name);
    PENSTOCK_TRY(copyFile(own, folder + library));
    return copyFile(folderOf(own) + "/" + data.name, command);
  }

  static Status copyFile(const std::string &from, const std::string &to) {
    PENSTOCK_ASSIGN(const std::string bytes, readWholeFile(from));
    return writeExecutable(to, bytes);
  }

  const Artifact &artifact;
  RunRecord record;
  std::string run;
  ArtifactData data;
};

} // namespace

Result<TrainOutcome> trainArtifact(const Artifact &artifact, const TrainArtifactRequest &given) {
  PENSTOCK_ASSIGN(const PenstockProgram *const program, trainingProgram());
  PENSTOCK_TRY(checkArtifactFolder(given.out));
  TrainRequest request;
  request.out = given.out + ".training";
  // Before the data are read: a folder that cannot be used should not cost minutes.
  PENSTOCK_TRY(checkRunFolder(request.out, given.resume));
  request.config = artifact.config();
  RunConfig &config = request.config;
  const std::string here = artifact.fittedFiles().path; // names this artifact as what the training begins from
  config.train.from = here;
  config.records.fitted = here;
  config.classes.clear(); // found anew when the run begins
  config.target.threads = given.threads >= 0 ? given.threads : config.target.threads;
  PENSTOCK_TRY(takeFiles(config.records, given.files));
  PENSTOCK_ASSIGN(request.facts, gatherFacts(config.records, artifact.host(), "", &artifact.fittedFiles()));
  PENSTOCK_TRY(given.judge(config.records, request.facts));
  PENSTOCK_ASSIGN(const std::string_view weights, artifact.bundle().section(allWeightsSection));
  TrainRequest::Earlier &earlier = request.earlier.emplace();
  PENSTOCK_ASSIGN(earlier.weights, SafetensorsFile::lent(weights, here));
  const std::set<std::string> later = filesOf(fitsOf(config, artifact.host()), FitTime::weights);
  for (const auto &[name, bytes] : artifact.fittedFiles().held) {
    if (name != countsFile && !later.contains(name)) { // those are of the records that are trained on
      earlier.fitted.held[name] = bytes;
    }
  }
  request.linked = program;
  request.linkedHash = programFingerprint(*program);
  request.resume = given.resume;
  request.version = given.version;
  request.resumeCommand = given.resumeCommand;
  request.progress = given.progress;
  PENSTOCK_ASSIGN(TrainOutcome outcome, trainRun(request, artifact.host()));
  PENSTOCK_TRY(NewArtifact(artifact, outcome.record, request.out, given.version).write(given.out));
  PENSTOCK_TRY(removeAtOnce(request.out));
  return outcome;
}

} // namespace penstock
