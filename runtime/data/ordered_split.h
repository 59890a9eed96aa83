// `split(order: COLUMN)`: splits that follow each other in the order of a column (docs/design/ordered_split.md).
#pragma once

#include "runtime/data/series.h"

#include <array>
#include <limits>
#include <vector>

namespace penstock {

/// From which place of the order on rows are of dev, and of test; infinity: none are.
struct OrderCuts {
  double dev = std::numeric_limits<double>::infinity(), test = dev;
  int splitOf(double place) const;
};
/// Test takes rows from the end until it has its share of them or more, then dev; rows at one place are taken together. `shares`: in the
/// order of splitNames.
OrderCuts cutOrder(std::vector<double> places, const std::array<double, 3> &shares);

/// The rows of a block of RecordProgram::fileColumns in their order: that of the split, rows at one place by their cells; of a series by
/// unit. `split`: only its rows, and, of a series, those of each unit before them that its records reach back to; -1: all.
std::vector<PlacedRow> placeInSplits(const RecordProgram &program, const RowBlock &block, int split);

} // namespace penstock
