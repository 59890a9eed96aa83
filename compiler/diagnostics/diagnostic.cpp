#include "compiler/diagnostics/diagnostic.h"

#include "compiler/diagnostics/registry.h"
#include "runtime/base/nearest.h"

#include <algorithm>

namespace penstock::diagnostics {

void DiagnosticList::report(const std::string &id, const SourceRange &range, const Arguments &arguments, std::vector<Label> labels) {
  const DiagnosticInfo *info = findDiagnostic(id);
  Arguments used = arguments;
  if (info == nullptr) {
    used = {{"detail", "the diagnostic `" + id + "` is not registered"}};
    info = findDiagnostic("internal-mistake");
  }
  if (list.size() >= limit && droppedCount > limit) { // counted, not compared: a file of nonsense stays cheap
    (info->severity == Severity::error ? errorCount : warningCount) += 1;
    ++droppedCount;
    return;
  }
  Diagnostic made;
  made.id = info->id;
  made.severity = info->severity;
  made.range = range;
  made.message = fillTemplate(info->message, used);
  made.reason = fillTemplate(info->reason, used);
  bool complete = true;
  made.fix = fillTemplate(info->fix, used, &complete);
  if (!complete || made.fix.empty()) {
    made.fix = fillTemplate(info->otherwise, used);
  }
  made.labels = std::move(labels);
  add(std::move(made));
}

void DiagnosticList::add(Diagnostic diagnostic) {
  const SourceRange &at = diagnostic.range;
  if (!seen.insert(diagnostic.id + '\0' + at.file.text() + '\0' + std::to_string(at.begin) + ' ' + std::to_string(at.end) + ' ' +
                   diagnostic.message)
           .second) {
    return;
  }
  (diagnostic.severity == Severity::error ? errorCount : warningCount) += 1;
  if (list.size() >= limit || ++alike[diagnostic.id + '\0' + at.file.text() + '\0' + diagnostic.message] > mostAlike) {
    ++droppedCount;
    return;
  }
  list.push_back(std::move(diagnostic));
}

void DiagnosticList::sort() {
  std::map<std::string, std::size_t> order;
  for (const Diagnostic &one : list) {
    order.emplace(one.range.file, order.size());
  }
  std::stable_sort(list.begin(), list.end(), [&](const Diagnostic &a, const Diagnostic &b) {
    if (a.range.file != b.range.file) {
      return order[a.range.file] < order[b.range.file];
    }
    return a.range.begin < b.range.begin;
  });
}

std::string nearest(const std::string &name, const std::vector<std::string> &candidates) {
  const std::vector<std::string> found = penstock::nearest(name, candidates);
  return found.empty() ? "" : found.front();
}

std::string quotedList(const std::vector<std::string> &names) {
  std::string text;
  const std::size_t shown = std::min<std::size_t>(names.size(), 12);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) {
      text += i + 1 == names.size() ? " or " : ", ";
    }
    text += "`" + names[i] + "`";
  }
  if (shown < names.size()) {
    text += ", ...";
  }
  return text;
}

} // namespace penstock::diagnostics
