#include "tools/penstock/load_pipeline.h"

#include "compiler/diagnostics/render.h"
#include "runtime/base/file.h"
#include "tools/penstock/transient.h"
#ifdef PENSTOCK_HAS_DATA
#include "runtime/data/dataset.h"
#include "runtime/exec/pretrained.h"
#include "runtime/plugin/plugin_host.h"
#endif

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/stat.h>

namespace penstock {

Result<std::string> readSourceFile(const std::string &path) {
  const auto failed = [&](const char *why) { return environmentError("`" + path + "` cannot be read: " + why); };
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) {
    return failed(std::strerror(errno));
  }
  if (S_ISDIR(info.st_mode)) {
    return failed("it is a folder");
  }
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return failed(std::strerror(errno));
  }
  std::string text;
  char buffer[1 << 16];
  std::size_t got = 0;
  while ((got = std::fread(buffer, 1, sizeof buffer, file)) > 0) {
    text.append(buffer, got);
    if (text.size() > (64u << 20)) { // a device that never ends is not a `.pipe` file
      break;
    }
  }
  const bool bad = std::ferror(file) != 0;
  std::fclose(file);
  if (bad) {
    return failed("it stopped in the middle");
  }
  return text;
}

namespace {

void print(const diagnostics::DiagnosticList &list, const frontend::Analysis &analysis, const LoadOptions &options) {
  const auto textOf = [&](const std::string &file) { return analysis.textOf(file); };
  std::string out;
  for (const diagnostics::Diagnostic &one : list.all()) {
    if (options.quiet && one.severity == diagnostics::Severity::warning) {
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
    return readWholeFile(options.factsFile);
  }
#ifdef PENSTOCK_HAS_DATA
  std::vector<std::string> folders = context.pluginFolders;
  folders.insert(folders.end(), analysis.pluginFolders.begin(), analysis.pluginFolders.end());
  PENSTOCK_ASSIGN(std::shared_ptr<PluginHost> host, PluginHost::create(folders));
  const Transient shown("reading the data", options.quiet);
  // Without a cache folder the facts are gathered anew each time, which is slower and no mistake.
  const auto cache = cacheFolder();
  PENSTOCK_ASSIGN(const std::string facts, gatherFacts(analysis.recordProgram, *host, cache.ok() ? *cache : std::string()));
  return addModelFacts(facts, analysis.modelFolders);
#else
  (void)analysis;
  (void)context;
  return environmentError("this build cannot read data");
#endif
}

} // namespace

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
  if (options.needsData && !analysis.isLibrary && !analysis.recordProgram.empty()) {
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
