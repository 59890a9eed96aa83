// The C interface's own types of a pipeline: where a member of a record or an answer lies, and how it is declared
// (docs/design/artifact.md, "Called from C"). The header that `penstock build` writes and the library that fills the structs both take it
// from here.
#pragma once

#include "runtime/exec/predictor.h"
#include "runtime/plugin/columns.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

/// A struct of C under construction: members lie as the System V ABI lays them.
struct CStruct {
  struct Member {
    std::string declaration; // "float probabilities[3]"
    std::string comment;
    std::size_t offset = 0;
  };
  std::string name; // of its typedef
  std::string comment;
  std::vector<Member> members;
  std::size_t bytes = 0, alignment = 1;

  /// Adds a member and gives its offset.
  std::size_t add(std::string declaration, std::string comment, std::size_t memberBytes, std::size_t memberAlignment);
  /// The bytes of one in an array.
  std::size_t stride() const { return (bytes + alignment - 1) / alignment * alignment; }
};

/// How a field of an answer lies in its struct.
struct CField {
  const ColumnField *field = nullptr;
  std::size_t value = 0;      // offset: of the element, of `width` elements, or of the pointer to a list
  std::size_t name = 0;       // of a class that is one a record: of the pointer to its name
  std::size_t count = 0;      // of a list: of the number of its elements
  std::size_t stride = 0;     // of a list or a struct: bytes of an element
  std::vector<CField> fields; // of a struct
};

struct CAnswer {
  std::string name;
  std::vector<CField> fields; // offsets in the struct of all answers
};

/// A column of a record.
struct CColumn {
  enum class Kind { text, number, words };
  std::size_t column = 0; // of the record program
  Kind kind = Kind::text;
  std::size_t offset = 0, count = 0; // count: of words
};

struct CClasses {
  std::string name; // of the enumeration
  std::vector<std::string> constants;
  const std::vector<std::string> *classes = nullptr;
};

/// The types of a pipeline. Points into the schemas and the record program that it was made of.
struct CLayout {
  std::vector<CStruct> structs; // each behind those that it needs
  std::vector<CClasses> classes;
  CStruct record;                     // of a series: a unit
  CStruct row;                        // of a series; else empty
  std::vector<CColumn> columns;       // of `row` of a series, else of `record`
  std::size_t rows = 0, rowCount = 0; // of a series: offsets in `record`
  CStruct answer;
  std::size_t error = 0; // offset in `answer`
  std::vector<CAnswer> answers;
};

/// A name of C made of any text: other bytes become `_`, and one that is no name of its own gets one before it.
std::string cName(const std::string &text);

/// Those of what a predictor reads and answers, which outlives them.
CLayout typesOf(const std::string &name, const Predictor &predictor);

} // namespace penstock
