// What records have in common: their cells as a text, those of texts as the first feature of their column cleans them. By it the leakage
// check finds records that are the same, `dedupe` removes them, and `split` keeps them together (docs/design/rows_and_cells.md).
#pragma once

#include "runtime/data/encode.h"
#include "runtime/data/record_program.h"

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// The columns in which two records agree that are the same: texts and targets; where there are no texts all but ids.
std::vector<bool> sameColumns(const RecordProgram &program);
/// Appends the length of a part and the part itself, so that no two lists of parts become one text.
void appendPart(std::string_view part, std::string &to);

/// Reads cells of rows; for one thread.
class RecordKeys {
public:
  explicit RecordKeys(const RecordProgram &program);

  /// A cell of a column as it is compared: a text cleaned; a list item by item. Valid until the next call.
  std::string_view textOf(std::size_t column, const Cell &cell);
  /// Whether nothing is left of it.
  static bool isEmpty(std::string_view text) { return text.find_first_not_of(" \t") == std::string_view::npos; }
  /// The parts of some columns of a row one after another, into `to`, which is emptied first. False where all of these that are texts are
  /// empty, and there is one.
  bool join(const Row &row, const std::vector<std::size_t> &columns, std::string &to);

private:
  const RecordProgram &program;
  std::vector<const LinkedFeature *> features; // the first of each column, or NULL
  std::vector<CleanScratch> scratch;
  std::string list;
  std::vector<std::string_view> items;
};

} // namespace penstock
