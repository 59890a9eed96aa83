#include "compiler/diagnostics/render.h"

#include "runtime/base/printable.h"
#include "runtime/base/utf8.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace penstock::diagnostics {

namespace {

std::string place(const SourceRange &range) {
  return printable(range.file.text()) + ":" + std::to_string(range.line) + ":" + std::to_string(range.column);
}

void excerpt(std::string &out, const SourceRange &range, const TextOf &textOf) {
  const std::string_view text = textOf ? textOf(range.file.text()) : std::string_view{};
  if (text.empty() || range.begin > text.size()) {
    return;
  }
  std::size_t start = range.begin;
  while (start > 0 && text[start - 1] != '\n') {
    --start;
  }
  std::size_t stop = text.find('\n', range.begin);
  stop = stop == std::string_view::npos ? text.size() : stop;
  if (stop > start && text[stop - 1] == '\r') {
    --stop;
  }
  // Long lines are cut around the range.
  constexpr std::size_t widest = 160;
  std::size_t from = start;
  if (range.begin - start > widest / 2) {
    from = range.begin - widest / 2;
    while (from < range.begin && continuesUtf8(text[from])) {
      ++from;
    }
  }
  std::size_t to = std::min(stop, from + widest);
  while (to < stop && to > from && continuesUtf8(text[to])) {
    ++to;
  }
  const std::string number = std::to_string(range.line);
  const std::string gutter(number.size(), ' ');
  const std::size_t begin = std::min<std::size_t>(range.begin, to);
  const std::size_t end = std::clamp<std::size_t>(range.end, begin, to);
  std::string before = printable(text.substr(from, begin - from));
  std::string blanks;
  for (const char c : before) {
    if (!continuesUtf8(c)) {
      blanks += c == '\t' ? '\t' : ' ';
    }
  }
  const auto marks = static_cast<std::size_t>(std::max<std::int64_t>(1, countScalars(printable(text.substr(begin, end - begin)))));
  out += " " + number + " | " + printable(text.substr(from, to - from)) + "\n";
  out += " " + gutter + " | " + blanks + "^" + std::string(marks - 1, '~') + "\n";
}

} // namespace

std::string renderText(const Diagnostic &diagnostic, const TextOf &textOf) {
  std::string out = diagnostic.range.file.text().empty() ? "" : place(diagnostic.range) + ": "; // data may have no file that declares them
  out += diagnostic.severity == Severity::error ? "error: " : "warning: ";
  out += printable(diagnostic.message) + " [" + diagnostic.id + "]\n";
  excerpt(out, diagnostic.range, textOf);
  for (const Label &label : diagnostic.labels) {
    out += "  " + place(label.range) + ": " + printable(label.text) + "\n";
    excerpt(out, label.range, textOf);
  }
  if (!diagnostic.reason.empty()) {
    out += "  reason: " + printable(diagnostic.reason) + "\n";
  }
  if (!diagnostic.fix.empty()) {
    out += "  fix: " + printable(diagnostic.fix) + "\n";
  }
  return out;
}

std::string renderJson(const Diagnostic &diagnostic) {
  const auto rangeInto = [](nlohmann::ordered_json &object, const SourceRange &range) {
    object["file"] = range.file.text();
    object["line"] = range.line;
    object["column"] = range.column;
    object["end_line"] = range.endLine;
    object["end_column"] = range.endColumn;
  };
  nlohmann::ordered_json object;
  object["id"] = diagnostic.id;
  object["severity"] = diagnostic.severity == Severity::error ? "error" : "warning";
  rangeInto(object, diagnostic.range);
  object["message"] = diagnostic.message;
  object["reason"] = diagnostic.reason;
  object["fix"] = diagnostic.fix;
  object["labels"] = nlohmann::ordered_json::array();
  for (const Label &label : diagnostic.labels) {
    nlohmann::ordered_json one;
    rangeInto(one, label.range);
    one["text"] = label.text;
    object["labels"].push_back(std::move(one));
  }
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace penstock::diagnostics
