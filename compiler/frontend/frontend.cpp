#include "compiler/frontend/frontend.h"

#include "compiler/frontend/check/checker.h"
#include "runtime/base/file.h"

#include <algorithm>
#include <filesystem>

namespace penstock::frontend {

struct AnalysisState {
  Program program;
  std::vector<PluginManifest> manifests;
  std::vector<Override> overrides;
  std::set<std::string> unscaledTargets;
  diagnostics::DiagnosticList loading; // of files, plugins and `--set`, before any check
};

namespace {

Result<Override> readOverride(const std::string &setting, const std::string &folder) {
  const std::size_t equals = setting.find('=');
  const std::string name = equals == std::string::npos ? setting : setting.substr(0, equals);
  // The resolved form has names such as `deploy.expect.p99(batch: 1)`, too.
  const bool isCall = name.ends_with(')') || name.ends_with(']');
  const std::string plain = name.substr(0, isCall ? name.find_first_of("([") : std::string::npos);
  const bool named = !plain.empty() && plain.front() != '.' && plain.back() != '.' && plain.find("..") == std::string::npos &&
                     std::all_of(plain.begin(), plain.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
                     });
  if (equals == std::string::npos || !named) {
    return usageError("`--set " + setting + "` is not `--set name=value`");
  }
  Override made;
  made.name = name;
  made.text = setting.substr(equals + 1);
  made.folder = folder;
  std::size_t from = 0;
  while (from <= name.size()) {
    const std::size_t dot = std::min(name.find('.', from), name.size());
    made.parts.push_back(name.substr(from, dot - from));
    from = dot + 1;
  }
  made.nameFile = std::make_shared<SourceFile>("--set", name);
  made.file = std::make_shared<SourceFile>("--set " + name, made.text);
  diagnostics::DiagnosticList problems;
  if (made.text.size() > (1u << 16)) {
    return usageError("`--set " + name + "`: the value is longer than 64 KiB");
  }
  const SyntaxTree tree = parseExpression(*made.file, problems);
  made.value = readExpression(*made.file, tree, problems);
  made.problems = problems.all();
  if (made.value.span.file == nullptr) {
    made.value.span = made.valueSpan();
  }
  return made;
}

Completion check(const Analysis &analysis, const Facts *facts) {
  Completion completion;
  const AnalysisState &state = *analysis.state;
  completion.diagnostics = state.loading;
  Checker checker(state.program, state.manifests, state.overrides, facts, completion.diagnostics);
  checker.leaveUnscaled(state.unscaledTargets);
  checker.run();
  if (facts != nullptr) {
    for (const diagnostics::Diagnostic &one : analysis.diagnostics.all()) { // only without facts can be seen what waits for them
      if (one.id == "depends-on-data") {
        completion.diagnostics.add(one);
      }
    }
    reportProblems(facts->problems, analysis.declared, completion.diagnostics);
  }
  completion.pipeline = checker.take();
  completion.records = facts == nullptr ? std::map<std::string, std::int64_t>() : facts->records;
  if (facts != nullptr) {
    completion.removed = facts->removed;
  }
  completion.diagnostics.sort();
  completion.ok = !completion.diagnostics.hasErrors() && !analysis.isLibrary;
  for (const std::string &folder : analysis.pluginFolders) {
    completion.pipeline.pluginFolders.push_back(folder);
  }
  return completion;
}

} // namespace

Result<std::string> readProgramText(const std::string &path) {
  PENSTOCK_ASSIGN(const Descriptor file, openRegularFile(path));
  return readBeginning(file.get(), path, SourceFile::largest + 1);
}

std::string_view Analysis::textOf(const std::string &file) const {
  if (state != nullptr) {
    for (const auto &unit : state->program.units) {
      if (unit->file->path() == file) {
        return unit->file->text();
      }
    }
    for (const Override &one : state->overrides) {
      if (one.file->path() == file) {
        return one.file->text();
      }
    }
  }
  return {};
}

