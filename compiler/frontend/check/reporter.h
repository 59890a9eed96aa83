// Where all parts of the check report.
#pragma once

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/frontend/source.h"

#include <algorithm>
#include <utility>

namespace penstock::frontend {

class Reporter {
public:
  explicit Reporter(diagnostics::DiagnosticList &diagnostics) : list(diagnostics) {}

  void report(const char *id, const Span &span, const diagnostics::Arguments &arguments = {}, std::vector<diagnostics::Label> labels = {}) {
    list.report(id, span.range(), arguments, std::move(labels));
  }
  void add(const std::vector<diagnostics::Diagnostic> &problems) {
    for (const diagnostics::Diagnostic &problem : problems) {
      list.add(problem);
    }
  }

  /// Nothing that is reported now would be shown.
  bool full() const { return list.full(); }
  std::size_t errors() const { return list.errors(); }
  bool has(const char *id) const {
    return std::any_of(list.all().begin(), list.all().end(), [&](const auto &one) { return one.id == id; });
  }

private:
  diagnostics::DiagnosticList &list;
};

/// What is said of a piece of the file: not more of it than fits a line.
inline std::string excerpt(const Span &span, std::size_t most = 60) { return std::string(span.text().substr(0, most)); }

} // namespace penstock::frontend
