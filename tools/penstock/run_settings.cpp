#include "tools/penstock/run_settings.h"

#ifdef PENSTOCK_HAS_DRIVER
#include "compiler/diagnostics/render.h"
#include "compiler/frontend/frontend.h"
#include "tools/penstock/compile_pipeline.h"
#endif

#include "runtime/base/printable.h"
#include "runtime/exec/trained_run.h"
#include "tools/penstock/threads.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <map>

namespace penstock {

#ifdef PENSTOCK_HAS_DRIVER
namespace {

/// Whether a resolved value only says what is measured, on which data and how fast. A param itself decides nothing: where it leads does.
bool isFree(const std::string &key) {
  const bool isParam = key.find('.') == std::string::npos;
  return isParam || key == "target.threads" || key.starts_with("evaluate.") || key.starts_with("expect.") || key == "data.source" ||
         key.starts_with("data.source.") || (key.starts_with("data.") && key.ends_with(".from"));
}

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
  options.loadManifests = [&](const std::vector<std::string> &folders) {
    std::vector<std::string> all = context.pluginFolders;
    all.insert(all.end(), folders.begin(), folders.end());
    return findPlugins(all);
  };
  const auto &[path, text] = source.files.front();
  PENSTOCK_ASSIGN(const frontend::Analysis analysis, frontend::analyze(path, text, options));
  // What only the data and models' folders know decided the weights: the run keeps it, whatever has become of them.
  frontend::Completion completion =
      trained.facts.empty() ? frontend::completeWithoutFacts(analysis) : frontend::complete(analysis, trained.facts);
  for (const diagnostics::Diagnostic &one : completion.diagnostics.all()) {
    if (one.severity == diagnostics::Severity::error) {
      *problems += diagnostics::renderText(one, [&](const std::string &file) { return analysis.textOf(file); });
    }
  }
  return completion;
}

std::string shown(const std::string &value) { return value.empty() ? "not set" : "`" + value + "`"; }

/// The lines of a resolved text that describe the model.
std::vector<std::string> modelLines(const std::string &text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (text.compare(at, 5, "node ") == 0) {
      lines.push_back(text.substr(at, end - at));
    }
    at = end + 1;
  }
  return lines;
}

Status checkSameWeights(const frontend::TypedPipeline &before, const frontend::TypedPipeline &now) {
  std::map<std::string, std::pair<std::string, std::string>> values;
  for (const frontend::ResolvedValue &value : before.resolved) {
    values[value.key].first = value.value;
  }
  for (const frontend::ResolvedValue &value : now.resolved) {
    values[value.key].second = value.value;
  }
  std::string text;
  for (const auto &[key, pair] : values) {
    if (pair.first != pair.second && !isFree(key)) {
      text += "\n  `" + key + "`: " + shown(pair.first) + " in the run, " + shown(pair.second) + " now";
    }
  }
  if (text.empty()) {
    const std::vector<std::string> old = modelLines(before.resolvedText), fresh = modelLines(now.resolvedText);
    const auto differs = std::mismatch(old.begin(), old.end(), fresh.begin(), fresh.end());
    if (differs.first != old.end() || differs.second != fresh.end()) {
      text = "\n  the model: " + shown(differs.first == old.end() ? "" : *differs.first) + " in the run, " +
             shown(differs.second == fresh.end() ? "" : *differs.second) + " now";
    }
  }
  if (!text.empty()) {
    return usageError(
        "the run is trained, and `--set` cannot change what its weights or its compiled program were made from:" + text +
        "\ntrain again with this setting; a run takes those of `evaluate`, of the data's source and headers, and `target.threads`");
  }
  return {};
}

} // namespace

Result<frontend::TypedPipeline> pipelineOf(const RunConfig &trained, const CommandContext &context) {
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

namespace {

/// The program of a run, made from what its folder keeps.
Result<std::string> compileAgain(const RunRecord &record, PluginHost &host, const CommandContext &context) {
  PENSTOCK_ASSIGN(frontend::TypedPipeline pipeline, pipelineOf(record.config, context));
  pipeline.target.level = record.level; // a better machine than the one that trained would make another program
  return compilePipeline(pipeline, host, nullptr, record.profiled);
}

} // namespace

Result<RunConfig> withSettings(const RunConfig &trained, const std::vector<std::string> &settings, const CommandContext &context) {
  if (settings.empty()) {
    return trained;
  }
  PENSTOCK_ASSIGN(const frontend::TypedPipeline before, pipelineOf(trained, context));
  std::string problems;
  PENSTOCK_ASSIGN(const frontend::Completion now, readAgain(trained, settings, context, &problems));
  if (!problems.empty()) {
    return usageError("`--set` does not fit the file of the run:\n" + problems);
  }
  PENSTOCK_TRY(checkSameWeights(before, now.pipeline));
  RunConfig changed = toRunConfig(now.pipeline);
  RunConfig config = trained;
  config.recordProgram = std::move(changed.recordProgram);
  config.metrics = std::move(changed.metrics);
  config.expectations = std::move(changed.expectations);
  config.threads = changed.threads;
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

Result<std::unique_ptr<TrainedRun>> openRun(const std::string &folder, const std::vector<std::string> &settings, int threads,
                                            const CommandContext &context) {
  PENSTOCK_ASSIGN(RunRecord record, readRunRecord(folder));
  PENSTOCK_ASSIGN(record.config, withSettings(record.config, settings, context));
  if (threads >= 0) {
    record.config.threads = threads;
  }
  warnOfIdleThreads(record.config.threads);
  TrainedRun::Recompile recompile;
#ifdef PENSTOCK_HAS_DRIVER
  recompile = [&](const RunRecord &run, PluginHost &host) { return compileAgain(run, host, context); };
#endif
  PENSTOCK_ASSIGN(std::unique_ptr<TrainedRun> run, TrainedRun::open(folder, std::move(record), context.pluginFolders, recompile));
  for (const std::string &warning : run->warnings()) {
    std::fprintf(stderr, "penstock: warning: %s\n", printableLines(warning).c_str());
  }
  return run;
}

} // namespace penstock
