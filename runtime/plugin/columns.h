// Columns of the plugin boundary, owned: schemas, values, and their C views.
#pragma once

#include "runtime/abi/plugin_abi.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace penstock {

/// A field of a schema. plugin_abi.h says what its members mean.
struct ColumnField {
  std::string name, meaning;
  std::int32_t element = PENSTOCK_F32, shape = PENSTOCK_EACH;
  std::int64_t width = 1;
  std::int64_t classCount = 0;
  std::vector<std::string> classes; // classCount of them, or none where their names are not known
  std::int64_t trained = 0;
  std::vector<ColumnField> fields;

  bool isList() const { return shape == PENSTOCK_LIST; }
};
using Schema = std::vector<ColumnField>;

/// The first field with that meaning, or -1.
int fieldThatMeans(const Schema &schema, std::string_view meaning);
/// The field of a target column: `meaning` is "class", "number", "set" or "tags".
ColumnField targetField(std::string name, const std::string &meaning, std::vector<std::string> classes,
                        std::vector<std::string> others = {});
/// The field "probabilities": a number a class.
ColumnField probabilitiesField(std::vector<std::string> classes, std::int32_t element = PENSTOCK_F32);
/// A field with a number a record for each of `width` numbers: what flows into a learner.
ColumnField vectorField(std::int64_t width);

/// TextValues in one piece of memory, which stays where they are cleared.
class TextValues {
public:
  std::size_t size() const { return ends.size(); }
  bool empty() const { return ends.empty(); }
  /// Valid until the next change.
  std::string_view operator[](std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends[index - 1];
    return std::string_view(bytes).substr(begin, ends[index] - begin);
  }
  void push_back(std::string_view text) { // as of a vector
    bytes.append(text);
    ends.push_back(bytes.size());
  }
  void clear() {
    bytes.clear();
    ends.clear();
  }

private:
  std::string bytes;
  std::vector<std::size_t> ends;
};

/// Values of one field.
struct Column {
  using Values = std::variant<std::vector<float>, std::vector<double>, std::vector<std::int32_t>, std::vector<std::int64_t>,
                              std::vector<std::uint8_t>, TextValues>;

  Column() = default;
  explicit Column(const ColumnField &field);

  std::int64_t rows = 0;
  Values values;                     // of a struct: empty
  std::vector<std::int64_t> offsets; // rows + 1, of a list
  std::vector<std::uint8_t> present; // empty: all rows are there
  std::vector<Column> children;      // of a struct: one a field

  template <typename T> std::vector<T> &of() { return std::get<std::vector<T>>(values); }
  template <typename T> const std::vector<T> &of() const { return std::get<std::vector<T>>(values); }
  TextValues &texts() { return std::get<TextValues>(values); }
  const TextValues &texts() const { return std::get<TextValues>(values); }
  bool isThere(std::int64_t row) const { return present.empty() || present[static_cast<std::size_t>(row)] != 0; }
  /// The elements of a row: [first, last).
  std::pair<std::int64_t, std::int64_t> elementsOf(const ColumnField &field, std::int64_t row) const;
  /// Keeps the memory.
  void clear();
  /// Appends row `row` of another column of the field.
  void append(const ColumnField &field, const Column &from, std::int64_t row);
  /// Ends a row of a list.
  void endRow();
};
std::vector<Column> columnsOf(const Schema &schema);

/// The C form of a schema; points into the schema that it was made of.
class SchemaView {
public:
  explicit SchemaView(std::span<const ColumnField> fields);
  SchemaView(SchemaView &&) = default;
  SchemaView &operator=(SchemaView &&) = default;
  PenstockTable table() const { return {static_cast<std::int32_t>(views.size()), sizeof(PenstockField), views.data()}; }
  const PenstockField &operator[](std::size_t index) const { return views[index]; }
  const SchemaView *fieldsOf(std::size_t index) const { return children[index].get(); }

private:
  std::vector<std::vector<PenstockString>> names;
  std::vector<std::unique_ptr<SchemaView>> children;
  std::vector<PenstockField> views;
};

/// The C form of columns; points into the columns, and into a SchemaView of their fields.
class ColumnsView {
public:
  ColumnsView() = default;
  ColumnsView(const ColumnsView &) = delete;
  ColumnsView &operator=(const ColumnsView &) = delete;
  /// Those of `columns` that `wanted` has, in its order; all where there is none.
  const PenstockColumns &of(const SchemaView &fields, const std::vector<Column> &columns, std::int64_t records,
                            const std::vector<int> *wanted = nullptr);
  const PenstockColumns &get() const { return all; }
  const PenstockColumn &first() const { return views.front(); }
  /// What a plugin is lent: every array of numbers that it could write into, by `lend(pointer, bytes)`.
  template <typename Lend> void lendTo(Lend &&lend) {
    for (std::size_t i = 0; i < views.size(); ++i) {
      PenstockColumn &view = views[i];
      lend(view.values, bytes[i]);
      lend(view.offsets, view.offsets == nullptr ? 0 : (static_cast<std::size_t>(view.rows) + 1) * sizeof(std::int64_t));
      lend(view.present, view.present == nullptr ? 0 : static_cast<std::size_t>(view.rows));
      if (children[i] != nullptr) {
        children[i]->lendTo(lend);
      }
    }
  }

private:
  void add(const PenstockField &field, const SchemaView *fields, const Column &column);

  std::vector<PenstockColumn> views;
  std::vector<std::size_t> bytes; // of each view's values
  std::vector<std::vector<PenstockString>> texts;
  std::vector<std::unique_ptr<ColumnsView>> children;
  PenstockColumns all{};
};

} // namespace penstock
