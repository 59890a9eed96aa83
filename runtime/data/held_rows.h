// Rows of an input that lie in memory, to be given again and again.
#pragma once

#include "runtime/data/encode.h"
#include "runtime/data/record_reader.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// Reads the first rows of an input, at most 65,536 and about 64 MiB; those with a mistake are left out. An input without any is an error.
Result<std::shared_ptr<const RowBlock>> holdRows(const ReadyRecords &ready, RecordInput input);

/// Gives rows from the first on, of which there are some.
class HeldRows final : public RowSource {
public:
  explicit HeldRows(std::shared_ptr<const RowBlock> rows) : held(std::move(rows)) {}
  /// From now on it has so many rows, the first behind the last, and never an end.
  void give(std::int64_t rows) { left = rows; }
  /// From now on it has each row once, then the end.
  void giveOnce() {
    left = static_cast<std::int64_t>(held->rows());
    ends = true;
  }

  Status begin() override { return {}; }
  const std::vector<std::string> &names() const override { return none; }
  void select(const std::vector<std::string> &, const std::vector<bool> &) override {}
  bool ready() override { return left > 0 || ends; }
  Result<RowStep> next(Row &row, RowError &error) override;

private:
  const std::shared_ptr<const RowBlock> held;
  const std::vector<std::string> none;
  std::size_t at = 0;
  std::int64_t left = 0, number = 0;
  bool ends = false;
};

} // namespace penstock
