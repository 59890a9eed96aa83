#include "runtime/exec/printers.h"

#include "runtime/base/printable.h"
#include "runtime/data/encode.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

namespace penstock {

namespace {

Status notFinite() { return invalidInput("the answer is not a finite number; the model has diverged"); }

void quote(std::string_view text, std::string &to) {
  to += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(c));
      to += buffer;
    } else {
      to += c;
    }
  }
  to += '"';
}

/// The shortest text that reads back as the same number.
template <typename T> void shortest(T number, std::string &to) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number);
  to.append(buffer, end.ptr);
}

/// One element of numbers or flags.
Status scalar(const ColumnField &field, const Column &column, std::int64_t element, std::string &to) {
  const auto at = static_cast<std::size_t>(element);
  switch (field.element) {
  case PENSTOCK_F32:
    shortest(column.of<float>()[at], to);
    return std::isfinite(column.of<float>()[at]) ? Status::success() : notFinite();
  case PENSTOCK_F64:
    shortest(column.of<double>()[at], to);
    return std::isfinite(column.of<double>()[at]) ? Status::success() : notFinite();
  case PENSTOCK_I64:
    shortest(column.of<std::int64_t>()[at], to);
    return {};
  case PENSTOCK_BOOL:
    to += column.of<std::uint8_t>()[at] != 0 ? "true" : "false";
    return {};
  default:
    shortest(column.of<std::int32_t>()[at], to);
    return {};
  }
}

/// The text of an element that has one: a text, or the name of a class; none where it is none of the classes.
std::optional<std::string_view> textOf(const ColumnField &field, const Column &column, std::int64_t element) {
  const auto at = static_cast<std::size_t>(element);
  if (field.element == PENSTOCK_TEXT) {
    return column.texts()[at];
  }
  const std::int32_t index = column.of<std::int32_t>()[at];
  return index < 0 ? std::nullopt : std::optional<std::string_view>(field.classes[static_cast<std::size_t>(index)]);
}
/// Whether the elements of a row stand for a class each, which names them. Elements that are classes have classes of their own.
bool isByClass(const ColumnField &field) {
  return field.shape == PENSTOCK_WIDE && field.element != PENSTOCK_CLASS && !field.classes.empty();
}
bool isText(const ColumnField &field) { return field.element == PENSTOCK_TEXT || field.element == PENSTOCK_CLASS; }

Status jsonOfRow(const ColumnField &field, const Column &column, std::int64_t row, std::string &to);

/// The members that are there, without braces.
Status jsonOfFields(const Schema &fields, const std::vector<Column> &columns, std::int64_t row, bool first, std::string &to) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (columns[i].isThere(row)) {
      to += first ? "" : ", ";
      first = false;
      quote(fields[i].name, to);
      to += ": ";
      PENSTOCK_TRY(jsonOfRow(fields[i], columns[i], row, to));
    }
  }
  return {};
}

Status jsonOfElement(const ColumnField &field, const Column &column, std::int64_t element, std::string &to) {
  if (field.element == PENSTOCK_STRUCT) {
    to += '{';
    PENSTOCK_TRY(jsonOfFields(field.fields, column.children, element, true, to));
    to += '}';
    return {};
  }
  if (!isText(field)) {
    return scalar(field, column, element, to);
  }
  const std::optional<std::string_view> text = textOf(field, column, element);
  text ? quote(*text, to) : void(to += "null");
  return {};
}

Status jsonOfRow(const ColumnField &field, const Column &column, std::int64_t row, std::string &to) {
  const auto [first, last] = column.elementsOf(field, row);
  if (field.shape == PENSTOCK_EACH) {
    return jsonOfElement(field, column, first, to);
  }
  const bool byClass = isByClass(field);
  to += byClass ? '{' : '[';
  for (std::int64_t element = first; element < last; ++element) {
    to += element == first ? "" : ", ";
    if (byClass) {
      quote(field.classes[static_cast<std::size_t>(element - first)], to);
      to += ": ";
    }
    PENSTOCK_TRY(jsonOfElement(field, column, element, to));
  }
  to += byClass ? '}' : ']';
  return {};
}

std::string jsonOfList(std::string_view list) {
  std::string json = "[";
  for (std::size_t at = 0, end = 0; at < list.size(); at = end + 1) {
    end = list.find(listEnd, at);
    json += at == 0 ? "" : ", ";
    quote(list.substr(at, end - at), json);
  }
  return json + "]";
}

