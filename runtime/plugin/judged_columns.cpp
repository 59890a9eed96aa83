#include "runtime/plugin/judged_columns.h"

#include "runtime/base/printable.h"
#include "runtime/plugin/plugin_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace penstock {

namespace {

// Limits of what a plugin may ask the host to keep; docs/design/plugins.md lists them.
constexpr std::int32_t maximumFields = 1024;
constexpr int deepest = 8;
constexpr std::int64_t maximumWidth = std::int64_t{1} << 24;
constexpr std::size_t maximumName = 65536, maximumText = std::size_t{1} << 24, maximumBytes = std::size_t{1} << 30;

bool isKnown(std::int32_t element) {
  return element == PENSTOCK_F32 || element == PENSTOCK_I32 || (element >= PENSTOCK_I64 && element <= PENSTOCK_STRUCT);
}

/// A key of JSON, and a part of a column's name in CSV.
bool isFieldName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && (name[0] < '0' || name[0] > '9') && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

template <typename Row> const Row *rowOf(const PenstockTable &table, std::int32_t index) {
  return static_cast<const Row *>(penstock_table_row(&table, index));
}

/// Whether rows of `Row` with all that the first version had may lie there.
template <std::size_t Least> bool plausibleTable(const PenstockTable &table, std::int32_t limit) {
  return table.count >= 0 && table.count <= limit && (table.count == 0 || (table.first != nullptr && table.stride >= Least));
}

constexpr std::size_t leastField = PENSTOCK_SIZE_WITH(PenstockField, fields), leastColumn = PENSTOCK_SIZE_WITH(PenstockColumn, children),
                      leastColumns = PENSTOCK_SIZE_WITH(PenstockColumns, last_rows);

/// Copies one column that a plugin gives.
class Taking {
public:
  Taking(std::size_t &bytes) : bytes(bytes) {}

  std::string take(const PenstockColumn &given, const ColumnField &field, std::int64_t rows, Column &into) {
    if (given.struct_size < leastColumn) {
      return fmt::format("gives a column of {} bytes, fewer than the first version had", given.struct_size);
    }
    const auto says = [&](const std::string &what) { return fmt::format("gives `{}` {}", field.name, what); };
    if (given.rows != rows) {
      return says(fmt::format("for {} rows where there are {}", given.rows, rows));
    }
    if (given.present != nullptr && field.isList()) {
      return says("as a list with rows that are missing; a list without elements is empty");
    }
    std::int64_t elements = rows * field.width;
    if (field.isList()) {
      if (given.offsets == nullptr || given.offsets[0] != 0 || !std::is_sorted(given.offsets, given.offsets + rows + 1)) {
        return says("with offsets that do not begin at 0 and go upwards");
      }
      elements = given.offsets[rows];
    }
    if (elements > static_cast<std::int64_t>(maximumBytes)) {
      return says(fmt::format("with {} elements, at most {} bytes are taken", elements, maximumBytes));
    }
    if (elements > 0 && given.values == nullptr && field.element != PENSTOCK_STRUCT) {
      return says("at a null pointer");
    }
    if (std::string reason = takeElements(given, field, elements, into); !reason.empty()) {
      return reason;
    }
    if (field.isList()) {
      if (into.offsets.empty()) {
        into.offsets.push_back(0);
      }
      const std::int64_t before = into.offsets.back();
      for (std::int64_t r = 1; r <= rows; ++r) {
        into.offsets.push_back(before + given.offsets[r]);
      }
    }
    if (given.present != nullptr || !into.present.empty()) {
      into.present.resize(static_cast<std::size_t>(into.rows), 1);
      for (std::int64_t r = 0; r < rows; ++r) {
        into.present.push_back(given.present == nullptr || given.present[r] != 0 ? 1 : 0);
      }
    }
    into.rows += rows;
    return {};
  }

private:
  std::string takeElements(const PenstockColumn &given, const ColumnField &field, std::int64_t elements, Column &into) {
    switch (field.element) {
    case PENSTOCK_STRUCT:
      return takeStructs(given, field, elements, into);
    case PENSTOCK_TEXT:
      return takeTexts(given, field, elements, into);
    case PENSTOCK_CLASS:
      return takeAll<std::int32_t>(given, field, elements, into, [&](std::int32_t index) {
        return index >= -1 && index < field.classCount ? std::string()
                                                       : fmt::format("the class {}, where there are {}", index, field.classCount);
      });
    case PENSTOCK_BOOL:
      return takeAll<std::uint8_t>(given, field, elements, into, [](std::uint8_t flag) {
        return flag <= 1 ? std::string() : std::string("a flag that is neither 0 nor 1");
      });
    default:
      break;
    }
    return std::visit(
        [&]<typename Held>(const Held &) {
          if constexpr (std::is_same_v<Held, TextValues>) {
            return std::string();
          } else {
            using T = typename Held::value_type;
            return takeAll<T>(given, field, elements, into, [](T) { return std::string(); });
          }
        },
        into.values);
  }

