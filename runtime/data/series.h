// Records of several rows: those of a unit, in an order (docs/design/series.md).
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/data/encode.h"
#include "runtime/data/rows.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Rows of a unit that are one record: `count` of them, the last one row `last`; the first stands `repeats` times more in front of them.
struct SeriesRecord {
  std::int64_t last = 0, count = 0, repeats = 0;
  std::int64_t length() const { return count + repeats; }
  std::int64_t first() const { return last + 1 - count; }
};

/// Rows [begin, end) of a unit, in their order: the first `before` are of an earlier split of time, and end no record.
struct UnitRows {
  std::int64_t begin = 0, before = 0, end = 0;
};
/// The records of a unit.
void addRecords(const SeriesSpec &series, SeriesSpec::Take take, const UnitRows &unit, std::vector<SeriesRecord> &records);
/// How many these are.
std::int64_t countRecords(const SeriesSpec &series, SeriesSpec::Take take, const UnitRows &unit);

/// Copies the rows of a record, `width` numbers each, from those of all rows to `to`; gives the end of what it wrote.
float *copyRows(const SeriesRecord &record, const float *rows, std::int64_t width, float *to);

/// Follows rows in their order from unit to unit.
class UnitCutter {
public:
  enum class Step { begins, continues, repeats };
  /// Where a row stands to the row before. `repeats`: at the same place of the order.
  Step add(std::string_view unit, double order);

private:
  std::string unit;
  double last = 0;
  bool any = false;
};

/// A row of a block in its place, and the split that it is of (-1: whoever reads it knows).
struct PlacedRow {
  std::size_t row = 0;
  int split = -1;
};
/// Reads all rows of a source and gives them as `place` places them; errors of rows come first. Holds all selected cells in memory.
std::unique_ptr<RowSource> placeRows(std::unique_ptr<RowSource> rows, std::function<std::vector<PlacedRow>(const RowBlock &)> place);

/// Gives all rows of a source by unit, units in code-point order of their names, and the rows of a unit in their order. So nothing behind
/// it depends on how the rows stand in the file. `by` and `order` are places among the selected cells; `orderColumn` reads the latter.
std::unique_ptr<RowSource> sortRows(std::unique_ptr<RowSource> rows, const ColumnSpec &orderColumn, std::size_t by, std::size_t order);

/// What stands in the column of an order, row by row. What is no place there is minus infinity; whoever reads the cell tells.
std::vector<double> placesOf(const RowBlock &block, const ColumnSpec &orderColumn, std::size_t order);
/// The order of rows of a block: by unit, then by place, then as they stand.
std::vector<std::size_t> seriesOrder(const RowBlock &block, const ColumnSpec &orderColumn, std::size_t by, std::size_t order);

} // namespace penstock
