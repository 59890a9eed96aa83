#include "runtime/plugin/columns.h"

#include <algorithm>
#include <iterator>
#include <type_traits>

namespace penstock {

namespace {

Column::Values valuesFor(std::int32_t element) {
  switch (element) {
  case PENSTOCK_F32:
    return std::vector<float>();
  case PENSTOCK_F64:
    return std::vector<double>();
  case PENSTOCK_I64:
    return std::vector<std::int64_t>();
  case PENSTOCK_BOOL:
    return std::vector<std::uint8_t>();
  case PENSTOCK_TEXT:
    return TextValues();
  default:
    return std::vector<std::int32_t>();
  }
}

} // namespace

int fieldThatMeans(const Schema &schema, std::string_view meaning) {
  const auto found = std::find_if(schema.begin(), schema.end(), [&](const ColumnField &field) { return field.meaning == meaning; });
  return found == schema.end() ? -1 : static_cast<int>(found - schema.begin());
}

ColumnField targetField(std::string name, const std::string &meaning, std::vector<std::string> classes, std::vector<std::string> others) {
  ColumnField made;
  made.name = std::move(name);
  made.meaning = meaning;
  made.element = meaning == "number" ? PENSTOCK_F64 : PENSTOCK_CLASS;
  made.shape = meaning == "set" || meaning == "tags" ? PENSTOCK_LIST : PENSTOCK_EACH;
  if (meaning != "number") {
    made.classes = std::move(classes);
    made.trained = static_cast<std::int64_t>(made.classes.size());
    made.classes.insert(made.classes.end(), std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()));
    made.classCount = static_cast<std::int64_t>(made.classes.size());
  }
  return made;
}

ColumnField probabilitiesField(std::vector<std::string> classes, std::int32_t element) {
  ColumnField made;
  made.name = made.meaning = "probabilities";
  made.element = element;
  made.shape = PENSTOCK_WIDE;
  made.classes = std::move(classes);
  made.width = made.classCount = made.trained = static_cast<std::int64_t>(made.classes.size());
  return made;
}

ColumnField vectorField(std::int64_t width) {
  ColumnField made;
  made.name = made.meaning = "vector";
  made.shape = PENSTOCK_WIDE;
  made.width = width;
  return made;
}

Column::Column(const ColumnField &field) : values(valuesFor(field.element)) {
  if (field.isList()) {
    offsets.push_back(0);
  }
  for (const ColumnField &one : field.fields) {
    children.emplace_back(one);
  }
}

std::pair<std::int64_t, std::int64_t> Column::elementsOf(const ColumnField &field, std::int64_t row) const {
  if (field.isList()) {
    return {offsets[static_cast<std::size_t>(row)], offsets[static_cast<std::size_t>(row) + 1]};
  }
  return {row * field.width, (row + 1) * field.width};
}

void Column::clear() {
  rows = 0;
  std::visit([](auto &held) { held.clear(); }, values);
  if (!offsets.empty()) {
    offsets.assign(1, 0);
  }
  present.clear();
  for (Column &child : children) {
    child.clear();
  }
}

void Column::append(const ColumnField &field, const Column &from, std::int64_t row) {
  const auto [first, last] = from.elementsOf(field, row);
  std::visit(
      [&]<typename Held>(Held &held) {
        const Held &others = std::get<Held>(from.values);
        for (std::int64_t element = first; element < last && !others.empty(); ++element) {
          held.push_back(others[static_cast<std::size_t>(element)]);
        }
      },
      values);
  for (std::size_t i = 0; i < children.size(); ++i) {
    for (std::int64_t element = first; element < last; ++element) {
      children[i].append(field.fields[i], from.children[i], element);
    }
  }
  if (!from.present.empty() || !present.empty()) {
    present.resize(static_cast<std::size_t>(rows), 1);
    present.push_back(from.isThere(row) ? 1 : 0);
  }
  if (field.isList()) {
    offsets.push_back(offsets.back() + last - first);
  }
  ++rows;
}

void Column::endRow() {
  offsets.push_back(std::visit([](const auto &held) { return static_cast<std::int64_t>(held.size()); }, values));
  ++rows;
}

std::vector<Column> columnsOf(const Schema &schema) {
  std::vector<Column> made;
  for (const ColumnField &field : schema) {
    made.emplace_back(field);
  }
  return made;
}

SchemaView::SchemaView(std::span<const ColumnField> fields) : names(fields.size()) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const ColumnField &field = fields[i];
    for (const std::string &name : field.classes) {
      names[i].push_back({name.data(), name.size()});
    }
    children.push_back(field.fields.empty() ? nullptr : std::make_unique<SchemaView>(field.fields));
    PenstockField view{};
    view.struct_size = sizeof view;
    view.element = field.element;
    view.shape = field.shape;
    view.name = {field.name.data(), field.name.size()};
    view.meaning = {field.meaning.data(), field.meaning.size()};
    view.width = field.width;
    view.class_count = field.classCount;
    view.classes = names[i].empty() ? nullptr : names[i].data();
    view.trained = field.trained;
    view.fields = children[i] == nullptr ? PenstockTable{} : children[i]->table();
    views.push_back(view);
  }
}

const PenstockColumns &ColumnsView::of(const SchemaView &fields, const std::vector<Column> &columns, std::int64_t records,
                                       const std::vector<int> *wanted) {
  views.clear();
  bytes.clear();
  texts.clear();
  children.clear();
  const std::size_t count = wanted == nullptr ? columns.size() : wanted->size();
  texts.reserve(count); // views point into them
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = wanted == nullptr ? i : static_cast<std::size_t>((*wanted)[i]);
    add(fields[i], fields.fieldsOf(i), columns[at]);
  }
  all = {};
  all.struct_size = sizeof all;
  all.records = records;
  all.columns = {static_cast<std::int32_t>(views.size()), sizeof(PenstockColumn), views.data()};
  return all;
}

void ColumnsView::add(const PenstockField &field, const SchemaView *fields, const Column &column) {
  PenstockColumn view{};
  view.struct_size = sizeof view;
  view.field = &field;
  view.rows = column.rows;
  view.offsets = column.offsets.empty() ? nullptr : column.offsets.data();
  view.present = column.present.empty() ? nullptr : column.present.data();
  std::size_t size = 0;
  children.push_back(nullptr);
  if (field.element == PENSTOCK_STRUCT) {
    children.back() = std::make_unique<ColumnsView>();
    view.children = children.back()->of(*fields, column.children, 0).columns;
  } else if (field.element == PENSTOCK_TEXT) {
    texts.emplace_back();
    const TextValues &held = column.texts();
    for (std::size_t element = 0; element < held.size(); ++element) {
      texts.back().push_back({held[element].data(), held[element].size()});
    }
    view.values = texts.back().data();
    size = texts.back().size() * sizeof(PenstockString);
  } else {
    std::visit(
        [&]<typename Held>(const Held &held) {
          if constexpr (!std::is_same_v<Held, TextValues>) {
            view.values = held.data();
            size = held.size() * sizeof(held[0]);
          }
        },
        column.values);
  }
  views.push_back(view);
  bytes.push_back(size);
}

} // namespace penstock