  template <typename T, typename Judge>
  std::string takeAll(const PenstockColumn &given, const ColumnField &field, std::int64_t elements, Column &into, Judge &&judge) {
    const auto *const first = static_cast<const T *>(given.values);
    for (std::int64_t i = 0; i < elements; ++i) {
      if (std::string reason = judge(first[i]); !reason.empty()) {
        return fmt::format("gives `{}` {}", field.name, reason);
      }
    }
    if (!count(static_cast<std::size_t>(elements) * sizeof(T))) {
      return tooMuch();
    }
    into.of<T>().insert(into.of<T>().end(), first, first + elements);
    return {};
  }

  std::string takeTexts(const PenstockColumn &given, const ColumnField &field, std::int64_t elements, Column &into) {
    const auto *const first = static_cast<const PenstockString *>(given.values);
    for (std::int64_t i = 0; i < elements; ++i) {
      std::string reason;
      if (!judgeText(first[i], maximumText, reason)) {
        return fmt::format("gives `{}` a text that {}", field.name, reason);
      }
      if (!count(first[i].size + sizeof(std::string))) {
        return tooMuch();
      }
      into.texts().push_back({first[i].data == nullptr ? "" : first[i].data, first[i].size});
    }
    return {};
  }

  std::string takeStructs(const PenstockColumn &given, const ColumnField &field, std::int64_t elements, Column &into) {
    if (!plausibleTable<leastColumn>(given.children, maximumFields) ||
        static_cast<std::size_t>(given.children.count) != field.fields.size()) {
      return fmt::format("gives `{}` {} columns for its {} fields", field.name, given.children.count, field.fields.size());
    }
    for (std::size_t i = 0; i < field.fields.size(); ++i) {
      if (std::string reason =
              take(*rowOf<PenstockColumn>(given.children, static_cast<std::int32_t>(i)), field.fields[i], elements, into.children[i]);
          !reason.empty()) {
        return reason;
      }
    }
    return {};
  }

  bool count(std::size_t more) {
    bytes += more;
    return bytes <= maximumBytes;
  }
  static std::string tooMuch() { return fmt::format("gives more than {} bytes at once", maximumBytes); }

  std::size_t &bytes;
};

} // namespace

