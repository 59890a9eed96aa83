// `penstock build RUN --out DIR`: compiles a finished run into an artifact (docs/design/artifact.md).
#ifdef PENSTOCK_HAS_DRIVER
#include "tools/penstock/commands.h"
#include "tools/penstock/compile_pipeline.h"
#include "tools/penstock/deployed.h"
#include "tools/penstock/kept_records.h"
#include "tools/penstock/run_settings.h"

#include "compiler/driver/link_artifact.h"
#include "compiler/driver/program_key.h"
#include "runtime/artifact/artifact_data.h"
#include "runtime/artifact/bundle.h"
#include "runtime/artifact/c_layout.h"
#include "runtime/artifact/library_needs.h"
#include "runtime/artifact/linked.h"
#include "runtime/artifact/write_artifact.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/level_names.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/program_file.h"
#include "runtime/exec/program_image.h"
#include "runtime/exec/run_folder.h"
#include "runtime/exec/run_plugins.h"
#include "runtime/exec/run_set.h"
#include "runtime/kernels/kernel_table.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>
#include <set>

namespace penstock {
namespace {

struct BuildOptions {
  std::string run, out, name, level = "auto";
  std::string kernels, precision, data;
  bool noExpect = false, allowRecords = false, singleFile = false, trainable = false;
};

/// A name of C: it begins the names of functions and types.
Status checkName(const std::string &name) {
  static const std::set<std::string> taken = {"main", "std", "sem", "shm", "mq", "fts", "malloc", "free", "penstock"};
  return name.size() <= 100 && cName(name) == name && !taken.contains(name)
             ? Status()
             : usageError("`--name` takes a name of C that is not taken, as `work_order`, not `" + name + "`");
}

/// A level of the artifact.
struct LevelPlan {
  std::string name, precision;
  std::string packedBy; // the level whose code packs the weights on this machine, in the same form
};

/// Whether `--level` asks for code for a device beside the CPU's.
bool isDevice(const std::string &level) {
  return std::find(std::begin(artifactDevices), std::end(artifactDevices), level) != std::end(artifactDevices);
}

/// "auto" is the level of the run, whose answers the artifact then has to the bit.
Result<std::vector<std::string>> levelsOf(std::string asked, const std::string &ofRun) {
  PENSTOCK_ASSIGN(const Level machine, machineLevel());
  asked = isDevice(asked) ? "auto" : asked;
  if (asked == "all") {
    std::vector<std::string> all;
    for (int level = 0; level <= static_cast<int>(machine); ++level) {
      all.emplace_back(levelName(static_cast<Level>(level)));
    }
    return all;
  }
  const bool onCpu = std::find(levelNames.begin(), levelNames.end(), ofRun) != levelNames.end();
  PENSTOCK_ASSIGN(const Level level, asked != "auto" ? parseLevel(asked) : onCpu ? parseLevel(ofRun) : Result<Level>(machine));
  if (level > machine && (level != Level::amx || machine != Level::avx512)) { // those two have the kernels of float32 in common
    return environmentError(
        fmt::format("weights are packed for `{}` by its own instructions, which this machine of level `{}` does not have; "
                    "build on a machine that has them",
                    levelName(level), levelName(machine)));
  }
  return std::vector<std::string>{std::string(levelName(level))};
}

/// What each level computes in: bf16 where it has instructions for that on this machine, which pack the weights; else float32, as in
/// training.
Result<std::vector<LevelPlan>> plansOf(const BuildOptions &options, const RunRecord &record) {
  PENSTOCK_ASSIGN(const std::vector<std::string> levels, levelsOf(options.level, record.level));
  PENSTOCK_ASSIGN(const Level machine, machineLevel());
  const std::string precision = options.precision.empty() ? record.config.target.precision : options.precision;
  std::vector<LevelPlan> plans;
  for (const std::string &name : levels) {
    PENSTOCK_ASSIGN(const Level level, parseLevel(name));
    const bool rounds = precision == "bf16" && level <= machine && !bf16Instructions(level).empty();
    if (precision == "bf16" && !rounds && (levels.size() == 1 && (level > machine || !options.precision.empty()))) {
      return environmentError(
          fmt::format("weights of precision bf16 are packed by instructions that level `{}` does not have on this machine; "
                      "take another `--level`, `--precision fp32`, or build on a machine that has them",
                      name));
    }
    plans.push_back({name, rounds ? "bf16" : "fp32", level > machine ? std::string(levelName(machine)) : name});
  }
  return plans;
}

/// The precision of the run.
std::string computedIn(const RunRecord &record) { return record.kernels.find(", bf16 by ") == std::string::npos ? "fp32" : "bf16"; }

/// Why answers may differ from the run's.
std::vector<std::string> differencesOf(const std::vector<LevelPlan> &plans, const BuildOptions &options, const RunRecord &record) {
  std::vector<std::string> differences;
  for (const LevelPlan &plan : plans) {
    if (plan.precision != computedIn(record)) {
      differences.push_back(fmt::format("level {} computes in {}, the run in {}", plan.name, plan.precision, computedIn(record)));
    } else if (plan.name != record.level) {
      differences.push_back(fmt::format("level {} adds in another order than the run's {}", plan.name, record.level));
    }
  }
  if (isDevice(options.level) && options.level != record.level) {
    differences.push_back(fmt::format("`{}` adds in another order than the run's {}", options.level, record.level));
  }
  if (!options.kernels.empty()) {
    differences.push_back("our own kernels may add in another order than those of the run");
  }
  return differences;
}

/// Plugins of the tree are linked in, but for those that bring libraries; of others the library goes with the artifact.
bool isLinkedIn(const PluginManifest &plugin) {
  const std::string tree = treePlugins();
  return !tree.empty() && folderOf(plugin.folder) == tree && !plugin.bringsLibraries;
}

/// A library that goes with the artifact needs what the artifact needs, and no more.
Status checkNeeds(const PluginManifest &plugin) {
  PENSTOCK_ASSIGN(const std::string library, readWholeFile(plugin.library));
  PENSTOCK_ASSIGN(const LibraryNeeds needs, needsOf(library, plugin.library));
  std::vector<std::string> others;
  std::copy_if(needs.libraries.begin(), needs.libraries.end(), std::back_inserter(others),
               [](const std::string &one) { return one != "librt.so.1" && std::ranges::count(systemLibraries, one) == 0; });
  if (!others.empty()) {
    return invalidInput(
        fmt::format("the {} `{}` needs `{}`, which an artifact does not bring and a machine need not have; link its library `{}` "
                    "with the archive of that, or deploy the run's folder with `penstock predict`",
                    kindName(plugin.kind), plugin.name, fmt::join(others, "`, `"), plugin.library));
  }
  if (needs.glibc > std::vector<int>{2, 28}) {
    std::fprintf(stderr, "note: %s\n",
                 fmt::format("the {} `{}` needs glibc {}, the rest of the artifact 2.28: a machine with an older one refuses it; build the "
                             "plugin where glibc is as "
                             "old as there",
                             kindName(plugin.kind), plugin.name, fmt::join(needs.glibc, "."))
                     .c_str());
  }
  return {};
}

/// What may go into an artifact.
Status checkPlugin(const PluginManifest &plugin, const BuildOptions &options) {
  PENSTOCK_TRY(isLinkedIn(plugin) ? Status() : checkNeeds(plugin));
  return checkKeptRecords(plugin, options.allowRecords, "the artifact");
}

Result<std::vector<ArtifactPlugin>> pluginsInUse(const RunRecord &record, PluginHost &host, const BuildOptions &options) {
  PENSTOCK_ASSIGN(const std::vector<RunPlugin> used, pluginsOf(record.config, host));
  if (const PluginChanges changes = comparePlugins(record.plugins, used); !changes.decisive.empty()) {
    return environmentError(
        fmt::format("{}; what it gives need not fit the weights, so train again, or name the folder of the old one with `--plugins`",
                    fmt::join(changes.decisive, "\n")));
  }
  std::vector<ArtifactPlugin> plugins;
  for (const RunPlugin &plugin : used) {
    const PluginKindRow *const kind = findKind(plugin.kind);
    if (kind->kind == PluginKind::metric && !options.trainable) {
      continue; // nothing is measured
    }
    PENSTOCK_ASSIGN(const PluginManifest *const manifest, host.manifest(plugin.name, kind->kind));
    if (kind->kind == PluginKind::source && manifest->bringsLibraries) {
      std::fprintf(stderr,
                   "note: the artifact does not read `%s`, whose libraries a machine need not have: give it CSV or JSON Lines with the "
                   "same columns\n",
                   plugin.name.c_str());
      continue;
    }
    PENSTOCK_TRY(checkPlugin(*manifest, options));
    PENSTOCK_ASSIGN(std::string text, readWholeFile(manifest->folder + "/plugin.toml"));
    plugins.push_back({*manifest, std::move(text), !isLinkedIn(*manifest)});
  }
  return plugins;
}

/// The library, which the system can start, with the data behind it; the header stays beside it.
Status intoOneFile(const std::string &folder, const std::string &name) {
  const std::string library = fmt::format("{}/lib{}.so", folder, name), data = folder + "/" + artifactDataFile;
  PENSTOCK_ASSIGN(std::string code, readWholeFile(library));
  static constexpr std::string_view form = "[PENSTOCK-ARTIFACT-FORM]:";
  const std::size_t mark = code.find(form);
  if (mark == std::string::npos) {
    return internalError("the library of an artifact has no mark of its form; please report this");
  }
  code[mark + form.size()] = 'S';
  PENSTOCK_TRY(writeSingleFile(std::move(code), data, folder + "/" + name));
  for (const std::string &part : {library, data, folder + "/manifest.toml"}) {
    PENSTOCK_TRY(removeAll(part));
  }
  return {};
}

/// Whoever trains the artifact has no compiler: other records must not make another program.
Status checkTrainable(const RunRecord &record, const frontend::TypedPipeline &pipeline, const CommandContext &context) {
  nlohmann::json facts = nlohmann::json::parse(record.config.facts, nullptr, false);
  if (!facts.is_object() || !facts.contains("classes")) {
    return {};
  }
  for (nlohmann::json &column : facts["classes"]) {
    column.erase("counts");
  }
  RunRecord other = record;
  other.config.facts = facts.dump();
  PENSTOCK_ASSIGN(const frontend::TypedPipeline without, pipelineOf(other, context));
  if (canonicalProgram(pipeline) != canonicalProgram(without)) {
    return invalidInput("`class_weights: balanced` takes its weights from the records that a run is trained on, and they stand in the "
                        "compiled code, so the artifact could not be trained on others; write them as numbers "
                        "(`class_weights: [...]`), train, and build that run");
  }
  return {};
}

/// Between its steps, so that what it began is removed.
Status unlessInterrupted() { return interrupted() ? Status(ErrorCode::interrupted, "interrupted") : Status(); }

/// The program for the device that the pipeline names, beside those for the CPU.
Status addDevice(const frontend::TypedPipeline &pipeline, PluginHost &host, const std::string &code, ArtifactData &data,
                 ArtifactParts &parts) {
  PENSTOCK_ASSIGN(const CompileOptions compile, compileOptionsFor(pipeline, host));
  PENSTOCK_ASSIGN(const ArtifactCode made, compileForArtifact(pipeline, compile, false, code));
  PENSTOCK_ASSIGN(const ProgramFile file, ProgramFile::read(made.library));
  PENSTOCK_ASSIGN(const std::unique_ptr<ProgramImage> image, ProgramImage::map(file.bytes, file.path));
  data.devices[pipeline.target.device] = programFingerprint(*image->function()());
  parts.objects.push_back(made.object);
  parts.devices.push_back(pipeline.target.device);
  return {};
}

Status build(BuildOptions options, const CommandContext &context) {
  catchInterrupts();
  while (options.out.size() > 1 && options.out.back() == '/') {
    options.out.pop_back();
  }
  PENSTOCK_TRY(checkArtifactFolder(options.out));
  PENSTOCK_ASSIGN(const std::string run, answeringRun(options.run));
  PENSTOCK_ASSIGN(RunRecord record, readRunRecord(run));
  if (!record.finished) {
    return environmentError("the run in `" + run + "` has not ended, so it has no weights to build of; continue it with `--resume`");
  }
  const std::string name = options.name.empty() ? record.config.name : options.name;
  PENSTOCK_TRY(checkName(name));
  PENSTOCK_ASSIGN(const std::vector<LevelPlan> plans, plansOf(options, record));
  PENSTOCK_ASSIGN(frontend::TypedPipeline pipeline, pipelineOf(record, context));
  if (options.trainable) {
    PENSTOCK_TRY(checkTrainable(record, pipeline, context));
  }
  if (!options.kernels.empty()) {
    pipeline.target.kernels = options.kernels;
    pipeline.target.tuned.clear();
  }
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create(context.pluginFoldersWith(pipeline.pluginFolders)));
  ArtifactData data;
  data.record = &record;
  data.run = run;
  data.fitted = FittedFolder(run + "/fitted", record.fitted);
  data.name = name;
  data.version = context.version;
  data.singleFile = options.singleFile;
  data.precision = plans.back().precision; // of the best level
  data.differences = differencesOf(plans, options, record);
  data.resolved = record.config.hash();
  data.trains = options.trainable;
  PENSTOCK_ASSIGN(data.plugins, pluginsInUse(record, *host, options));
  std::optional<Deployed> deployed;
  if (!options.noExpect && !record.config.deploy.expectations.empty()) {
    PENSTOCK_ASSIGN(deployed, Deployed::plan(record, options.data, data.precision == computedIn(record)));
  }
  PENSTOCK_TRY(writeFolderAtomically(options.out, [&](const std::string &folder) -> Status {
    ArtifactParts parts;
    parts.name = name;
    parts.folder = folder;
    parts.functions.assign(std::begin(artifactFunctions), std::end(artifactFunctions));
    const std::string code = folder + "/code";
    PENSTOCK_TRY(makeFolders(code));
    for (const LevelPlan &plan : plans) {
      const auto compiled = [&](const std::string &level, const std::string &precision, bool trains) -> Result<ArtifactCode> {
        pipeline.target.device = "cpu";
        pipeline.target.level = level;
        pipeline.target.precision = precision;
        PENSTOCK_ASSIGN(const CompileOptions compile, compileOptionsFor(pipeline, *host));
        return compileForArtifact(pipeline, compile, trains, code);
      };
      PENSTOCK_ASSIGN(const ArtifactCode made, compiled(plan.name, plan.precision, false));
      PENSTOCK_ASSIGN(const ArtifactCode packs,
                      plan.packedBy == plan.name ? Result<ArtifactCode>(made) : compiled(plan.packedBy, plan.precision, false));
      PENSTOCK_ASSIGN(const std::shared_ptr<Model> program, Model::open(packs.library, hostDevice()));
      parts.objects.push_back(made.object);
      data.levels.push_back({plan.name, program});
      if (options.trainable) { // trains in what the run computed in
        PENSTOCK_ASSIGN(const ArtifactCode training, compiled(plan.name, record.config.target.precision, true));
        parts.objects.push_back(training.object);
        if (plan.packedBy == plan.name) { // else this machine cannot open it
          PENSTOCK_ASSIGN(const std::shared_ptr<Model> trained, Model::open(training.library, hostDevice()));
          PENSTOCK_TRY(checkOwnKernels(trained->table()));
        }
      }
      PENSTOCK_TRY(unlessInterrupted());
    }
    if (isDevice(options.level)) {
      pipeline.target.device = options.level;
      pipeline.target.precision = options.precision.empty() ? record.config.target.precision : options.precision;
      PENSTOCK_TRY(addDevice(pipeline, *host, code, data, parts));
    }
    for (const ArtifactPlugin &plugin : data.plugins) {
      if (!plugin.beside) {
        parts.plugins.push_back(plugin.manifest.name);
      }
    }
    parts.trains = options.trainable;
    PENSTOCK_ASSIGN(parts.types, writeArtifactData(data, *host, folder));
    PENSTOCK_TRY(unlessInterrupted());
    PENSTOCK_TRY(linkArtifact(parts));
    if (deployed && deployed->wantsResults()) {
      PENSTOCK_TRY(deployed->measureResults(data.levels.back().program, data.fitted, *host));
    }
    PENSTOCK_TRY(removeAll(code));
    PENSTOCK_TRY(options.singleFile ? intoOneFile(folder, name) : Status());
    return unlessInterrupted();
  }));
  if (!data.differences.empty()) {
    std::fprintf(stderr, "note: answers may differ from the run's: %s\n", fmt::format("{}", fmt::join(data.differences, "; ")).c_str());
  }
  return deployed ? deployed->hold(options.out, name, options.singleFile) : Status();
}

} // namespace

void addBuildCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<BuildOptions>();
  CLI::App *command = app.add_subcommand("build", "compile a finished run into an artifact: a library, a command and their data");
  command->add_option("RUN", options->run, "folder that `penstock train` wrote")->required()->type_name("RUN");
  command->add_option("--out", options->out, "folder to make, or to replace")->required()->type_name("DIR");
  command->add_option("--name", options->name, "name of the library, the command and its functions; by default the pipeline's")
      ->type_name("NAME");
  std::vector<std::string> levels(levelNames.begin(), levelNames.end());
  levels.insert(levels.begin(), {"auto", "all"});
  levels.insert(levels.end(), std::begin(artifactDevices), std::end(artifactDevices));
  command
      ->add_option(
          "--level", options->level,
          "instruction sets that it has code for: auto, that of the run, whose answers it has to the bit; all that this machine has; cuda: "
          "beside auto's, NVIDIA cards, taken where there is a driver")
      ->check(CLI::IsMember(levels))
      ->capture_default_str()
      ->type_name("LEVEL");
  command
      ->add_option("--precision", options->precision,
                   "of matmuls, fp32 or bf16; by default the run's. A level without instructions for bf16 computes in fp32")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->type_name("PRECISION");
  command
      ->add_option("--kernels", options->kernels,
                   "penstock: our own kernels in place of others that the run was trained with; answers may differ in the last digits")
      ->check(CLI::IsMember({"penstock"}))
      ->type_name("KERNELS");
  addKeptRecordsOption(*command, options->allowRecords);
  command->add_flag("--single-file", options->singleFile, "one executable with all data in it, which is the library as well");
  command->add_flag("--trainable", options->trainable,
                    "with the compiled training step: `NAME train more.csv --out NEW` trains it further where nothing is installed");
  CLI::Option *const data =
      command
          ->add_option(
              "--data", options->data,
              "a file with records to measure what `deploy` expects on, read as the run's own; `{split}` in its name stands for the "
              "split, else it is each; by default the run's data, and its results")
          ->type_name("FILE");
  command->add_flag("--no-expect", options->noExpect, "do not measure what `deploy` expects")->excludes(data);
  setExamples(*command, {"penstock build run --out artifact --name orders", "echo 'hydraulic hose burst' | artifact/orders"});
  command->callback([options, &context] {
    if (const Status status = build(*options, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
#endif
