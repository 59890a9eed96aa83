// Columns in C++: fields of a schema, what a plugin writes into them, and what it reads of those that it is given.
//
//     std::vector<sdk::Field> describe() const {
//       return {sdk::Field::ofClass("label", names).means("class"), sdk::Field::f32("confidence")};
//     }
//     ... out[0].add(best); out[1].add(row[best]);
//
// A writer adds elements; what a record has is what was added before its row ends: exactly one of a field each, `width` of a wide one,
// any number of a list. Of a field each, or wide, nothing is a missing cell. A struct ends with `endStruct`.
#pragma once

#include <penstock/sdk/common.h>

#include <algorithm>
#include <utility>

namespace penstock::sdk {

/// A field of a schema. plugin_abi.h says what its members mean.
struct Field {
  std::string name, meaning;
  std::int32_t element = PENSTOCK_F32, shape = PENSTOCK_EACH;
  std::int64_t width = 1;
  std::vector<std::string> classes;
  std::int64_t trained = 0;
  std::vector<Field> fields;

  static Field of(std::string_view name, std::int32_t element) {
    Field made;
    made.name = name;
    made.element = element;
    return made;
  }
  static Field f32(std::string_view name) { return of(name, PENSTOCK_F32); }
  static Field f64(std::string_view name) { return of(name, PENSTOCK_F64); }
  static Field i64(std::string_view name) { return of(name, PENSTOCK_I64); }
  static Field flag(std::string_view name) { return of(name, PENSTOCK_BOOL); }
  static Field text(std::string_view name) { return of(name, PENSTOCK_TEXT); }
  static Field ofClass(std::string_view name, std::vector<std::string> classes) {
    return of(name, PENSTOCK_CLASS).named(std::move(classes));
  }
  static Field structs(std::string_view name, std::vector<Field> fields) {
    Field made = of(name, PENSTOCK_STRUCT);
    made.fields = std::move(fields);
    return made;
  }
  Field means(std::string_view what) && {
    meaning = what;
    return std::move(*this);
  }
  Field list() && {
    shape = PENSTOCK_LIST;
    return std::move(*this);
  }
  Field wide(std::int64_t elements) && {
    shape = PENSTOCK_WIDE;
    width = elements;
    return std::move(*this);
  }
  /// An element a class.
  Field wide(std::vector<std::string> names) && {
    const auto elements = static_cast<std::int64_t>(names.size());
    return std::move(*this).named(std::move(names)).wide(elements);
  }

private:
  Field named(std::vector<std::string> names) && {
    classes = std::move(names);
    trained = static_cast<std::int64_t>(classes.size());
    return std::move(*this);
  }
};

/// Fields as the boundary has them; they point into the fields that it was made of.
class FieldViews {
public:
  explicit FieldViews(std::span<const Field> fields) {
    names.resize(fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const Field &field = fields[i];
      for (const std::string &name : field.classes) {
        names[i].push_back(string(name));
      }
      children.push_back(field.fields.empty() ? nullptr : std::make_unique<FieldViews>(field.fields));
      PenstockField view{};
      view.struct_size = sizeof view;
      view.element = field.element;
      view.shape = field.shape;
      view.name = string(field.name);
      view.meaning = string(field.meaning);
      view.width = field.width;
      view.class_count = static_cast<std::int64_t>(names[i].size());
      view.classes = names[i].empty() ? nullptr : names[i].data();
      view.trained = field.trained;
      view.fields = children[i] == nullptr ? PenstockTable{} : children[i]->table();
      views.push_back(view);
    }
  }
  PenstockTable table() const { return {static_cast<std::int32_t>(views.size()), sizeof(PenstockField), views.data()}; }
  const PenstockField &operator[](std::size_t index) const { return views[index]; }
  const FieldViews *fieldsOf(std::size_t index) const { return children[index].get(); }
  std::size_t size() const { return views.size(); }

private:
  std::vector<std::vector<PenstockString>> names;
  std::vector<std::unique_ptr<FieldViews>> children;
  std::vector<PenstockField> views;
};

/// A schema and its views.
struct Schema {
  explicit Schema(std::vector<Field> given) : fields(std::move(given)), views(fields) {}
  Schema(const Schema &) = delete;
  Schema &operator=(const Schema &) = delete;
  std::vector<Field> fields;
  FieldViews views;
};

/// Some values of one field, written row by row.
class Column {
public:
  explicit Column(const Field &field) : field(&field) {
    for (const Field &one : field.fields) {
      children.emplace_back(one);
    }
  }