std::string takeField(const PenstockField &given, ColumnField &field, int depth) {
  if (given.struct_size < leastField) {
    return fmt::format(" has {} bytes, fewer than the first version had", given.struct_size);
  }
  std::string reason;
  if (!judgeText(given.name, maximumName, reason) || !judgeText(given.meaning, maximumName, reason)) {
    return "'s name or meaning " + reason;
  }
  field.name.assign(given.name.data, given.name.size);
  if (!isFieldName(field.name)) {
    return fmt::format(" `{}` has a name that is not made of letters, digits and `_`", printable(field.name, 80));
  }
  if (given.meaning.size > 0) {
    field.meaning.assign(given.meaning.data, given.meaning.size);
  }
  const auto says = [&](const std::string &what) { return fmt::format(" `{}` {}", field.name, what); };
  field.element = given.element;
  field.shape = given.shape;
  field.width = given.width;
  field.classCount = given.class_count;
  field.trained = given.trained;
  if (!isKnown(field.element) || field.shape < PENSTOCK_EACH || field.shape > PENSTOCK_LIST) {
    return says(fmt::format("has the element {} and the shape {}, which there are not", field.element, field.shape));
  }
  if (field.width < 0 || field.width > maximumWidth || (field.shape != PENSTOCK_WIDE && field.width != 1)) {
    return says(fmt::format("has the width {}", field.width));
  }
  const bool named = field.element == PENSTOCK_CLASS;
  if (!plausible(given.classes, field.classCount, maximumWidth) || (named && field.classCount == 0) ||
      (!named && field.classCount != 0 && (field.shape != PENSTOCK_WIDE || field.classCount != field.width))) {
    return says(fmt::format("has {} classes{}", field.classCount, given.classes == nullptr ? " at a null pointer" : ""));
  }
  if (field.trained < 0 || field.trained > field.classCount) {
    return says(fmt::format("has {} classes of train among {}", field.trained, field.classCount));
  }
  for (std::int64_t i = 0; i < field.classCount; ++i) {
    if (!judgeText(given.classes[i], maximumName, reason)) {
      return says("has a class whose name " + reason);
    }
    field.classes.emplace_back(given.classes[i].data == nullptr ? "" : given.classes[i].data, given.classes[i].size);
  }
  const bool structs = field.element == PENSTOCK_STRUCT;
  if (!plausibleTable<leastField>(given.fields, maximumFields) || structs != (given.fields.count > 0) || depth >= deepest) {
    return says(fmt::format("has {} fields at depth {}", given.fields.count, depth));
  }
  std::set<std::string> names;
  for (std::int32_t i = 0; i < given.fields.count; ++i) {
    field.fields.emplace_back();
    if (std::string wrong = takeField(*rowOf<PenstockField>(given.fields, i), field.fields.back(), depth + 1); !wrong.empty()) {
      return says("has a field that" + wrong);
    }
    if (!names.insert(field.fields.back().name).second) {
      return says(fmt::format("has two fields `{}`", field.fields.back().name));
    }
  }
  return {};
}

std::string takeColumns(const PenstockColumns &given, const Schema &schema, const std::vector<bool> &wanted, std::int64_t most,
                        std::vector<Column> &columns, std::size_t &bytes) {
  if (given.struct_size < leastColumns) {
    return fmt::format("gives columns of {} bytes, fewer than the first version had", given.struct_size);
  }
  if (given.records < 0 || given.records > most) {
    return fmt::format("answers {} records where {} are left", given.records, most);
  }
  if (!plausibleTable<leastColumn>(given.columns, std::max(maximumFields, static_cast<std::int32_t>(schema.size())))) {
    return fmt::format("gives {} columns at a place where there are none", given.columns.count);
  }
  Taking taking(bytes);
  static thread_local std::vector<bool> taken; // its memory is used again
  taken.assign(schema.size(), false);
  for (std::int32_t i = 0; i < given.columns.count; ++i) {
    const PenstockColumn &column = *rowOf<PenstockColumn>(given.columns, i);
    std::string reason;
    if (column.struct_size < leastColumn || column.field == nullptr || column.field->struct_size < leastField ||
        !judgeText(column.field->name, maximumName, reason)) {
      return "gives a column without a field";
    }
    const std::string_view name(column.field->name.data, column.field->name.size);
    // Most give their columns in the order of the schema.
    const bool inOrder = static_cast<std::size_t>(i) < schema.size() && schema[static_cast<std::size_t>(i)].name == name;
    const auto found = inOrder ? schema.begin() + i
                               : std::find_if(schema.begin(), schema.end(), [&](const ColumnField &field) { return field.name == name; });
    const auto at = static_cast<std::size_t>(found - schema.begin());
    if (found == schema.end()) {
      return fmt::format("gives a column `{}`, which its schema does not have", printable(name, 80));
    }
    if (taken[at]) {
      return fmt::format("gives `{}` twice", printable(name, 80));
    }
    taken[at] = true;
    if (column.field->element != found->element || column.field->shape != found->shape || column.field->width != found->width) {
      return fmt::format("gives `{}` in another form than its schema says", name);
    }
    if (wanted.empty() || wanted[at]) {
      if (reason = taking.take(column, *found, given.records, columns[at]); !reason.empty()) {
        return reason;
      }
    }
  }
  for (std::size_t i = 0; i < schema.size(); ++i) {
    if (!taken[i] && (wanted.empty() || wanted[i])) {
      return fmt::format("gives no column `{}`", schema[i].name);
    }
  }
  return {};
}

} // namespace penstock
