#include "tools/penstock/run_settings.h"

#include "runtime/exec/run_set.h"

#ifdef PENSTOCK_HAS_DRIVER
#include "compiler/diagnostics/render.h"
#include "compiler/frontend/frontend.h"
#include "tools/penstock/compile_pipeline.h"
#endif

#include "runtime/base/level_names.h"
#include "runtime/base/printable.h"
#include "runtime/kernels/kernel_table.h"
#include "tools/command_line/threads.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>

namespace penstock {

#ifdef PENSTOCK_HAS_DRIVER
namespace {

Result<frontend::Completion> readAgain(const RunConfig &trained, const std::vector<std::string> &settings, const CommandContext &context,
                                       std::string *problems) {
  const RunSource &source = trained.source;
  frontend::AnalyzeOptions options;
  options.earlierSettings = source.settings;
  options.earlierFolder = source.folder;
  options.settings = settings;
  options.loadText = [&](const std::string &path) -> Result<std::string> {
    for (const auto &[name, text] : source.files) {
      if (name == path) {
        return text;
      }
    }
    return environmentError("the run does not keep it");
  };
  // Not the folders that the files name: openRun() may have left them out.
  options.loadManifests = [&](const std::vector<std::string> &) { return findPlugins(context.pluginFoldersWith(trained.pluginFolders)); };
  for (const AnswerSpec &answer : trained.answers) {
    if (answer.targetType == "number" && answer.feature.empty()) {
      options.unscaledTargets.insert(answer.target);
    }
  }
  const auto &[path, text] = source.files.front();
  PENSTOCK_ASSIGN(const frontend::Analysis analysis, frontend::analyze(path, text, options));
  // What only the data and models' folders know decided the weights: the run keeps it, whatever has become of them.
  frontend::Completion completion =
      trained.facts.empty() ? frontend::completeWithoutFacts(analysis) : frontend::complete(analysis, trained.facts);
  completion.pipeline.target.tuned = trained.target.tuned; // not what this machine's table says now
  for (const diagnostics::Diagnostic &one : completion.diagnostics.all()) {
    if (one.severity == diagnostics::Severity::error) {
      *problems += diagnostics::renderText(one, [&](const std::string &file) { return analysis.textOf(file); });
    }
  }
  return completion;
}

/// The pipeline as it was trained.
Result<frontend::TypedPipeline> readTrained(const RunConfig &trained, const CommandContext &context) {
  if (trained.source.files.empty()) {
    return environmentError("the run keeps no `.pipe` file");
  }
  std::string problems;
  PENSTOCK_ASSIGN(frontend::Completion completion, readAgain(trained, {}, context, &problems));
  if (!problems.empty()) {
    return environmentError("the file of the run can no longer be read:\n" + problems);
  }
  return std::move(completion.pipeline);
}

} // namespace

Result<frontend::TypedPipeline> pipelineOf(const RunRecord &record, const CommandContext &context) {
  PENSTOCK_ASSIGN(frontend::TypedPipeline pipeline, readTrained(record.config, context));
  const std::string &device = record.config.target.device;
  const bool onCpu = std::find(levelNames.begin(), levelNames.end(), record.level) != levelNames.end();
  // A better machine than the one that trained would make another program. What was trained on another device has no level of the CPU.
  pipeline.target.level = onCpu ? record.level : "";
  pipeline.target.device = device;
  return pipeline;
}

Result<RunConfig> withSettings(const RunConfig &trained, const std::vector<std::string> &settings, const CommandContext &context) {
  if (settings.empty()) {
    return trained;
  }
  PENSTOCK_ASSIGN(const frontend::TypedPipeline before, readTrained(trained, context));
  std::string problems;
  PENSTOCK_ASSIGN(const frontend::Completion now, readAgain(trained, settings, context, &problems));
  if (!problems.empty()) {
    return usageError("`--set` does not fit the file of the run:\n" + problems);
  }
  RunConfig changed = toRunConfig(now.pipeline);
  if (const std::string changes = changesOf(toRunConfig(before), changed, fixedInAFinishedRun); !changes.empty()) {
    return usageError("the run is trained, and `--set` cannot change what its weights or its compiled program were made from:" + changes +
                      "\ntrain again with this setting; a run takes those of `evaluate`, of the data's source and headers, `target.device` "
                      "and `target.threads`");
  }
  RunConfig config = trained;
  static_cast<PipelineValue &>(config) = std::move(static_cast<PipelineValue &>(changed)); // all else in it agrees
  return config;
}
#else
Result<RunConfig> withSettings(const RunConfig &trained, const std::vector<std::string> &settings, const CommandContext &) {
  if (!settings.empty()) {
    return environmentError("this build cannot read `.pipe` files, so it takes no `--set`");
  }
  return trained;
}
#endif

void addRunSettings(CLI::App &command, std::vector<std::string> &settings) {
  command
      .add_option("--set", settings,
                  "name=value: a param or setting that only says which data are read and what is measured (may be repeated)")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
}

void addLevelOption(CLI::App &command, std::string &level) {
  command.add_option("--level", level, "instruction set: avx2, avx512 or amx; by default the machine's best")
      ->check(CLI::IsMember(std::vector<std::string>(levelNames.begin(), levelNames.end())))
      ->type_name("LEVEL");
}

Result<std::unique_ptr<TrainedRun>> openRun(const std::string &given, const std::vector<std::string> &settings, int threads,
                                            const CommandContext &context, TrainedRun::Code code) {
  PENSTOCK_ASSIGN(const std::string folder, answeringRun(given));
  PENSTOCK_ASSIGN(RunRecord record, readRunRecord(folder));
  const bool itsOwn = code == TrainedRun::Code::ofRun;
  if (!itsOwn) {
    record.config.pluginFolders.clear();
  }
  PENSTOCK_ASSIGN(record.config, withSettings(record.config, settings, context));
  if (threads >= 0) {
    record.config.target.threads = threads;
  }
  warnOfIdleThreads("penstock", record.config.target.threads);
  TrainedRun::Recompile recompile;
#ifdef PENSTOCK_HAS_DRIVER
  recompile = [&](const RunRecord &run, PluginHost &host) -> Result<std::string> {
    PENSTOCK_ASSIGN(frontend::TypedPipeline pipeline, pipelineOf(run, context));
    if (!itsOwn && !pipeline.target.level.empty()) { // it need not be a machine of the run's level
      PENSTOCK_ASSIGN(const Level trained, parseLevel(pipeline.target.level));
      PENSTOCK_ASSIGN(const Level machine, machineLevel());
      pipeline.target.level = levelName(std::min(trained, machine));
    }
    return compilePipeline(pipeline, host, nullptr, run.profiled);
  };
#endif
  PENSTOCK_ASSIGN(std::unique_ptr<TrainedRun> run, TrainedRun::open(folder, std::move(record), context.pluginFolders, recompile, code));
  for (const std::string &warning : run->warnings()) {
    std::fprintf(stderr, "penstock: warning: %s\n", printableLines(warning).c_str());
  }
  return run;
}

} // namespace penstock
