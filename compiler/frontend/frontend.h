// The door of the front end: from the text of a `.pipe` file to a typed pipeline, in two phases. No MLIR, and no data is
// opened: what only the data know comes as facts (docs/design/record_program.md).
//
//   analyze   reads, checks what can be checked without data, and describes the data in the records of the pipeline's value
//   complete  takes the facts, reports what is wrong with the data, and gives the typed pipeline with all shapes
#pragma once

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/frontend/typed_pipeline.h"
#include "runtime/base/plugin_manifest.h"
#include "runtime/base/status.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::frontend {

/// The text of a `.pipe` file, which is a regular one; of one that is too large [L7] so much that `analyze` says so.
Result<std::string> readProgramText(const std::string &path);

struct AnalyzeOptions {
  std::vector<std::string> settings;        // of `--set`: "train.steps=40", "data=folder"
  std::string workingFolder;                // what paths in `settings` are relative to; "": the current one
  std::vector<std::string> earlierSettings; // of a run that goes on or is measured: they stand before `settings`
  std::string earlierFolder;                // what paths in them are relative to
  /// Columns whose numbers a run that is read again predicts as they are, since it is older than `scale` of the heads' manifests.
  std::set<std::string> unscaledTargets;
  /// Reads an imported file. By default readProgramText.
  std::function<Result<std::string>(const std::string &path)> loadText;
  /// The plugins of the standard places and of `folders` (those of `use`). By default findPlugins.
  std::function<Result<std::vector<PluginManifest>>(const std::vector<std::string> &folders)> loadManifests;
};

struct AnalysisState;

/// A file of a program, by the absolute path under which `loadText` is asked for it.
struct ProgramFile {
  std::string path, text;
};

struct Analysis {
  diagnostics::DiagnosticList diagnostics;
  DeclaredRecords declared;
  std::vector<std::string> pluginFolders; // of `use`, absolute
  std::vector<std::string> modelFolders;  // of pretrained models, absolute: `complete` wants facts about each
  bool isLibrary = false;                 // a file of layers and heads: nothing more to check
  std::shared_ptr<AnalysisState> state;   // for complete and textOf

  /// The text of a file of the program, as renderText wants it.
  std::string_view textOf(const std::string &file) const;

  /// Every file that was read, the main one first.
  std::vector<ProgramFile> files() const;
};

/// Analyzes the file `path`, whose bytes are `text`. Any bytes are allowed. A malformed entry of `settings` (no `=`) is a
/// usage error; everything else is a diagnostic.
Result<Analysis> analyze(const std::string &path, std::string text, const AnalyzeOptions &options);

struct Completion {
  diagnostics::DiagnosticList diagnostics;                            // all, those of analyze included
  bool ok = false;                                                    // there is no error, and `pipeline` is whole
  TypedPipeline pipeline;                                             // best effort where not ok
  std::map<std::string, std::int64_t> records;                        // by split, as the facts count them
  std::map<std::string, std::map<std::string, std::int64_t>> removed; // likewise: rows that operators of the source remove
};

/// Completes an analysis with facts. Facts that are not of the known form are a `data-unreadable` diagnostic.
Completion complete(const Analysis &analysis, const std::string &factsJson);

/// Completes without facts: sizes that only the data know stay unknown (-1), and nothing that depends on them is judged.
Completion completeWithoutFacts(const Analysis &analysis);

/// Whether every error lies in `--set`: a mistake on the command line, not of the file.
bool onlyCommandLineMistakes(const diagnostics::DiagnosticList &diagnostics);

struct Formatted {
  bool ok = false; // false: syntax errors, in `diagnostics`
  std::string text;
  diagnostics::DiagnosticList diagnostics;
};
/// The one layout of the file. Idempotent; keeps every comment.
Formatted format(const std::string &path, const std::string &text);

} // namespace penstock::frontend
