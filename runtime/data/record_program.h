// The record program (docs/design/record_program.md) as values.
#pragma once

#include "runtime/base/splits.h"
#include "runtime/base/status.h"
#include "runtime/data/pairs.h"
#include "runtime/data/rows.h"
#include "runtime/data/tags.h"
#include "runtime/text/clean.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

inline constexpr int trainSplit = 0;
/// Index into splitNames, or -1.
int splitIndex(std::string_view name);

struct ColumnSpec {
  enum class Type { text, classId, number, id, set, words, tags };
  enum class Fill { none, mean, median, value };
  std::string name, from;
  Type type = Type::text;
  bool declaresClasses = false;
  std::vector<std::string> classes; // or labels of a set
  std::string separator;            // between the labels of a cell
  std::vector<std::string> missing; // cells that count as missing
  Fill fill = Fill::none;
  double fillValue = 0;
  TagScheme scheme = TagScheme::none; // tags: of the file; in memory they are IOB2 but for `none`

  /// Its cells are lists; all lists of a record have the same length.
  bool isList() const { return type == Type::words || type == Type::tags; }
  /// A cell of it may hold a list.
  bool mayHoldList() const { return isList() || type == Type::set; }
  /// It has names: `classes`, or those of train.
  bool hasClasses() const { return type == Type::classId || type == Type::set || type == Type::tags; }
};

struct FeatureSpec {
  std::string name, axis;
  int column = 0; // of type text or words
  bool cutFromWords = false;
  int second = -1;                                  // of a pair of texts: the column of the second one
  Truncation truncation = Truncation::longestFirst; // of a pair
  std::vector<CleanOptions> cleans;
  std::string plugin, parameters; // parameters: JSON text
  std::int64_t maxLength = -1;    // -1: no limit

  bool isPair() const { return second >= 0; }
  std::size_t textsEach() const { return isPair() ? 2 : 1; } // of a record
  std::size_t columnOf(std::size_t text) const { return static_cast<std::size_t>(text == 0 ? column : second); }
};

struct InputSpec {
  enum class Kind { ids, classId, number, set, tags };
  std::string name;
  Kind kind = Kind::ids;
  int feature = -1, column = -1; // ids: a feature; tags: both; else a column
  int axis = -1;                 // index into RecordProgram::axes, of ids and tags
  bool target = false;
};

struct RecordProgram {
  RowFormat source = RowFormat::csv; // no lines
  std::string path;
  CsvOptions csv;
  ConllOptions conll;
  bool splitByHash = false;
  std::string splitFrom;             // name in the file of the column whose cells are hashed
  std::array<double, 3> shares = {}; // in the order of splitNames
  std::array<bool, 3> wanted = {true, true, true};
  std::vector<ColumnSpec> columns;
  std::vector<FeatureSpec> features;
  std::vector<InputSpec> inputs;
  std::string fitted;    // folder of an earlier fit, to be used instead of fitting on train; ""
  std::vector<int> axes; // features that are axes of a batch, in the order in which `inputs` names them first
  /// Everything that decides what a file's records become, but no paths, no places and no
  /// parameters of tokenizers, as canonical JSON text.
  std::string identity;

  static Result<RecordProgram> parse(const std::string &text);

  std::string fileOf(int split) const;
  /// The split of a record, by the hash of a cell: XXH64 with seed 0 of the cell's bytes, its upper
  /// 53 bits as a fraction of 2^53, against the shares added up in the order train, dev, test. -1:
  /// behind the last share. Fixed for ever.
  int splitOf(std::string_view cell) const;
  /// Names in the file of all columns, one a column, then that of the split column when records are
  /// split by hash.
  std::vector<std::string> fileColumns() const;
  /// Which of them may hold lists.
  std::vector<bool> listColumns() const;
  Result<std::unique_ptr<RowSource>> openRows(const std::string &path) const;
};

} // namespace penstock