/// What is echoed of a cell; "" where it says nothing.
class EchoedCell {
public:
  /// In JSON.
  std::string json(const ColumnSpec &column, const Cell &cell) {
    std::string text;
    if (!read(column, cell)) {
      return text;
    }
    if (isNumber) {
      shortest(number, text);
    } else if (isList) {
      text = jsonOfItems();
    } else {
      quote(one, text);
    }
    return text;
  }
  /// A list as JSON, all else as it is.
  std::string plain(const ColumnSpec &column, const Cell &cell) {
    return read(column, cell) && !isList && !isNumber ? std::string(one) : json(column, cell);
  }

private:
  bool read(const ColumnSpec &column, const Cell &cell) {
    isNumber = column.type == ColumnSpec::Type::number;
    isList = column.mayHoldList();
    if (isNumber) {
      return readNumber(column, cell, number) == CellState::value && std::isfinite(number);
    }
    if (judgeCell(column, cell) != CellState::value) {
      return false;
    }
    if (isList) {
      column.type == ColumnSpec::Type::set ? labelsOf(column, cell, items) : itemsOf(cell, items);
    }
    one = column.type == ColumnSpec::Type::classId ? classOf(column, cell) : cell.text;
    return true;
  }
  std::string jsonOfItems() const {
    std::string json = "[";
    for (const std::string_view item : items) {
      json += json.size() == 1 ? "" : ", ";
      quote(item, json);
    }
    return json + "]";
  }

  bool isNumber = false, isList = false;
  double number = 0;
  std::string_view one;
  std::vector<std::string_view> items;
};

bool isOneOf(const std::string &name, const std::vector<std::string> &names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class JsonPrinter final : public Printer {
public:
  JsonPrinter(std::vector<PrintedAnswer> given, PrintedInput input)
      : answers(std::move(given)), with(std::move(input.with)), echoed(std::move(input.echoed)) {
    std::vector<std::string> taken = names();
    taken.insert(taken.end(), with.begin(), with.end());
    hasIds = !isOneOf("ids", taken);
    hasGold = !isOneOf("gold", taken);
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names = {"row", "unit", "rows", "error"};
    for (const PrintedAnswer &answer : answers) {
      if (answers.size() > 1) {
        names.push_back(answer.name);
        continue;
      }
      for (const ColumnField &field : *answer.schema) {
        names.push_back(field.name);
      }
    }
    return names;
  }

  Status record(const RecordReader::Part &part, std::int64_t index, std::string &line) const override {
    const auto which = static_cast<std::size_t>(index);
    if (part.units.empty()) {
      line += "{\"row\": " + std::to_string(part.records[which]);
    } else {
      line += "{\"unit\": ";
      quote(part.units[which], line);
      line += ", \"rows\": [" + std::to_string(part.firsts[which]) + ", " + std::to_string(part.records[which]) + "]";
    }
    for (std::size_t i = 0; i < with.size(); ++i) {
      if (const Cell &cell = part.with[which * with.size() + i]; cell.present) {
        line += ", ";
        quote(with[i], line);
        line += ": ";
        cell.list || cell.literal ? void(line += cell.list ? jsonOfList(cell.text) : cell.text) : quote(cell.text, line);
      }
    }
    if (answers.size() == 1) {
      PENSTOCK_TRY(jsonOfFields(*answers[0].schema, *answers[0].columns, index, false, line));
    } else {
      for (const PrintedAnswer &answer : answers) {
        line += ", ";
        quote(answer.name, line);
        line += ": {";
        PENSTOCK_TRY(jsonOfFields(*answer.schema, *answer.columns, index, true, line));
        line += '}';
      }
    }
    if (hasIds) {
      echo("ids", echoed.ids, part, which * echoedCount(), line);
    }
    if (hasGold) {
      echo("gold", echoed.gold, part, which * echoedCount() + echoed.ids.size(), line);
    }
    line += '}';
    return {};
  }
  std::string failure(const RecordReader::Failure &failure) const override {
    return "{\"row\": " + std::to_string(failure.record) +
           ", \"error\": " + nlohmann::json(failure.text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "}";
  }

private:
  std::size_t echoedCount() const { return echoed.ids.size() + echoed.gold.size(); }
  static void echo(std::string_view name, const std::vector<ColumnSpec> &columns, const RecordReader::Part &part, std::size_t at,
                   std::string &line) {
    EchoedCell reader;
    std::string members;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (const std::string value = reader.json(columns[i], part.echoed[at + i]); !value.empty()) {
        members += members.empty() ? "" : ", ";
        quote(columns[i].name, members);
        members += ": " + value;
      }
    }
    if (!members.empty()) {
      line += ", ";
      quote(name, line);
      line += ": {" + members + "}";
    }
  }

  std::vector<PrintedAnswer> answers;
  std::vector<std::string> with;
  RecordReader::Echoed echoed;
  bool hasIds = false, hasGold = false;
};

std::string cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    quoted += c == '"' ? "\"" : "";
  }
  return quoted + "\"";
}