  /// A number of any kind, a flag, or the index of a class.
  template <typename T>
    requires std::is_arithmetic_v<T>
  void add(T value) {
    switch (field->element) {
    case PENSTOCK_F32:
      return append(static_cast<float>(value));
    case PENSTOCK_F64:
      return append(static_cast<double>(value));
    case PENSTOCK_I64:
      return append(static_cast<std::int64_t>(value));
    case PENSTOCK_BOOL:
      return append(static_cast<std::uint8_t>(value != 0));
    case PENSTOCK_TEXT:
    case PENSTOCK_STRUCT:
      throw Failure("the plugin adds a number to its field `" + field->name + "`");
    default:
      return append(static_cast<std::int32_t>(value));
    }
  }
  void add(std::string_view text) {
    if (field->element != PENSTOCK_TEXT) {
      throw Failure("the plugin adds a text to its field `" + field->name + "`");
    }
    bytes.append(text);
    ends.push_back(bytes.size());
    ++elements;
  }
  void add(std::span<const float> values) {
    for (const float value : values) {
      add(value);
    }
  }
  /// The column of a member of a struct.
  Column &operator[](std::size_t index) { return children.at(index); }
  /// What was added to the members is one struct.
  void endStruct() {
    for (Column &child : children) {
      child.endRow();
    }
    ++elements;
  }

  /// What was added since the last row is a row.
  void endRow() {
    const std::int64_t added = elements - taken;
    const bool list = field->shape == PENSTOCK_LIST;
    if (!list && added != field->width && added != 0) {
      throw Failure("the plugin gives " + std::to_string(added) + " values where its field `" + field->name + "` has " +
                    std::to_string(field->width));
    }
    if (!list) {
      if (added == 0 && present.empty()) {
        present.assign(static_cast<std::size_t>(rows), 1);
      }
      if (added == 0 || !present.empty()) {
        present.push_back(added == 0 ? 0 : 1);
      }
      for (std::int64_t i = added; i < field->width; ++i) {
        fill();
      }
    }
    ++rows;
    taken = elements;
    if (list) {
      offsets.push_back(elements);
    }
  }

  /// Forgets what was added since the last row.
  void dropRow() {
    if (elements > taken && field->element == PENSTOCK_TEXT) {
      ends.resize(static_cast<std::size_t>(taken));
      bytes.resize(ends.empty() ? 0 : ends.back());
    } else if (elements > taken) { // equal parts
      memory.resize(memory.size() / static_cast<std::size_t>(elements) * static_cast<std::size_t>(taken));
    }
    elements = taken;
  }

  void clear() {
    memory.clear();
    bytes.clear();
    ends.clear();
    offsets.assign(1, 0);
    present.clear();
    texts.clear();
    elements = taken = rows = 0;
    for (Column &child : children) {
      child.clear();
    }
  }

  /// Valid until the next change of this column, and as long as `view`, which is of its field.
  PenstockColumn viewOf(const PenstockField &view, const FieldViews *members) {
    PenstockColumn made{};
    made.struct_size = sizeof made;
    made.field = &view;
    made.rows = rows;
    made.offsets = field->shape == PENSTOCK_LIST ? offsets.data() : nullptr;
    made.present = present.empty() ? nullptr : present.data();
    if (field->element == PENSTOCK_TEXT) {
      texts.clear();
      std::size_t at = 0;
      for (const std::size_t end : ends) {
        texts.push_back({bytes.data() + at, end - at});
        at = end;
      }
      made.values = texts.data();
    } else if (field->element == PENSTOCK_STRUCT) {
      views.clear();
      for (std::size_t i = 0; i < children.size(); ++i) {
        views.push_back(children[i].viewOf((*members)[i], members->fieldsOf(i)));
      }
      made.children = {static_cast<std::int32_t>(views.size()), sizeof(PenstockColumn), views.data()};
    } else {
      made.values = memory.data();
    }
    return made;
  }

private:
  template <typename T> void append(T value) {
    const auto *from = reinterpret_cast<const std::byte *>(&value);
    memory.insert(memory.end(), from, from + sizeof value);
    ++elements;
  }
  /// An element of a missing cell.
  void fill() {
    if (field->element == PENSTOCK_TEXT) {
      add(std::string_view());
    } else if (field->element == PENSTOCK_STRUCT) {
      endStruct();
    } else {
      add(0);
    }
  }

  const Field *field;
  std::vector<std::byte> memory; // of numbers; the allocator's alignment is that of any of them
  std::string bytes;             // of texts, which end at `ends`
  std::vector<std::size_t> ends;
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::uint8_t> present; // empty: all
  std::vector<Column> children;
  std::vector<PenstockString> texts;
  std::vector<PenstockColumn> views;
  std::int64_t elements = 0, taken = 0, rows = 0;
};

/// Columns of a schema, written record by record and handed to a sink.
class ColumnWriter {
public:
  /// `schema` lives as long as this. `wanted`: see PenstockDecodeBatch.
  explicit ColumnWriter(const Schema &schema, const std::uint8_t *wanted = nullptr) : views(schema.views) {
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
      columns.emplace_back(schema.fields[i]);
    }
    begin(wanted);
  }
  ColumnWriter(ColumnWriter &&) = default;
  ColumnWriter(const ColumnWriter &) = delete;
  ColumnWriter &operator=(const ColumnWriter &) = delete;

