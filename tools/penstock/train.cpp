// `penstock train FILE --out DIR`: checks, compiles and trains a pipeline into a run folder.
#ifdef PENSTOCK_HAS_DRIVER
#include "compiler/frontend/resolved_text.h"
#include "tools/command_line/threads.h"
#include "tools/command_line/train_output.h"
#include "tools/command_line/transient.h"
#include "tools/penstock/commands.h"
#include "tools/penstock/compile_pipeline.h"
#include "tools/penstock/load_pipeline.h"
#include "tools/penstock/run_settings.h"
#include "tools/penstock/train_set.h"

#include "runtime/base/device_names.h"
#include "runtime/base/disk_cache.h"
#include "runtime/device/devices.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/run_set.h"
#include "runtime/exec/trainer.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/plugin/plugin_host.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

namespace penstock {
namespace {

using Json = nlohmann::ordered_json;

} // namespace

RunConfig toRunConfig(const frontend::TypedPipeline &pipeline) {
  RunConfig config;
  static_cast<PipelineValue &>(config) = pipeline;
  config.resolvedText = frontend::resolvedTextOf(pipeline);
  for (const frontend::ResolvedValue &value : pipeline.resolved) {
    config.resolved.push_back({value.key, value.value, value.origin, value.decides});
  }
  std::set<std::string> seen; // a shared instance stands in the graph once for each use
  for (const frontend::GraphNode &node : pipeline.model.nodes) {
    for (const frontend::Weight &weight : node.weights) {
      const frontend::Pretrained &from = weight.pretrained;
      const std::string name = node.path + "." + weight.name;
      if (from.tensors.empty() && weight.fit.empty() && weight.vectors.empty()) {
        continue;
      }
      if (!seen.insert(name).second) {
        continue;
      }
      if (!from.tensors.empty()) {
        config.pretrained.push_back({name, from.folder, from.tensors, from.transposed, from.skippedRows});
      }
      // Of the ids that the operation reads, which are an input.
      const std::string &feature = pipeline.model.nodes[static_cast<std::size_t>(node.operands.empty() ? 0 : node.operands[0])].op;
      if (!weight.fit.empty()) {
        config.fittedTensors.push_back({name, weight.fit, feature});
      }
      if (!weight.vectors.empty()) {
        config.vectors.push_back({name, weight.vectors, feature});
      }
    }
  }
  for (const frontend::EncoderUse &encoder : pipeline.encoders) {
    config.encoders.push_back({encoder.path, encoder.family, encoder.folder, encoder.config});
  }
  return config;
}

namespace {

RunSource sourceOf(const LoadedPipeline &loaded, const LoadOptions &options) {
  RunSource source;
  for (const frontend::ProgramFile &file : loaded.files) {
    source.files.push_back({file.path, file.text});
  }
  source.settings = options.settings;
  std::error_code error;
  source.folder = std::filesystem::current_path(error).string();
  return source;
}

/// What shapes were decided by: the run is read again without its data and models' folders. What was wrong with the data, and where
/// they lay, is no part of it.
std::string factsOfRun(const std::string &facts) {
  Json json = Json::parse(facts, nullptr, false);
  if (!json.is_object()) {
    return "";
  }
  for (const char *part : {"problems", "overlap", "fitted", "states", "splits", "header", "inputs"}) {
    json.erase(part);
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

std::string resumeCommand(const TrainOptions &options) {
  std::string command = "penstock train " + shellWord(options.load.file) +
                        (options.seeds > 0 ? " --seeds " + std::to_string(options.seeds) : "") + " --out " + shellWord(options.out) +
                        " --resume";
  for (const std::string &setting : options.load.settings) {
    command += " --set " + shellWord(setting);
  }
  command += options.keepCheckpoints ? " --keep-checkpoints" : "";
  return command;
}

Result<std::optional<TrainOutcome>> trainOne(TrainOptions options, CommandContext &context, std::optional<LoadedPipeline> given) {
  LoadedPipeline loaded = given ? std::move(*given) : loadPipeline(options.load, context);
  if (!loaded.ok) {
    return std::optional<TrainOutcome>(); // said already
  }
  if (loaded.isLibrary) {
    return invalidInput("`" + options.load.file + "` holds layers and heads but no pipeline, so there is nothing to train");
  }
  // Compiling for a better machine is fine, training there is not: said before the folder is touched.
  PENSTOCK_ASSIGN(const Level machine, machineLevel());
  PENSTOCK_ASSIGN(const Level level, loaded.pipeline.target.level.empty() ? machine : parseLevel(loaded.pipeline.target.level));
  const bool onCpu = levelOfDevice(loaded.pipeline.target.device).empty();
  if (onCpu && level > machine) {
    return environmentError("`target.level` asks for `" + std::string(levelName(level)) + "`, this machine is `" +
                            std::string(levelName(machine)) +
                            "`; leave it out, or train where it can run (`penstock compile` compiles for any level)");
  }
  PENSTOCK_TRY(openDevice(loaded.pipeline.target.device).status());
  PENSTOCK_TRY(takeTunedKernels(loaded.pipeline));
  warnOfIdleThreads("penstock", loaded.pipeline.target.threads);
  TrainRequest request;
  request.config = toRunConfig(loaded.pipeline);
  request.config.source = sourceOf(loaded, options.load);
  request.config.facts = factsOfRun(loaded.facts);
  request.facts = loaded.facts;
  request.dataText = recordsOf(loaded);
  request.out = options.out;
  request.resume = options.resume;
  request.version = context.version;
  const Result<std::string> cache = cacheFolder();
  request.cache = cache.ok() ? *cache : "";
  request.resumeCommand = options.goesOn.empty() ? resumeCommand(options) : options.goesOn;
  request.progress = Progress::detect(options.load.quiet);
  request.checkpointSeconds = options.checkpointSeconds;
  request.keepCheckpoints = options.keepCheckpoints;
  request.profile = options.profile;
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create(context.pluginFoldersWith(loaded.pipeline.pluginFolders)));
  if (onCpu && loaded.pipeline.target.precision == "bf16" && !options.load.quiet) {
    if (bf16Instructions(level).empty()) {
      std::fprintf(stderr, "note: this machine has no bf16 instructions at level `%s`; `precision: bf16` is computed in float32\n",
                   std::string(levelName(level)).c_str());
    }
  }
  request.program = [&](bool profiled) {
    const Transient shown("compiling", options.load.quiet);
    return compilePipeline(loaded.pipeline, *host, nullptr, profiled);
  };
  PENSTOCK_ASSIGN(TrainOutcome outcome, trainRun(request, *host));
  return std::optional(std::move(outcome));
}

namespace {

Status train(TrainOptions &options, CommandContext &context) {
  catchInterrupts();
  if (!options.level.empty()) {
    options.load.settings.push_back("target.level=" + options.level);
  }
  if (options.threads >= 0) {
    options.load.settings.push_back("target.threads=" + std::to_string(options.threads));
  }
  if (options.seeds > 0) {
    return trainSeeds(options, context);
  }
  // Before the data are read: a folder that cannot be used should not cost minutes.
  const bool several = isRunSet(options.out);
  if (!several) {
    PENSTOCK_TRY(checkRunFolder(options.out, options.resume));
  }
  LoadedPipeline loaded = loadPipeline(options.load, context);
  if (!loaded.ok) {
    return {}; // said already
  }
  if (const SplitSpec &split = loaded.pipeline.records.split; split.folds > 0 && split.fold < 0) {
    return trainFolds(options, split, context);
  }
  if (several) {
    PENSTOCK_TRY(checkRunFolder(options.out, options.resume));
  }
  PENSTOCK_ASSIGN(const std::optional<TrainOutcome> trained, trainOne(options, context, std::move(loaded)));
  if (!trained) {
    return {};
  }
  const TrainOutcome &outcome = *trained;
  context.outputInforms = !options.json; // the run is in its folder
  if (options.json) {
    printTrainedJson("run", options.out, outcome);
  } else {
    printTrained("run", options.out, outcome, options.load.quiet);
  }
  if (!outcome.profile.empty()) {
    std::fprintf(options.json ? stderr : stdout, "\n%s", outcome.profile.c_str()); // asked for, so --quiet does not silence it
  }
  return {};
}

} // namespace

void addTrainCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App *command = app.add_subcommand("train", "check, compile and train a pipeline into a run folder");
  command->add_option("FILE", options->load.file, "the .pipe file")->required();
  command->add_option("--out", options->out, "folder of the run; must be new or empty")->required()->type_name("DIR");
  command
      ->add_option("--seeds", options->seeds,
                   "train so many runs, each with a seed of its own, and tell mean and deviation; the median one answers")
      ->check(CLI::Range(2, 1000))
      ->type_name("N");
  command->add_flag("--resume", options->resume, "continue the run in DIR, or start it where there is no checkpoint");
  command->add_option("--set", options->load.settings, "name=value: a param, or a setting as block.setting (may be repeated)")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--quiet", options->load.quiet, "print errors, warnings and where the run is, and nothing else");
  command->add_flag("--profile", options->profile, "print where the time of the steps went, and write DIR/profile.json, a Chrome trace");
  command->add_flag("--json", options->json, "print the results as one JSON object");
  addLevelOption(*command, options->level);
  command->add_option("--threads", options->threads, "threads to use; 0: one a core")->check(CLI::Range(0, 1024));
  command->add_option("--checkpoint-every", options->checkpointSeconds, "seconds between checkpoints")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str()
      ->type_name("SECONDS");
  command->add_flag("--keep-checkpoints", options->keepCheckpoints, "leave the checkpoints in DIR when the run is finished");
  setExamples(*command, {"penstock train task.pipe --out run", "penstock train task.pipe --out run --resume"});
  command->callback([options, &context] {
    if (const Status status = train(*options, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
#endif