class CsvPrinter final : public Printer {
public:
  CsvPrinter(std::vector<PrintedAnswer> given, bool series, PrintedInput input)
      : answers(std::move(given)), series(series), with(std::move(input.with)) {
    std::vector<std::string> taken = names();
    taken.insert(taken.end(), with.begin(), with.end());
    for (const auto &[prefix, columns] : {std::pair("id.", &input.echoed.ids), std::pair("gold.", &input.echoed.gold)}) {
      for (const ColumnSpec &column : *columns) {
        echoes.push_back({prefix + column.name, column, !isOneOf(prefix + column.name, taken)});
      }
    }
  }

  std::string header() const override {
    std::string line = series ? "unit,first_row,row" : "row";
    for (const std::vector<std::string> &some : {with, fieldNames()}) {
      for (const std::string &name : some) {
        line += "," + cell(name);
      }
    }
    line += ",error";
    for (const Echo &echo : echoes) {
      line += echo.shown ? "," + cell(echo.name) : "";
    }
    return line;
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> names = fieldNames();
    names.insert(names.end(), {"unit", "first_row", "row", "error"});
    return names;
  }
  Status record(const RecordReader::Part &part, std::int64_t index, std::string &line) const override {
    const auto which = static_cast<std::size_t>(index);
    if (series) {
      line += cell(part.units[which]) + "," + std::to_string(part.firsts[which]) + ",";
    }
    line += std::to_string(part.records[which]);
    for (std::size_t i = 0; i < with.size(); ++i) {
      const Cell &one = part.with[which * with.size() + i];
      line += "," + (one.list ? cell(jsonOfList(one.text)) : cell(one.text));
    }
    for (const PrintedAnswer &answer : answers) {
      PENSTOCK_TRY(cells(*answer.schema, answer.columns, index, line));
    }
    line += ',';
    EchoedCell reader;
    for (std::size_t i = 0; i < echoes.size(); ++i) {
      line += echoes[i].shown ? "," + cell(reader.plain(echoes[i].column, part.echoed[which * echoes.size() + i])) : "";
    }
    return {};
  }
  std::string failure(const RecordReader::Failure &failure) const override {
    std::string line = (series ? ",," : "") + std::to_string(failure.record) + std::string(with.size(), ',');
    for (const PrintedAnswer &answer : answers) {
      static_cast<void>(cells(*answer.schema, nullptr, 0, line));
    }
    line += "," + cell(printable(failure.text));
    for (const Echo &echo : echoes) {
      line += echo.shown ? "," : "";
    }
    return line;
  }

private:
  /// How many cells a field takes beside one another where it is wide.
  static std::int64_t across(const ColumnField &field) { return field.shape == PENSTOCK_WIDE ? field.width : 1; }
  /// A struct a record stands in a cell a member; a list, and structs beside one another, in one of JSON.
  static bool isFlat(const ColumnField &field) { return field.element == PENSTOCK_STRUCT && field.shape == PENSTOCK_EACH; }

  std::vector<std::string> fieldNames() const {
    std::vector<std::string> names;
    for (const PrintedAnswer &answer : answers) {
      addNames(*answer.schema, answers.size() == 1 ? "" : answer.name + ".", names);
    }
    return names;
  }

  static void addNames(const Schema &fields, const std::string &before, std::vector<std::string> &names) {
    for (const ColumnField &field : fields) {
      if (isFlat(field)) {
        addNames(field.fields, before + field.name + ".", names);
        continue;
      }
      for (std::int64_t i = 0; i < across(field); ++i) {
        const std::string more = field.shape != PENSTOCK_WIDE ? ""
                                 : isByClass(field)           ? "." + field.classes[static_cast<std::size_t>(i)]
                                                              : "." + std::to_string(i);
        names.push_back(before + field.name + more);
      }
    }
  }

