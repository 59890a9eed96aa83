// The operators of a source, on its rows one after another (docs/design/rows_and_cells.md).
#pragma once

#include "runtime/data/record_program.h"
#include "runtime/data/row_operators/row_operator.h"

#include <memory>
#include <vector>

namespace penstock {

/// NULL where there is none of that name.
MakeRowJudge judgeOf(const RowOperator &row);

/// The operators of the program's source. What they know of rows that they saw holds for all files that they see.
class RowSteps {
public:
  explicit RowSteps(const RecordProgram &program);
  /// Says of a row which operator removes it.
  void judge(Row &row);
  /// Judges all rows of a file, for what is learnt of them. Rows with mistakes are passed over.
  Status see(RowSource &rows);

private:
  std::vector<std::unique_ptr<RowJudge>> judges;
};

/// The same rows, each of which says which operator removes it.
std::unique_ptr<RowSource> markRows(std::unique_ptr<RowSource> rows, std::unique_ptr<RowSteps> steps);

} // namespace penstock
