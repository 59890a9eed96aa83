#include "tools/penstock/load_pipeline.h"

#include "compiler/diagnostics/render.h"
#include "compiler/frontend/source.h"
#include "runtime/base/disk_cache.h"
#include "runtime/base/file.h"
#include "runtime/base/record_graph.h"
#include "runtime/base/splits.h"
#include "tools/command_line/transient.h"
#ifdef PENSTOCK_HAS_DATA
#include "runtime/data/dataset.h"
#include "runtime/exec/pretrained.h"
#include "runtime/plugin/plugin_host.h"
#endif

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <vector>

namespace penstock {

Result<std::string> readSourceFile(const std::string &path) {
  // What the shell has put there as a stream (`< FILE`, `<(command)`) is read to its end, as any reader of streams does.
  if (path == "/dev/stdin" || path.starts_with("/dev/fd/") || path.starts_with("/proc/self/fd/")) {
    const Descriptor stream(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    return stream.ok() ? readBeginning(stream.get(), path, frontend::SourceFile::largest + 1) : systemError("read", path, errno);
  }
  auto text = frontend::readProgramText(path);
  const std::string known = "could not read `" + path + "`: ";
  if (text.ok() || !text.status().message().starts_with(known)) {
    return text;
  }
  std::string why = "`" + path + "` cannot be read: " + text.status().message().substr(known.size());
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    const std::filesystem::path given(path);
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator at(given.has_parent_path() ? given.parent_path() : ".", error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().extension() == ".pipe") {
        names.push_back(at->path().filename().string());
      }
    }
    const std::string near = diagnostics::nearest(given.filename().string(), names);
    why += near.empty() ? "" : "; did you mean `" + (given.parent_path() / near).string() + "`?";
  }
  return environmentError(why);
}

namespace {

void print(const diagnostics::DiagnosticList &list, const frontend::Analysis &analysis, const LoadOptions &options) {
  const auto textOf = [&](const std::string &file) { return analysis.textOf(file); };
  std::string out;
  for (const diagnostics::Diagnostic &one : list.all()) {
    if (options.quietWarnings && one.severity == diagnostics::Severity::warning) {
      continue;
    }
    out += options.json ? diagnostics::renderJson(one) + "\n" : diagnostics::renderText(one, textOf);
  }
  if (list.dropped() > 0 && !options.json) {
    out += "and " + std::to_string(list.dropped()) + " more\n";
  }
  std::fwrite(out.data(), 1, out.size(), options.json ? stdout : stderr);
}

Result<std::string> factsOf(const LoadOptions &options, const frontend::Analysis &analysis, const CommandContext &context) {
  if (!options.factsFile.empty()) {
    PENSTOCK_ASSIGN(std::string given, readWholeFile(options.factsFile));
#ifdef PENSTOCK_HAS_DATA
    return addModelFacts(given, analysis.modelFolders);
#else
    return given;
#endif
  }
#ifdef PENSTOCK_HAS_DATA
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create(context.pluginFoldersWith(analysis.pluginFolders)));
  const Transient shown("reading the data", options.quiet);
  // Without a cache folder the facts are gathered anew each time, which is slower and no mistake.
  const auto cache = cacheFolder();
  PENSTOCK_ASSIGN(const std::string facts, gatherFacts(analysis.declared.records, *host, cache.ok() ? *cache : std::string()));
  return addModelFacts(facts, analysis.modelFolders);
#else
  (void)analysis;
  (void)context;
  return environmentError("this build cannot read data");
#endif
}

} // namespace

/// " (12 dropped, 3 repeated)", or nothing.
static std::string removedFrom(const LoadedPipeline &loaded, const std::string &split) {
  std::string text;
  const auto found = loaded.removed.find(split);
  const std::map<std::string, std::int64_t> counts = found == loaded.removed.end() ? std::map<std::string, std::int64_t>() : found->second;
  for (const RowOperator &row : rowOperators()) {
    if (const auto count = counts.find(row.name); count != counts.end() && count->second > 0) {
      text += (text.empty() ? "" : ", ") + std::to_string(count->second) + " " + row.removed;
    }
  }
  return text.empty() ? text : " (" + text + ")";
}

std::string recordsOf(const LoadedPipeline &loaded) {
  std::string text;
  for (const char *name : splitNames) {
    if (const auto found = loaded.records.find(name); found != loaded.records.end()) {
      text += (text.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(found->second);
      text += removedFrom(loaded, name);
    }
  }
  return text.empty() ? text : text + " records";
}

LoadedPipeline loadPipeline(const LoadOptions &options, CommandContext &context) {
  LoadedPipeline loaded;
  auto text = readSourceFile(options.file);
  if (!text.ok()) {
    context.fail(text.status());
    return loaded;
  }
  frontend::AnalyzeOptions analyzeOptions;
  analyzeOptions.settings = options.settings;
  analyzeOptions.loadManifests = [&](const std::vector<std::string> &folders) {
    std::vector<std::string> all = context.pluginFolders;
    all.insert(all.end(), folders.begin(), folders.end());
    return findPlugins(all);
  };
  auto analyzed = frontend::analyze(options.file, std::move(text).value(), analyzeOptions);
  if (!analyzed.ok()) {
    context.fail(analyzed.status());
    return loaded;
  }
  const frontend::Analysis &analysis = *analyzed;
  loaded.isLibrary = analysis.isLibrary;
  loaded.files = analysis.files();
  frontend::Completion completion;
  Status dataFailure;
  if (options.needsData && !analysis.isLibrary && !analysis.declared.records.sources.empty()) {
    auto facts = factsOf(options, analysis, context);
    if (facts.ok()) {
      loaded.facts = std::move(facts).value();
      loaded.hasFacts = true;
      completion = frontend::complete(analysis, loaded.facts);
    } else {
      completion = frontend::completeWithoutFacts(analysis);
      const bool mistake = facts.status().code() == ErrorCode::invalidInput;
      if (mistake || completion.diagnostics.hasErrors()) {
        completion.diagnostics.report("data-unreadable", {options.file}, {{"detail", facts.status().message()}});
      } else {
        dataFailure = facts.status();
      }
    }
  } else {
    completion = frontend::completeWithoutFacts(analysis);
  }
  print(completion.diagnostics, analysis, options);
  loaded.errors = completion.diagnostics.errors();
  loaded.warnings = completion.diagnostics.warnings();
  loaded.pipeline = std::move(completion.pipeline);
  loaded.records = std::move(completion.records);
  loaded.removed = std::move(completion.removed);
  if (completion.diagnostics.hasErrors()) {
    context.exitCode = exitCodeOf(frontend::onlyCommandLineMistakes(completion.diagnostics) ? ErrorCode::usage : ErrorCode::invalidInput);
    return loaded;
  }
  if (!dataFailure.ok()) {
    context.fail(dataFailure);
    return loaded;
  }
  loaded.ok = true;
  return loaded;
}

} // namespace penstock
