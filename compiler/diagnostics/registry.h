// The registry: every diagnostic that Penstock can make about a file or its data. docs/generated/diagnostics.md is made
// from it, each entry cites its clause of docs/spec/language.md, and each has a test in tests/lit/diagnostics.
#pragma once

#include "compiler/diagnostics/diagnostic.h"

#include <string_view>
#include <vector>

namespace penstock::diagnostics {

struct DiagnosticInfo {
  std::string_view id;
  Severity severity;
  std::string_view clause;  // of docs/spec/language.md: "N1"
  std::string_view message; // with placeholders {name}
  std::string_view reason;
  std::string_view fix;       // used when every placeholder in it has a value,
  std::string_view otherwise; // else this
};

const std::vector<DiagnosticInfo> &registry();
/// The entry, or NULL.
const DiagnosticInfo *findDiagnostic(std::string_view id);

/// `text` with its placeholders filled; a placeholder without a value stays empty. `complete` says whether all had one.
std::string fillTemplate(std::string_view text, const Arguments &arguments, bool *complete = nullptr);

/// The page docs/generated/diagnostics.md.
std::string diagnosticsPage();

} // namespace penstock::diagnostics
