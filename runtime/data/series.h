// Records of several rows: those of a unit, in an order (docs/design/series.md).
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/data/encode.h"
#include "runtime/data/rows.h"

#include <cstdint>
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

/// The records of a unit whose rows are [begin, end), in their order.
void addRecords(const SeriesSpec &series, SeriesSpec::Take take, std::int64_t begin, std::int64_t end, std::vector<SeriesRecord> &records);
/// How many these are.
std::int64_t countRecords(const SeriesSpec &series, SeriesSpec::Take take, std::int64_t rows);

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

/// Gives all rows of a source by unit, units in code-point order of their names, and the rows of a unit in their order. So nothing behind
/// it depends on how the rows stand in the file. `by` and `order` are places among the selected cells; `orderColumn` reads the latter.
/// Holds all selected cells in memory.
std::unique_ptr<RowSource> sortRows(std::unique_ptr<RowSource> rows, const ColumnSpec &orderColumn, std::size_t by, std::size_t order);

/// The order of rows of a block: by unit, then by place, then as they stand.
std::vector<std::size_t> seriesOrder(const RowBlock &block, const ColumnSpec &orderColumn, std::size_t by, std::size_t order);

} // namespace penstock
