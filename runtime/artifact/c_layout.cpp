#include "runtime/artifact/c_layout.h"

#include "runtime/artifact/artifact_data.h"
#include "runtime/data/record_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace penstock {
namespace {

constexpr std::size_t pointer = sizeof(void *);

struct Element {
  const char *type;
  std::size_t bytes;
};

Element elementOf(std::int32_t element) {
  switch (element) {
  case PENSTOCK_F32:
    return {"float", 4};
  case PENSTOCK_F64:
    return {"double", 8};
  case PENSTOCK_I64:
    return {"int64_t", 8};
  case PENSTOCK_BOOL:
    return {"uint8_t", 1};
  default: // I32, and the index of a class
    return {"int32_t", 4};
  }
}

/// Names that are taken, each once.
class Names {
public:
  /// With it `NAME_count` and `NAME_name` are taken, which may stand beside a member.
  std::string take(const std::string &text) {
    const std::string base = cName(text);
    std::string name = base;
    for (int i = 2; taken.contains(name) || taken.contains(name + "_count") || taken.contains(name + "_name"); ++i) {
      name = fmt::format("{}_{}", base, i);
    }
    taken.insert({name, name + "_count", name + "_name"});
    return name;
  }

private:
  std::set<std::string> taken;
};

class Types {
public:
  Types(std::string name, CLayout &layout) : prefix(std::move(name)), layout(layout) {
    for (const char *taken : {"model", "session", "error", "text", "record", "row", "answer", "api"}) {
      types.take(prefix + "_" + taken);
    }
    for (const std::string_view function : artifactFunctions) {
      types.take(fmt::format("{}_{}", prefix, function));
    }
  }

  void addRecord(const RecordProgram &program) {
    Names names;
    CStruct &holder = program.isSeries() ? layout.row : layout.record;
    for (const std::size_t column : program.inputColumns()) {
      if (static_cast<int>(column) == program.seriesBy) {
        continue; // a record is a unit
      }
      const ColumnSpec &spec = program.columns[column];
      CColumn made;
      made.column = column;
      const std::string name = names.take(spec.name);
      const std::string what = fmt::format("column `{}`", spec.from.empty() ? spec.name : spec.from);
      if (spec.type == ColumnSpec::Type::number) {
        made.kind = CColumn::Kind::number;
        made.offset = holder.add("double " + name, what + "; NaN where it is missing", 8, 8);
      } else if (spec.isList()) {
        made.kind = CColumn::Kind::words;
        made.offset = holder.add(fmt::format("const {}_text *{}", prefix, name), what + ": its words", pointer, pointer);
        made.count = holder.add(fmt::format("size_t {}_count", name), "", sizeof(std::size_t), sizeof(std::size_t));
      } else {
        made.offset =
            holder.add(fmt::format("{}_text {}", prefix, name), what + "; data is NULL where it is missing", 2 * pointer, pointer);
      }
      layout.columns.push_back(made);
    }
    layout.record.name = prefix + "_record";
    if (program.isSeries()) {
      layout.row.name = prefix + "_row";
      layout.row.comment = "A row of a record.";
      layout.rows = layout.record.add(fmt::format("const {}_row *rows", prefix), "in any order", pointer, pointer);
      layout.rowCount = layout.record.add("size_t row_count", "", sizeof(std::size_t), sizeof(std::size_t));
    }
    layout.record.comment = program.isSeries() ? "Rows of one unit, whose last ones are answered." : "What is to be answered.";
  }

  void addAnswers(const std::vector<Answer> &answers) {
    layout.answer.name = prefix + "_answer";
    layout.answer.comment = "An answer. Its texts and lists lie in the session until its next call.";
    layout.error = layout.answer.add("const char *error", "why there is no answer; NULL where there is one", pointer, pointer);
    Names names;
    names.take("error");
    for (const Answer &one : answers) {
      const std::string &name = one.spec().name;
      CAnswer made;
      made.name = name;
      if (answers.size() == 1) {
        made.fields = fieldsOf(one.schema(), layout.answer, prefix, names);
      } else {
        CStruct own;
        own.name = types.take(prefix + "_" + name);
        own.comment = fmt::format("The answer `{}`.", name);
        Names inside;
        made.fields = fieldsOf(one.schema(), own, own.name, inside);
        const std::size_t at = layout.answer.add(fmt::format("{} {}", own.name, names.take(name)), "", own.stride(), own.alignment);
        for (CField &field : made.fields) {
          moveBy(field, at);
        }
        layout.structs.push_back(std::move(own));
      }
      layout.answers.push_back(std::move(made));
    }
  }

private:
  static void moveBy(CField &field, std::size_t bytes) {
    field.value += bytes;
    field.name += bytes;
    field.count += bytes;
  }

