#include "tools/new_pipeline/raw_form.h"

#include "runtime/base/printable.h"
#include "runtime/base/utf8.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <string_view>

namespace penstock {

namespace {

constexpr std::size_t looked = std::size_t{1} << 18; // bytes of a file by which its form is told
constexpr std::size_t lookedRows = 1000;

/// The beginning of a file, without a byte order mark, and cut behind its last whole line.
Result<std::string> beginningOf(const std::string &path) {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openFileSource(path));
  ByteWindow window(std::move(bytes));
  PENSTOCK_ASSIGN(const ForeignFormat foreign, window.open());
  if (foreign) {
    return invalidInput(fmt::format("`{}` is {}; {}", printable(path), foreign.what, foreign.remedy));
  }
  while (window.size() < looked && !window.atEnd()) {
    PENSTOCK_TRY(window.fill());
  }
  std::string text(window.data(), std::min(window.size(), looked));
  if (text.size() == looked) {
    text.resize(std::max<std::size_t>(text.find_last_of("\r\n") + 1, 1));
  }
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return invalidInput(fmt::format("`{}` has no records", printable(path)));
  }
  return text;
}

class TextBytes : public ByteSource {
public:
  explicit TextBytes(std::string_view text) : rest(text) {}
  Result<std::size_t> read(char *into, std::size_t size) override {
    const std::size_t given = rest.copy(into, size);
    rest.remove_prefix(given);
    return given;
  }

private:
  std::string_view rest;
};

/// Rows of a text, of which `names` are the header; without those that are malformed.
struct Table {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> rows;
  std::size_t malformed = 0;
};

Table tableOf(std::string_view text, const CsvOptions &options) {
  Table table;
  const std::unique_ptr<RowSource> rows = makeCsvRows(std::make_unique<TextBytes>(text), options);
  if (!rows->begin().ok()) {
    return table;
  }
  table.names = rows->names();
  rows->select(table.names);
  Row row;
  RowError error;
  while (table.rows.size() + table.malformed < lookedRows) {
    const Result<RowStep> step = rows->next(row, error);
    if (!step.ok() || *step == RowStep::end) {
      break;
    }
    if (*step == RowStep::error) {
      ++table.malformed;
      continue;
    }
    std::vector<std::string> &cells = table.rows.emplace_back();
    for (const Cell &cell : row.cells) {
      cells.emplace_back(cell.text);
    }
  }
  return table;
}

/// A delimiter fits where it cuts nearly all rows into as many cells as the header has, and more than one. The one that cuts most is taken.
bool findDelimiter(std::string_view text, RawForm &form) {
  std::size_t best = 1;
  for (const char delimiter : {',', ';', '\t', '|'}) {
    for (const bool quotes : {true, false}) {
      const CsvOptions options{delimiter, quotes};
      const Table table = tableOf(text, options);
      const bool fits = table.malformed * 10 <= table.rows.size() && !table.rows.empty();
      if (fits && table.names.size() > best) {
        best = table.names.size();
        form.csv = options;
        form.names = table.names;
        break; // without quotes only where they are no quotes
      }
      if (fits) {
        break;
      }
    }
  }
  return best > 1;
}

/// Keys of the first records, those of objects in objects with a point between: `body.text`.
bool readsLikeJson(std::string_view text, RawForm &form) {
  using Json = nlohmann::ordered_json;
  std::size_t records = 0;
  const auto add = [&](const auto &self, const Json &object, const std::string &before) -> void {
    for (const auto &[key, value] : object.items()) {
      const std::string name = before + key;
      if (value.is_object()) {
        self(self, value, name + ".");
      } else if (std::find(form.names.begin(), form.names.end(), name) == form.names.end()) {
        form.names.push_back(name);
      }
    }
  };
  for (std::size_t begin = 0; begin < text.size() && records < lookedRows;) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object()) {
      return false;
    }
    add(add, json, "");
    ++records;
  }
  return records > 0;
}

/// A word and its tag a line, and empty lines between sentences.
bool readsLikeConll(std::string_view text, RawForm &form) {
  std::size_t width = 0, lines = 0, gaps = 0;
  std::set<std::string> tags;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const Cell line{text.substr(begin, end - begin), true};
    begin = end + 1;
    std::vector<std::string_view> cells;
    itemsOf(line, cells);
    if (cells.empty()) {
      ++gaps;
      continue;
    }
    if (cells.front().starts_with("-DOCSTART-") || cells.front() == "#") {
      continue;
    }
    if (cells.size() < 2 || (width != 0 && cells.size() != width)) {
      return false;
    }
    width = cells.size();
    tags.insert(std::string(cells.back()));
    ++lines;
  }
  constexpr std::size_t mostTags = 500;
  if (gaps == 0 || lines < 2 * gaps / 2 || tags.size() > mostTags || tags.size() * 2 > lines + 2) {
    return false;
  }
  form.names = {"word"};
  for (std::size_t i = 1; i + 1 < width; ++i) {
    form.names.push_back(fmt::format("layer_{}", i));
  }
  form.names.push_back("tag");
  return true;
}

} // namespace

Result<RawForm> formOf(const std::string &path) {
  PENSTOCK_ASSIGN(const std::string text, beginningOf(path));
  RawForm form;
  const char first = text[text.find_first_not_of(" \t\r\n")];
  if (first == '{' && readsLikeJson(text, form)) {
    form.format = RowFormat::jsonl;
    return form;
  }
  if (first == '[') {
    return invalidInput(
        fmt::format("`{}` is one JSON array; write one object a line (JSON Lines), for example with `jq -c '.[]'`", printable(path)));
  }
  form.names.clear();
  if (readsLikeConll(text, form)) {
    form.format = RowFormat::conll;
    return form;
  }
  form.names.clear();
  if (!findDelimiter(text, form)) {
    return invalidInput(
        fmt::format("`{}` is no table: no comma, semicolon, tab or bar cuts its lines into as many cells as its first line has; "
                    "records are rows of CSV, objects of JSON Lines, or words with tags (CoNLL)",
                    printable(path)));
  }
  return form;
}

Result<std::unique_ptr<RowSource>> openRaw(const std::string &path, const RawForm &form) {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openFileSource(path));
  RowOptions options;
  options.format = form.format;
  options.csv = form.csv;
  options.conll.columns = form.names;
  std::unique_ptr<RowSource> rows = makeRows(std::move(bytes), options);
  PENSTOCK_TRY(rows->begin());
  rows->select(form.names, std::vector<bool>(form.names.size(), true));
  return rows;
}

} // namespace penstock
