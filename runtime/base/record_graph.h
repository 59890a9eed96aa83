// What columns hold, what operators of features do with it, and what is done to rows and cells before: tables, column_types.def,
// feature_operators.def, row_operators.def and cell_operators.def, that the front end and the runtime read alike. How a cell becomes a
// number, and what an operator computes, is in runtime/data.
#pragma once

#include "runtime/base/fields.h"
#include "runtime/base/plugin_manifest.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace penstock {

/// What the cells of a column hold, and what flows through operators until the batch.
enum class Flow {
  text,
  words,  // a list of texts
  ids,    // of a tokenizer
  number, // or several a record
  time,   // seconds since 1970-01-01T00:00 UTC; too many digits for a model
  index,  // of a class, or of one of so many values
  labels,
  tags,
  name // of a record; nothing reads it
};

/// "a number", "a time": for messages.
const char *describe(Flow flow);

struct ColumnType {
  const char *name; // "number"
  Flow holds;
  std::vector<PluginParameter> parameters; // beside `from`
  const char *help;
};

const std::vector<ColumnType> &columnTypeRows();
/// NULL where there is none of that name.
const ColumnType *findColumnType(std::string_view name);

/// An operator between columns and the batch. One that gives numbers treats each number of a record by itself.
struct FeatureOperator {
  const char *name;
  Flow takes, gives;
  const char *help;
  std::vector<PluginParameter> parameters = {};
  bool fits = false;         // keeps what it computed of train
  bool fills = false;        // takes numbers that may be missing, and no others
  bool inverts = false;      // may stand on a target: answers and metrics are of the column
  bool single = false;       // takes one number a record
  NamedValues onTarget = {}; // parameters that it has where a head scales its target by it
  bool ofRows = false;       // makes records of several rows: what it gives lies on their axis
  /// How many numbers it makes of one.
  std::int64_t (*each)(const NamedValues &parameters) = [](const NamedValues &) -> std::int64_t { return 1; };
  /// Of one that gives an index: how many values there are.
  std::int64_t (*values)(const NamedValues &parameters) = nullptr;
};

const std::vector<FeatureOperator> &featureOperators();
/// NULL where there is none of that name.
const FeatureOperator *findFeatureOperator(std::string_view name);

/// What is done to the rows of a source before they are records.
struct RowOperator {
  enum class Takes { cells, columns }; // by column what its cells are, or names of columns
  const char *name;
  Takes takes = Takes::cells;
  bool takesEmpty = false;   // `empty` in place of a list of cells
  bool comparesRows = false; // what it removes depends on the rows before, of splits before as well
  const char *removed;       // what a row is that it removes: "dropped"
  const char *help;
  const char *form; // as it is written, for messages
};

/// In place of a list of cells: a cell with nothing but blanks, or none at all.
inline constexpr std::string_view emptyCell = "empty";

const std::vector<RowOperator> &rowOperators();
/// NULL where there is none of that name.
const RowOperator *findRowOperator(std::string_view name);

/// What becomes of the cells of a column, wherever they are read.
struct CellOperator {
  const char *name;
  std::vector<Flow> takes; // what the column holds
  bool pairs = false;      // takes pairs of an old and a new text, in place of parameters
  bool ofClasses = false;  // is fitted on the classes of train: of a column that is only a target
  const char *help;
  std::vector<PluginParameter> parameters = {};
};

const std::vector<CellOperator> &cellOperators();
/// NULL where there is none of that name.
const CellOperator *findCellOperator(std::string_view name);

/// The value of a parameter; NULL where there is none of that type.
template <typename T> const T *parameterOf(const NamedValues &parameters, std::string_view name) {
  const auto found = parameters.find(std::string(name));
  return found == parameters.end() ? nullptr : std::get_if<T>(&found->second);
}
/// The items of a parameter that is a list, or `otherwise`, which outlive what is given.
template <typename T>
std::span<const T> itemsOr(const NamedValues &parameters, std::string_view name, std::span<const std::type_identity_t<T>> otherwise) {
  const auto *const given = parameterOf<std::vector<T>>(parameters, name);
  return given == nullptr ? otherwise : std::span<const T>(*given);
}
/// The value of a parameter, or `otherwise` where there is none of that type.
template <typename T> T parameterOr(const NamedValues &parameters, std::string_view name, T otherwise) {
  const T *const value = parameterOf<T>(parameters, name);
  return value == nullptr ? otherwise : *value;
}

} // namespace penstock
