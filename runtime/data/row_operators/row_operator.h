// An operator on the rows of a source, beside its row in row_operators.def: which of them it removes.
#pragma once

#include "runtime/data/record_program.h"

#include <memory>

namespace penstock {

/// Judges the rows of a source one after another, those that no operator before it has removed.
class RowJudge {
public:
  virtual ~RowJudge() = default;
  /// Whether a row stays; its cells are those of RecordProgram::fileColumns.
  virtual bool keeps(const Row &row) = 0;
};

/// The program outlives what is made.
using MakeRowJudge = std::unique_ptr<RowJudge> (*)(const RecordProgram &program, const LinkedRowStep &step);

/// Whether a cell is one of those that the step lists for its column; of a list whether an item is. A cell that is not there is an empty
/// one.
bool isListed(const RecordProgram &program, const LinkedRowStep::Cells &cells, const Row &row);

} // namespace penstock
