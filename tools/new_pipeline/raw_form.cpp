#include "tools/new_pipeline/raw_form.h"

#include "runtime/base/printable.h"
#include "runtime/base/utf8.h"
#include "runtime/data/columns/column.h"
#include "runtime/data/memory_bytes.h"

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

/// The mark of UTF-16, or Latin letters in two bytes each.
bool readsLikeUtf16(std::string_view text) {
  const bool pairs =
      text.size() >= 4 && (text[0] == 0) != (text[1] == 0) && (text[0] == 0) == (text[2] == 0) && (text[1] == 0) == (text[3] == 0);
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") || pairs;
}

/// How the text of a file is written, by all of its bytes; and whether they are packed.
Status findEncoding(const std::string &path, RawForm &form) {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> packed, openFileSource(path));
  char head[4] = {};
  PENSTOCK_ASSIGN(const std::size_t there, packed->read(head, sizeof head));
  form.packed = std::string_view(head, there).starts_with("\x1F\x8B") || std::string_view(head, there).starts_with("\x28\xB5\x2F\xFD");
  PENSTOCK_ASSIGN(packed, openFileSource(path));
  const std::unique_ptr<ByteSource> bytes = unpacked(std::move(packed), path);
  std::string text; // what is not judged yet: the beginning of a character
  bool first = true;
  for (std::string piece(std::size_t{1} << 16, '\0');;) {
    PENSTOCK_ASSIGN(const std::size_t size, bytes->read(piece.data(), piece.size()));
    text.append(piece, 0, size);
    if (first && readsLikeUtf16(text)) {
      form.encoding = Encoding::utf16;
      return {};
    }
    if (first && foreignFormat(text)) {
      return {}; // no text at all, as is said where it is read
    }
    first = false;
    const std::size_t bad = findInvalidUtf8(text);
    const bool cut = bad != std::string::npos && bad + 4 > text.size() && size > 0;
    if (bad != std::string::npos && !cut) {
      form.encoding = likelyEncoding(text);
      return {};
    }
    text.erase(0, cut ? bad : text.size());
    if (size == 0) {
      return {};
    }
  }
}

Result<std::unique_ptr<ByteSource>> openText(const std::string &path, const RawForm &form) {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openFileSource(path));
  return decoded(unpacked(std::move(bytes), path), form.encoding, path);
}

/// The beginning of a file, without a byte order mark, and cut behind its last whole line.
Result<std::string> beginningOf(const std::string &path, const RawForm &form) {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openText(path, form));
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

/// Rows of a text, of which `names` are the header; without those that are malformed.
struct Table {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> rows;
  std::size_t malformed = 0;
};

Table tableOf(std::string_view text, const CsvOptions &options) {
  Table table;
  const std::unique_ptr<RowSource> rows = makeCsvRows(std::make_unique<MemoryBytes>(text), options);
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

/// `1.234,5`, `0,5`: with a decimal comma. `whole`: without one, which says nothing.
bool hasDecimalComma(std::string_view cell, bool &whole) {
  cell.remove_prefix(!cell.empty() && (cell[0] == '-' || cell[0] == '+') ? 1 : 0);
  const std::size_t comma = cell.find(',');
  const std::string_view before = cell.substr(0, comma), behind = comma == std::string_view::npos ? "" : cell.substr(comma + 1);
  const auto digits = [](std::string_view text) { return text.find_first_not_of("0123456789") == std::string_view::npos; };
  whole = comma == std::string_view::npos && digits(before) && !before.empty();
  std::string bare(before);
  std::erase(bare, '.');
  return comma != std::string_view::npos && !before.empty() && !behind.empty() && digits(bare) && digits(behind);
}

/// Columns whose cells are numbers with a decimal comma.
void findDecimalComma(const Table &table, RawForm &form) {
  std::vector<std::string> numbers;
  bool any = false;
  for (std::size_t i = 0; i < table.names.size(); ++i) {
    std::size_t with = 0, without = 0, others = 0;
    for (const std::vector<std::string> &row : table.rows) {
      bool whole = false;
      const bool comma = hasDecimalComma(row[i], whole);
      with += comma ? 1 : 0;
      without += whole ? 1 : 0;
      others += !comma && !whole && !row[i].empty() ? 1 : 0;
    }
    any = any || with > 9 * others;
    if (with + without > 9 * others && with + without > 0) {
      numbers.push_back(table.names[i]);
    }
  }
  if (any && form.csv.delimiter != ',') {
    form.csv.decimal = ',';
    form.csv.numbers = numbers;
  }
}

/// A first row that is no header has a number where the rows below have numbers, or a cell that stands in the same column again and again.
/// Years are headers of tables that are wide.
bool firstRowIsRecord(const Table &table) {
  std::size_t years = 0;
  for (const std::string &name : table.names) {
    years += name.size() == 4 && (name.starts_with("19") || name.starts_with("20")) && numberIn(name) ? 1 : 0;
  }
  for (std::size_t i = 0; i < table.names.size(); ++i) {
    const std::string &name = table.names[i];
    std::size_t numbers = 0, same = 0;
    for (const std::vector<std::string> &row : table.rows) {
      numbers += numberIn(row[i]) ? 1 : 0;
      same += row[i] == name ? 1 : 0;
    }
    if (numberIn(name) ? years < 2 && numbers * 10 > table.rows.size() * 8 : !name.empty() && same > 1 && same * 200 > table.rows.size()) {
      return true;
    }
  }
  return false;
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

std::optional<double> numberIn(std::string_view cell) {
  double number = 0;
  return columns::number::readCell(ColumnSpec(), cell, number) ? std::optional(number) : std::nullopt;
}

Result<RawForm> formOf(const std::string &path) {
  RawForm form;
  PENSTOCK_TRY(findEncoding(path, form));
  PENSTOCK_ASSIGN(const std::string text, beginningOf(path, form));
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
  Table table = tableOf(text, form.csv);
  if (firstRowIsRecord(table)) {
    form.csv.header = false;
    table = tableOf(text, form.csv);
    form.names = table.names;
  }
  findDecimalComma(table, form);
  return form;
}

Result<std::unique_ptr<RowSource>> openRaw(const std::string &path, const RawForm &form) {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openText(path, form));
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