  std::vector<CField> fieldsOf(const Schema &schema, CStruct &holder, const std::string &owner, Names &names) {
    std::vector<CField> fields;
    for (const ColumnField &field : schema) {
      fields.push_back(fieldOf(field, holder, owner, names.take(field.name)));
    }
    return fields;
  }

  CField fieldOf(const ColumnField &field, CStruct &holder, const std::string &owner, const std::string &name) {
    CField made;
    made.field = &field;
    std::string type = elementOf(field.element).type;
    std::size_t bytes = elementOf(field.element).bytes, alignment = bytes;
    if (field.element == PENSTOCK_TEXT) {
      type = prefix + "_text";
      bytes = 2 * pointer, alignment = pointer;
    } else if (field.element == PENSTOCK_STRUCT) {
      CStruct own;
      own.name = types.take(owner + "_" + name);
      own.comment = fmt::format("An element of `{}`.", field.name);
      Names inside;
      made.fields = fieldsOf(field.fields, own, own.name, inside);
      type = own.name;
      bytes = own.stride(), alignment = own.alignment;
      layout.structs.push_back(std::move(own));
    }
    made.stride = bytes;
    const std::string what = commentOf(field, owner, name);
    if (field.shape == PENSTOCK_LIST) {
      made.value = holder.add(fmt::format("const {} *{}", type, name), what, pointer, pointer);
      made.count = holder.add(fmt::format("size_t {}_count", name), "", sizeof(std::size_t), sizeof(std::size_t));
    } else if (field.shape == PENSTOCK_WIDE) {
      made.value =
          holder.add(fmt::format("{} {}[{}]", type, name, field.width), what, bytes * static_cast<std::size_t>(field.width), alignment);
    } else {
      made.value = holder.add(fmt::format("{} {}", type, name), what, bytes, alignment);
      if (field.element == PENSTOCK_CLASS) {
        made.name = holder.add(fmt::format("const char *{}_name", name), "\"\" of none of the classes", pointer, pointer);
      } else if (field.element == PENSTOCK_STRUCT) {
        for (CField &inner : made.fields) {
          moveBy(inner, made.value);
        }
      }
    }
    return made;
  }

  /// What stands beside a member; classes become an enumeration.
  std::string commentOf(const ColumnField &field, const std::string &owner, const std::string &name) {
    if (field.classes.empty()) {
      return "";
    }
    const auto known =
        std::find_if(layout.classes.begin(), layout.classes.end(), [&](const CClasses &one) { return *one.classes == field.classes; });
    if (known != layout.classes.end()) {
      return fmt::format("{}{}", field.shape == PENSTOCK_WIDE ? "a number each of " : "", known->name);
    }
    CClasses made;
    made.name = types.take(owner + "_" + name);
    made.classes = &field.classes;
    types.take(made.name + "_none");
    for (const std::string &text : field.classes) { // constants and types are names of one kind
      made.constants.push_back(types.take(made.name + "_" + text));
    }
    layout.classes.push_back(made);
    return fmt::format("{}{}", field.shape == PENSTOCK_WIDE ? "a number each of " : "", made.name);
  }

  std::string prefix;
  CLayout &layout;
  Names types; // of types and functions
};

} // namespace

std::size_t CStruct::add(std::string declaration, std::string text, std::size_t memberBytes, std::size_t memberAlignment) {
  const std::size_t offset = (bytes + memberAlignment - 1) / memberAlignment * memberAlignment;
  members.push_back({std::move(declaration), std::move(text), offset});
  bytes = offset + memberBytes;
  alignment = std::max(alignment, memberAlignment);
  return offset;
}

/// Words of C and C++, and macros of their libraries, each between blanks: a column or a class may have such a name.
static constexpr std::string_view reservedNames =
    " "
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await "
    "co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do "
    "double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace "
    "new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict "
    "return short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try "
    "typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq "
    "_Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local BUFSIZ EOF I "
    "INFINITY INT_MAX INT_MIN NAN NULL RAND_MAX errno linux stderr stdin stdout unix ";

std::string cName(const std::string &text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    name += plain ? c : '_';
  }
  if (name.empty() || (name.front() >= '0' && name.front() <= '9') || reservedNames.find(" " + name + " ") != std::string_view::npos) {
    name.insert(0, "_");
  }
  return name;
}

CLayout typesOf(const std::string &name, const Predictor &predictor) {
  CLayout layout;
  Types types(name, layout);
  types.addRecord(predictor.records().program);
  types.addAnswers(predictor.answers());
  return layout;
}

} // namespace penstock