std::vector<ProgramFile> Analysis::files() const {
  std::vector<ProgramFile> files;
  for (const auto &unit : state->program.units) {
    const std::filesystem::path name = std::filesystem::path(unit->file->path()).filename();
    files.push_back({joinPath(unit->folder, name.string()), std::string(unit->file->text())});
  }
  for (const auto &[path, text] : *state->program.tables) {
    files.push_back({path, text});
  }
  return files;
}

Result<Analysis> analyze(const std::string &path, std::string text, const AnalyzeOptions &options) {
  Analysis analysis;
  analysis.state = std::make_shared<AnalysisState>();
  AnalysisState &state = *analysis.state;
  state.unscaledTargets = options.unscaledTargets;
  std::error_code error;
  for (const std::string &setting : options.earlierSettings) {
    PENSTOCK_ASSIGN(Override one, readOverride(setting, options.earlierFolder));
    state.overrides.push_back(std::move(one));
  }
  const std::string folder = options.workingFolder.empty() ? std::filesystem::current_path(error).string() : options.workingFolder;
  for (const std::string &setting : options.settings) {
    PENSTOCK_ASSIGN(Override one, readOverride(setting, folder));
    state.overrides.push_back(std::move(one));
  }
  state.program = loadProgram(path, std::move(text), options.loadText ? options.loadText : readProgramText, state.loading);
  for (const auto &unit : state.program.units) {
    for (const Use &use : unit->ast.uses) {
      const std::string folder = joinPath(unit->folder, use.folder);
      if (std::find(analysis.pluginFolders.begin(), analysis.pluginFolders.end(), folder) == analysis.pluginFolders.end()) {
        analysis.pluginFolders.push_back(folder);
      }
    }
  }
  const auto load =
      options.loadManifests ? options.loadManifests : [](const std::vector<std::string> &folders) { return findPlugins(folders); };
  auto manifests = load(analysis.pluginFolders);
  if (!manifests.ok() && !analysis.pluginFolders.empty()) {
    // A folder of `use` that cannot be read is a mistake of the file; the standard places still serve the other checks.
    const Unit &main = state.program.main();
    const Span at = main.ast.uses.empty() ? Span{main.file.get(), 0, 0} : main.ast.uses.front().folderSpan;
    state.loading.report("bad-manifest", at.range(), {{"detail", manifests.status().message()}});
    manifests = load({});
  }
  if (!manifests.ok()) {
    return manifests.status();
  }
  state.manifests = std::move(manifests).value();
  analysis.diagnostics = state.loading;
  Checker checker(state.program, state.manifests, state.overrides, nullptr, analysis.diagnostics);
  checker.leaveUnscaled(state.unscaledTargets);
  checker.run(true);
  analysis.isLibrary = checker.isLibrary();
  analysis.modelFolders = checker.modelFolders();
  analysis.declared = checker.declaredRecords();
  analysis.diagnostics.sort();
  return analysis;
}

Completion complete(const Analysis &analysis, const std::string &factsJson) {
  auto facts = readFacts(factsJson);
  if (!facts.ok()) {
    Completion completion = check(analysis, nullptr);
    completion.diagnostics.report("data-unreadable", {}, {{"detail", facts.status().message()}});
    completion.ok = false;
    return completion;
  }
  return check(analysis, &*facts);
}

Completion completeWithoutFacts(const Analysis &analysis) { return check(analysis, nullptr); }

bool onlyCommandLineMistakes(const diagnostics::DiagnosticList &diagnostics) {
  bool any = false;
  for (const diagnostics::Diagnostic &one : diagnostics.all()) {
    if (one.severity == diagnostics::Severity::error) {
      any = true;
      if (one.range.file.text().rfind("--set", 0) != 0) {
        return false;
      }
    }
  }
  return any;
}

} // namespace penstock::frontend