  /// `columns` is NULL where nothing is there.
  static Status cells(const Schema &fields, const std::vector<Column> *columns, std::int64_t row, std::string &line) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const ColumnField &field = fields[i];
      const Column *const column = columns == nullptr || !(*columns)[i].isThere(row) ? nullptr : &(*columns)[i];
      if (isFlat(field)) {
        PENSTOCK_TRY(cells(field.fields, column == nullptr ? nullptr : &column->children, row, line));
        continue;
      }
      for (std::int64_t k = 0; k < across(field); ++k) {
        line += ',';
        if (column != nullptr) {
          PENSTOCK_TRY(put(field, *column, row, k, line));
        }
      }
    }
    return {};
  }

  static Status put(const ColumnField &field, const Column &column, std::int64_t row, std::int64_t place, std::string &line) {
    if (field.isList() || field.element == PENSTOCK_STRUCT) {
      std::string json;
      PENSTOCK_TRY(jsonOfRow(field, column, row, json));
      line += cell(json);
      return {};
    }
    const std::int64_t element = column.elementsOf(field, row).first + place;
    if (!isText(field)) {
      return scalar(field, column, element, line);
    }
    const std::optional<std::string_view> text = textOf(field, column, element);
    line += text ? cell(*text) : "";
    return {};
  }

  struct Echo {
    std::string name;
    ColumnSpec column;
    bool shown;
  };

  std::vector<PrintedAnswer> answers;
  bool series;
  std::vector<std::string> with;
  std::vector<Echo> echoes;
};

class ConllPrinter final : public Printer {
public:
  ConllPrinter(const ColumnField &field, const Column &column, std::size_t axis) : field(field), column(column), axis(axis) {}

  std::vector<std::string> names() const override { return {}; }
  Status record(const RecordReader::Part &part, std::int64_t index, std::string &line) const override {
    const BatchWords &words = part.batch->words[axis];
    const auto which = static_cast<std::size_t>(index);
    const auto [first, last] = column.elementsOf(field, index);
    const std::int64_t begin = words.offsets[which], count = words.offsets[which + 1] - begin;
    if (last - first != count) {
      return internalError("an answer has another number of tags than its record has words; please report this");
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string_view word = words.words[static_cast<std::size_t>(begin + i)];
      for (const char sign : word) { // a blank would end the column
        line += std::string_view(" \t\r\n").find(sign) == std::string_view::npos ? sign : '_';
      }
      line += word.empty() ? "_ " : " ";
      line += textOf(field, column, first + i).value_or("O");
      line += '\n';
    }
    return {};
  }
  std::string failure(const RecordReader::Failure &failure) const override {
    return "# row " + std::to_string(failure.record) + ": " + printable(failure.text) + "\n";
  }

private:
  const ColumnField &field;
  const Column &column;
  const std::size_t axis;
};

} // namespace

std::unique_ptr<const Printer> jsonPrinter(std::vector<PrintedAnswer> answers, PrintedInput input) {
  return std::make_unique<JsonPrinter>(std::move(answers), std::move(input));
}
std::unique_ptr<const Printer> csvPrinter(std::vector<PrintedAnswer> answers, bool series, PrintedInput input) {
  return std::make_unique<CsvPrinter>(std::move(answers), series, std::move(input));
}
Result<std::unique_ptr<const Printer>> conllPrinter(std::vector<PrintedAnswer> answers, std::size_t axis) {
  std::vector<std::unique_ptr<const Printer>> found;
  for (const PrintedAnswer &answer : answers) {
    for (std::size_t i = 0; i < answer.schema->size(); ++i) {
      if ((*answer.schema)[i].meaning == "tags") {
        found.push_back(std::make_unique<ConllPrinter>((*answer.schema)[i], (*answer.columns)[i], axis));
      }
    }
  }
  if (found.size() != 1) {
    return usageError(found.empty() ? "CoNLL holds words and their tags, and this pipeline answers with none: write .csv or .jsonl"
                                    : "CoNLL holds one tag a word, and this pipeline has several answers with tags: write .csv or .jsonl");
  }
  return std::move(found.front());
}

} // namespace penstock
