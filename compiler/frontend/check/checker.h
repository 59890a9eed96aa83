// The checks of names, values and types, and the expansion of the model. Internal to the front end: frontend.h is its door.
// docs/design/frontend.md shows the parts and who may call whom.
//
// One checker runs once over a program. Without facts, sizes that only the data know (vocabularies, numbers of classes) are
// `unknownSize`, and what depends on them is not judged; with facts the same run knows them all. So both phases of a check
// follow the same rules, and what the first reported the second reports again, word for word.
#pragma once

#include "compiler/frontend/check/expectations.h"
#include "compiler/frontend/check/training.h"

namespace penstock::frontend {

class Checker {
public:
  Checker(const Program &program, const std::vector<PluginManifest> &manifests, std::vector<Override> overrides, const Facts *facts,
          diagnostics::DiagnosticList &diagnostics);

  /// AnalyzeOptions::unscaledTargets. Before `run`.
  void leaveUnscaled(std::set<std::string> columns) { records.leaveUnscaled(std::move(columns)); }
  /// `declares`: for what the records are, and what waits for facts; nothing is taken.
  void run(bool declares = false);
  /// A file of layers and heads only.
  bool isLibrary() const;

  DeclaredRecords declaredRecords() const;
  /// Folders of pretrained models that the model names, in order.
  const std::vector<std::string> &modelFolders() const { return encoders.folders(); }
  TypedPipeline take();

private:
  void checkClasses();
  void reportRare(const Column &column, const std::vector<std::string> &classes);

  const Program &program;
  const Facts *facts;
  // In the order in which they may know each other: none knows one that follows.
  Reporter reporter;
  Scopes scopes;
  Settings settings;
  Evaluator evaluator;
  SettingValues values;
  Records records;
  GraphBuilder builder;
  EncoderBuilder encoders;
  Model model;
  Measures measures;
  Expectations expectations;
  Training training;
};

} // namespace penstock::frontend
