// `split(by: COLUMN)`, `split(dev: 10%, test: 10%)`: splits by the hash of what records have in common (docs/design/rows_and_cells.md).
#pragma once

#include "runtime/data/record_keys.h"
#include "runtime/data/series.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// What keeps records in one split.
class SplitKeys {
public:
  explicit SplitKeys(const RecordProgram &program);
  /// Of a row of RecordProgram::fileColumns: the column that was named, else its texts, else all cells but ids. Where that is empty, what
  /// it has at all. Valid until the next call.
  std::string_view of(const Row &row);

private:
  const RecordProgram &program;
  RecordKeys keys;
  std::vector<std::size_t> columns, same, all; // what is compared; what equal records agree in; all
  std::string key;
};

/// Gives each row the split that its key has, and leaves out those of another split than `split` (-1: none).
std::unique_ptr<RowSource> splitRows(std::unique_ptr<RowSource> rows, const RecordProgram &program, int split);

/// The rows of a block of RecordProgram::fileColumns in their order, each class of RecordProgram::stratify split by the shares for itself.
/// Rows with one key lie together, in the class of the first of them. `split`: only its rows; -1: all.
std::vector<PlacedRow> placeByClass(const RecordProgram &program, const RowBlock &block, int split);

} // namespace penstock