  Column &operator[](std::size_t field) { return columns.at(field); }
  /// Whether somebody reads a field; what is added to others goes nowhere.
  bool wants(std::size_t field) const { return isWanted.at(field); }
  void endRecord() {
    for (Column &column : columns) {
      column.endRow();
    }
    ++records;
  }
  /// Forgets what was added since the last record; of columns that are no structs.
  void dropRow() {
    for (Column &column : columns) {
      column.dropRow();
    }
  }
  void clear() {
    for (Column &column : columns) {
      column.clear();
    }
    records = 0;
  }
  /// Clears it for records of which others are wanted.
  void begin(const std::uint8_t *wanted) {
    clear();
    isWanted.resize(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
      isWanted[i] = wanted == nullptr || wanted[i] != 0;
    }
  }

  /// The columns that are wanted. Valid until the next change.
  const PenstockColumns &view() {
    made.clear();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (isWanted[i]) {
        made.push_back(columns[i].viewOf(views[i], views.fieldsOf(i)));
      }
    }
    all = {};
    all.struct_size = sizeof all;
    all.records = records;
    all.columns = {static_cast<std::int32_t>(made.size()), sizeof(PenstockColumn), made.data()};
    return all;
  }
  void send(const PenstockColumnSink *sink) {
    if (sink->columns(sink->context, &view()) != 0) {
      throw Failure("the host stopped the plugin");
    }
  }

private:
  const FieldViews &views;
  std::vector<Column> columns;
  std::vector<bool> isWanted;
  std::vector<PenstockColumn> made;
  PenstockColumns all{};
  std::int64_t records = 0;
};

/// Hands a schema to the host.
inline void sendFields(const Schema &schema, const PenstockFieldSink *sink) {
  for (std::size_t i = 0; i < schema.views.size(); ++i) {
    if (sink->field(sink->context, &schema.views[i]) != 0) {
      throw Failure("the host stopped the plugin");
    }
  }
}

// ---- reading

template <typename Row> const Row &rowOf(const PenstockTable &table, std::int32_t index) {
  return *static_cast<const Row *>(penstock_table_row(&table, index));
}

/// The first field with that meaning; NULL where there is none.
inline const PenstockField *fieldThatMeans(const PenstockTable &fields, std::string_view meaning) {
  for (std::int32_t i = 0; i < fields.count; ++i) {
    if (view(rowOf<PenstockField>(fields, i).meaning) == meaning) {
      return &rowOf<PenstockField>(fields, i);
    }
  }
  return nullptr;
}
/// The first column whose field has that meaning; NULL where there is none.
inline const PenstockColumn *columnThatMeans(const PenstockColumns *columns, std::string_view meaning) {
  for (std::int32_t i = 0; columns != nullptr && i < columns->columns.count; ++i) {
    const PenstockColumn &column = rowOf<PenstockColumn>(columns->columns, i);
    if (view(column.field->meaning) == meaning) {
      return &column;
    }
  }
  return nullptr;
}
inline std::vector<std::string> classesOf(const PenstockField &field) {
  return field.classes == nullptr ? std::vector<std::string>() : strings(field.classes, field.class_count);
}
/// Elements of the whole column.
inline std::int64_t elementsOf(const PenstockColumn &column) {
  return column.field->shape == PENSTOCK_LIST ? column.offsets[column.rows] : column.rows * column.field->width;
}
/// One element of numbers, flags or indices in double precision.
inline double numberAt(const PenstockColumn &column, std::int64_t index) {
  switch (column.field->element) {
  case PENSTOCK_F32:
    return static_cast<double>(static_cast<const float *>(column.values)[index]);
  case PENSTOCK_F64:
    return static_cast<const double *>(column.values)[index];
  case PENSTOCK_I64:
    return static_cast<double>(static_cast<const std::int64_t *>(column.values)[index]);
  case PENSTOCK_BOOL:
    return static_cast<const std::uint8_t *>(column.values)[index];
  case PENSTOCK_TEXT:
  case PENSTOCK_STRUCT:
    throw Failure("the column `" + std::string(view(column.field->name)) + "` has no numbers");
  default:
    return static_cast<const std::int32_t *>(column.values)[index];
  }
}

} // namespace penstock::sdk
