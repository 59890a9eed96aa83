#include "runtime/base/record_graph.h"

#include <algorithm>
#include <utility>

namespace penstock {

namespace {

using Type = PluginParameter::Type;

PluginParameter parameter(const char *name, Type type, const char *help) {
  PluginParameter made;
  made.name = name;
  made.type = type;
  made.help = help;
  return made;
}
PluginParameter optional(const char *name, Type type, PluginValue value, const char *help) {
  PluginParameter made = parameter(name, type, help);
  made.defaultValue = std::move(value);
  return made;
}
PluginParameter strings(const char *name, const char *help) { return optional(name, Type::strings, std::vector<std::string>(), help); }
PluginParameter text(const char *name, const char *value, const char *help) {
  return optional(name, Type::string, std::string(value), help);
}
PluginParameter flag(const char *name, bool value, const char *help) { return optional(name, Type::boolean, value, help); }
PluginParameter choice(const char *name, std::vector<std::string> words, const char *value, const char *help) {
  PluginParameter made = optional(name, Type::enumeration, std::string(value), help);
  made.members = std::move(words);
  return made;
}
/// One of these, or nothing.
PluginParameter word(const char *name, std::vector<std::string> words, const char *help) {
  PluginParameter made = parameter(name, Type::enumeration, help);
  made.optional = true;
  made.members = std::move(words);
  return made;
}
PluginParameter integer(const char *name, std::int64_t least, std::int64_t most, const char *help) {
  PluginParameter made = parameter(name, Type::integer, help);
  made.required = made.hasMinimum = made.hasMaximum = true;
  made.minimum = static_cast<double>(least);
  made.maximum = static_cast<double>(most);
  return made;
}
/// Names a column.
PluginParameter column(const char *name, const char *help) {
  PluginParameter made = parameter(name, Type::string, help);
  made.required = made.column = true;
  return made;
}
/// With a value that stands for none given.
PluginParameter integer(const char *name, std::int64_t least, std::int64_t most, std::int64_t value, const char *help) {
  PluginParameter made = integer(name, least, most, help);
  made.required = false;
  made.defaultValue = value;
  return made;
}
PluginParameter numberOrWord(const char *name, std::vector<std::string> words, const char *help) {
  PluginParameter made = parameter(name, Type::number, help);
  made.required = true;
  made.members = std::move(words);
  return made;
}
/// Each without a name is one of these.
PluginParameter wordList(const char *name, std::vector<std::string> words, const char *help) {
  PluginParameter made = parameter(name, Type::strings, help);
  made.required = true;
  made.members = std::move(words);
  return made;
}
PluginParameter range(const char *name, const char *help) {
  PluginParameter made = parameter(name, Type::numbers, help);
  made.required = made.range = true;
  return made;
}
PluginParameter range(const char *name, std::vector<double> ends, const char *help) {
  PluginParameter made = range(name, help);
  made.required = false;
  made.defaultValue = std::move(ends);
  return made;
}

template <typename Row> const Row *named(const std::vector<Row> &rows, std::string_view name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row &row) { return name == row.name; });
  return found == rows.end() ? nullptr : &*found;
}

} // namespace

const char *describe(Flow flow) {
  switch (flow) {
  case Flow::text:
    return "a text";
  case Flow::words:
    return "words";
  case Flow::ids:
    return "ids of a tokenizer";
  case Flow::number:
    return "a number";
  case Flow::time:
    return "a time";
  case Flow::index:
    return "a class";
  case Flow::labels:
    return "a set";
  case Flow::tags:
    return "tags";
  case Flow::name:
    return "an id";
  }
  return "a value";
}

const std::vector<ColumnType> &columnTypeRows() {
  static const std::vector<ColumnType> rows = {
#define PARAMETERS(...) {__VA_ARGS__}
#define COLUMN_TYPE(ID, NAME, HOLDS, ...) {NAME, HOLDS, __VA_ARGS__},
#include "runtime/base/column_types.def"
  };
  return rows;
}
const ColumnType *findColumnType(std::string_view name) { return named(columnTypeRows(), name); }

const std::vector<FeatureOperator> &featureOperators() {
  static const std::vector<FeatureOperator> rows = {
#define TEXT_OPERATOR NUMBER_OPERATOR
#define ROW_OPERATOR NUMBER_OPERATOR
#define NUMBER_OPERATOR(NAME, ...) {.name = #NAME, __VA_ARGS__},
#include "runtime/base/feature_operators.def"
  };
  return rows;
}
const FeatureOperator *findFeatureOperator(std::string_view name) { return named(featureOperators(), name); }

const std::vector<RowOperator> &rowOperators() {
  static const std::vector<RowOperator> rows = {
#define ROWS_OPERATOR(NAME, ...) {.name = #NAME, __VA_ARGS__},
#include "runtime/base/row_operators.def"
  };
  return rows;
}
const RowOperator *findRowOperator(std::string_view name) { return named(rowOperators(), name); }

const std::vector<CellOperator> &cellOperators() {
  static const std::vector<CellOperator> rows = {
#define CELL_OPERATOR(NAME, ...) {.name = #NAME, __VA_ARGS__},
#include "runtime/base/cell_operators.def"
  };
  return rows;
}
const CellOperator *findCellOperator(std::string_view name) { return named(cellOperators(), name); }

} // namespace penstock
