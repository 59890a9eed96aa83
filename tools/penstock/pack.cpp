// `penstock pack RUN --out FILE.tar`: a finished run as one file for other people (docs/guides/deploy.md).
#include "tools/penstock/commands.h"
#include "tools/penstock/kept_records.h"
#include "tools/penstock/tar.h"

#include "runtime/base/disk_cache.h"
#include "runtime/base/file.h"
#include "runtime/base/printable.h"
#include "runtime/data/run_text.h"
#include "runtime/data/sealed_json.h"
#include "runtime/exec/program_file.h"
#include "runtime/exec/run_folder.h"
#include "runtime/exec/run_places.h"
#include "runtime/exec/run_set.h"
#include "runtime/exec/safetensors.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <memory>

namespace penstock {
namespace {

struct PackOptions {
  std::string run, out;
  bool allowRecords = false;
};

/// The folder below which all `.pipe` files of the run lie: they name one another by their ways from there.
std::string folderOfFiles(const RunSource &source) {
  std::filesystem::path common;
  for (const RunSource::File &file : source.files) {
    const std::filesystem::path folder = std::filesystem::path(file.path).parent_path();
    if (common.empty()) {
      common = folder;
    }
    while (common != common.root_path() &&
           std::mismatch(common.begin(), common.end(), folder.begin(), folder.end()).first != common.end()) {
      common = common.parent_path();
    }
  }
  return common.string();
}

/// run.json without places.
Result<std::string> packedRecord(const std::string &run, const RunRecord &record) {
  const std::string path = run + "/run.json";
  PENSTOCK_ASSIGN(const std::string text, readWholeFile(path));
  PENSTOCK_ASSIGN(nlohmann::ordered_json json, openRunText(path, text));
  RunPlaces(run).gather(json, folderOfFiles(record.config.source));
  return sealedText(std::move(json));
}

Status checkLearners(const RunRecord &record, const CommandContext &context, bool allowed) {
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create(context.pluginFoldersWith(record.config.pluginFolders)));
  for (const AnswerSpec &answer : record.config.answers) {
    if (answer.learner) {
      PENSTOCK_ASSIGN(const PluginManifest *const learner, host->manifest(answer.decoder, PluginKind::learner));
      PENSTOCK_TRY(checkKeptRecords(*learner, allowed, "the packed run"));
    }
  }
  return {};
}

Status pack(const PackOptions &options, const CommandContext &context) {
  PENSTOCK_ASSIGN(const std::string run, answeringRun(options.run));
  PENSTOCK_ASSIGN(const RunRecord record, readRunRecord(run));
  if (!record.finished) {
    return environmentError("the run in `" + run + "` has not ended, so there is nothing to pack; continue it with `--resume`");
  }
  PENSTOCK_TRY(checkLearners(record, context, options.allowRecords));
  AtomicFile out(options.out);
  PENSTOCK_TRY(out.open());
  TarWriter tar(out);
  const std::string &name = record.config.name;
  PENSTOCK_ASSIGN(const std::string json, packedRecord(run, record));
  PENSTOCK_TRY(tar.add(name + "/run.json", json));
  const FittedFolder fitted(run + "/fitted", record.fitted);
  for (const auto &[file, hash] : record.fitted) {
    PENSTOCK_ASSIGN(const std::string bytes, readFittedFile(fitted, file));
    PENSTOCK_TRY(tar.add(name + "/fitted/" + file, bytes));
  }
  const std::string weights = run + "/model.safetensors", program = run + "/program.so";
  PENSTOCK_ASSIGN(const std::shared_ptr<const SafetensorsFile> tensors, SafetensorsFile::open(weights, record.weightsHash));
  PENSTOCK_TRY(tar.add(name + "/model.safetensors", tensors->bytes()));
  PENSTOCK_ASSIGN(const ProgramFile code, ProgramFile::read(program));
  if (code.hash() != record.programHash) {
    return damagedFile(program, "it is not the program of this run; `penstock train ... --resume` compiles it again");
  }
  PENSTOCK_TRY(tar.add(name + "/program.so", code.bytes));
  PENSTOCK_TRY(tar.end());
  PENSTOCK_TRY(out.commit());
  std::printf("packed: `tar xf %s` makes the folder `%s`\n", printable(options.out).c_str(), printable(name).c_str());
  return {};
}

} // namespace

void addPackCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<PackOptions>();
  CLI::App *command = app.add_subcommand("pack", "put a finished run into one tar, without where it was made");
  command->add_option("RUN", options->run, "folder that `penstock train` wrote")->required()->type_name("RUN");
  command->add_option("--out", options->out, "the tar to write")->required()->type_name("FILE");
  addKeptRecordsOption(*command, options->allowRecords);
  setExamples(*command, {"penstock pack run --out run.tar"});
  command->callback([options, &context] {
    if (const Status status = pack(*options, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
