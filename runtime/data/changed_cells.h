// The operators behind the types of columns, around a reader (docs/design/rows_and_cells.md).
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/data/rows.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock {

/// A column whose cells are changed.
struct ChangedColumn {
  const ColumnSpec *column = nullptr;
  TextWords words = TextWords::space; // how a text of it becomes words
};

/// The rows, with the first cells of each changed as `columns` say, one a cell; the rows themselves where no column has an operator that
/// changes cells. A cell that is not there stays so. Lists are changed item by item, and so are texts of columns that hold lists, which
/// become lists by it; of a set what has become nothing is no label.
std::unique_ptr<RowSource> changeCells(std::unique_ptr<RowSource> rows, const std::vector<ChangedColumn> &columns);

/// The pairs of a table, an old and a new text each: CSV of two columns without a header. Lines with a mistake are left out, and listed in
/// `errors` with `column`.
Result<std::vector<std::string>> readPairs(const std::string &table, int column, std::vector<std::pair<int, RowError>> &errors);

} // namespace penstock
