// What the conformance kit takes of a plugin that describes and answers: fields, and records as texts that can be compared.
#pragma once

#include <penstock/sdk/columns.h>
#include <penstock/sdk/unicode.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::conformance::detail {

/// A copy of a field.
inline sdk::Field copyOf(const PenstockField &given) {
  sdk::Field made = sdk::Field::of(sdk::view(given.name), given.element);
  made.meaning = sdk::view(given.meaning);
  made.shape = given.shape;
  made.width = given.width;
  made.classes = sdk::classesOf(given);
  made.trained = given.trained;
  for (std::int32_t i = 0; i < given.fields.count; ++i) {
    made.fields.push_back(copyOf(sdk::rowOf<PenstockField>(given.fields, i)));
  }
  return made;
}

struct FieldsGiven {
  std::vector<sdk::Field> fields;
  bool stops = false;
  PenstockFieldSink sink = {sizeof(PenstockFieldSink), this, [](void *context, const PenstockField *field) -> std::int32_t {
                              auto &self = *static_cast<FieldsGiven *>(context);
                              if (self.stops) {
                                return 1;
                              }
                              self.fields.push_back(copyOf(*field));
                              return 0;
                            }};
  std::string text() const { return textOf(fields); }

private:
  static std::string textOf(const std::vector<sdk::Field> &fields) {
    std::string text;
    for (const sdk::Field &field : fields) {
      text += field.name + " " + field.meaning + " " + std::to_string(field.element) + " " + std::to_string(field.shape) + " " +
              std::to_string(field.width) + " [";
      for (const std::string &name : field.classes) {
        text += name + "\n";
      }
      text += "] {" + textOf(field.fields) + "}\n";
    }
    return text;
  }
};

/// One row of a column, byte for byte.
inline std::string rowText(const PenstockColumn &column, std::int64_t row) {
  const PenstockField &field = *column.field;
  const bool list = field.shape == PENSTOCK_LIST;
  const std::int64_t first = list ? column.offsets[row] : row * field.width, last = list ? column.offsets[row + 1] : first + field.width;
  std::string text = column.present != nullptr && column.present[row] == 0 ? "-" : "+";
  for (std::int64_t i = first; i < last; ++i) {
    if (field.element == PENSTOCK_STRUCT) {
      for (std::int32_t child = 0; child < column.children.count; ++child) {
        text += rowText(sdk::rowOf<PenstockColumn>(column.children, child), i) + ";";
      }
    } else if (field.element == PENSTOCK_TEXT) {
      text += "\"" + std::string(sdk::view(static_cast<const PenstockString *>(column.values)[i])) + "\"";
    } else {
      const double number = sdk::numberAt(column, i);
      text.append(reinterpret_cast<const char *>(&number), sizeof number);
    }
    text += ",";
  }
  return text;
}

/// Takes answers and says what is wrong with them.
struct AnswersGiven {
  explicit AnswersGiven(const std::vector<sdk::Field> &fields, std::vector<std::uint8_t> wanted = {})
      : fields(fields), wanted(std::move(wanted)) {}
  AnswersGiven(const AnswersGiven &) = delete;
  AnswersGiven &operator=(const AnswersGiven &) = delete;

  const std::vector<sdk::Field> &fields;
  std::vector<std::uint8_t> wanted; // empty: all
  std::vector<std::string> records; // a text each
  std::string wrong;                // in words that follow "an answer"; "" while nothing is
  bool stops = false;
  PenstockColumnSink sink = {sizeof(PenstockColumnSink), this, [](void *context, const PenstockColumns *given) -> std::int32_t {
                               auto &self = *static_cast<AnswersGiven *>(context);
                               if (self.stops) {
                                 return 1;
                               }
                               self.take(*given);
                               return 0;
                             }};

private:
  void take(const PenstockColumns &given) {
    const std::size_t before = records.size();
    records.resize(before + static_cast<std::size_t>(given.records));
    for (std::size_t f = 0; f < fields.size(); ++f) {
      const PenstockColumn *column = nullptr;
      for (std::int32_t i = 0; i < given.columns.count; ++i) {
        const PenstockColumn &one = sdk::rowOf<PenstockColumn>(given.columns, i);
        column = sdk::view(one.field->name) == fields[f].name ? &one : column;
      }
      if (column == nullptr) {
        wrong = wanted.empty() || wanted[f] != 0 ? "lacks the column `" + fields[f].name + "`" : wrong;
        continue;
      }
      if (judge(*column, fields[f], given.records)) {
        for (std::int64_t r = 0; r < given.records; ++r) {
          records[before + static_cast<std::size_t>(r)] += fields[f].name + rowText(*column, r) + "\n";
        }
      }
    }
  }

  bool judge(const PenstockColumn &column, const sdk::Field &field, std::int64_t rows) {
    const auto says = [&](const std::string &what) {
      wrong = "has a column `" + field.name + "` " + what;
      return false;
    };
    const bool list = field.shape == PENSTOCK_LIST;
    if (column.field->element != field.element || column.field->shape != field.shape || column.field->width != field.width) {
      return says("of another form than its schema says");
    }
    if (column.rows != rows || (list && (column.offsets == nullptr || column.offsets[0] != 0))) {
      return says("of another number of rows");
    }
    const std::int64_t elements = sdk::elementsOf(column);
    for (std::int64_t i = 0; i < elements; ++i) {
      if (field.element == PENSTOCK_CLASS) {
        const auto index = static_cast<const std::int32_t *>(column.values)[i];
        if (index < -1 || index >= static_cast<std::int32_t>(field.classes.size())) {
          return says("with a class that there is not");
        }
      } else if (field.element == PENSTOCK_TEXT && !sdk::isUtf8(sdk::view(static_cast<const PenstockString *>(column.values)[i]))) {
        return says("with a text that is not UTF-8");
      }
    }
    for (std::size_t i = 0; i < field.fields.size(); ++i) {
      if (static_cast<std::size_t>(column.children.count) != field.fields.size() ||
          !judge(sdk::rowOf<PenstockColumn>(column.children, static_cast<std::int32_t>(i)), field.fields[i], elements)) {
        return wrong.empty() ? says("without its members") : false;
      }
    }
    return true;
  }
};

} // namespace penstock::conformance::detail
