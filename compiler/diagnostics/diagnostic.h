// Diagnostics: what is wrong with a pipeline, where, why, and what to do about it.
//
// A diagnostic is made from an entry of the registry (registry.h) and named arguments that fill the entry's templates, so
// that every text a person reads is written in one place.
#pragma once

#include "compiler/frontend/typed_pipeline.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace penstock::diagnostics {

using frontend::SourceRange;

enum class Severity { error, warning };

/// Named values for the placeholders `{name}` of a registry entry.
using Arguments = std::map<std::string, std::string>;

/// A second place that explains the first: "declared here".
struct Label {
  SourceRange range;
  std::string text;
};

struct Diagnostic {
  std::string id;
  Severity severity = Severity::error;
  SourceRange range;
  std::string message, reason, fix; // reason and fix may be empty
  std::vector<Label> labels;
};

/// Collects diagnostics of one run: drops exact repetitions, and counts without keeping them those beyond `limit`, and beyond
/// `mostAlike` that say the same of other places of a file.
class DiagnosticList {
public:
  static constexpr std::size_t limit = 100, mostAlike = 10;

  /// Adds the registered diagnostic `id`. An unregistered id is reported as `internal-mistake`, never dropped.
  void report(const std::string &id, const SourceRange &range, const Arguments &arguments = {}, std::vector<Label> labels = {});
  void add(Diagnostic diagnostic);

  /// Nothing that is reported now would be shown: a check may stop.
  bool full() const { return list.size() >= limit && errorCount > 0; }
  bool hasErrors() const { return errorCount > 0; }
  std::size_t errors() const { return errorCount; }
  std::size_t warnings() const { return warningCount; }
  /// Diagnostics beyond the limits, counted but not kept.
  std::size_t dropped() const { return droppedCount; }
  const std::vector<Diagnostic> &all() const { return list; }
  /// By file (in order of first appearance), then place.
  void sort();

private:
  std::vector<Diagnostic> list;
  std::set<std::string> seen;
  std::map<std::string, std::size_t> alike;
  std::size_t errorCount = 0, warningCount = 0, droppedCount = 0;
};

/// The candidate nearest to `name` by edit distance, or "" where none is near enough to be meant.
std::string nearest(const std::string &name, const std::vector<std::string> &candidates);

/// "`a`, `b` or `c`".
std::string quotedList(const std::vector<std::string> &names);

} // namespace penstock::diagnostics
