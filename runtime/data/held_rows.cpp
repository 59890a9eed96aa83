#include "runtime/data/held_rows.h"

#include "runtime/data/input_format.h"

namespace penstock {

Result<std::shared_ptr<const RowBlock>> holdRows(const ReadyRecords &ready, RecordInput input) {
  constexpr std::size_t rowLimit = 65536, byteLimit = std::size_t{64} << 20;
  const std::string name = shownInput(input.path);
  input.with.clear();                                                                       // what answers copy is not held
  PENSTOCK_ASSIGN(const RecordRows opened, openRecordRows(ready, std::move(input), false)); // changed where they are given
  auto rows = std::make_shared<RowBlock>();
  rows->clear(ready.program.inputColumns().size());
  std::string mistake;
  Row row;
  while (rows->rows() < rowLimit && rows->bytesHeld() < byteLimit) {
    RowError error;
    PENSTOCK_ASSIGN(const RowStep step, opened.rows->next(row, error));
    if (step == RowStep::row) {
      rows->add(row, 0);
    } else if (step == RowStep::end || error.last) {
      break;
    } else {
      mistake = mistake.empty() ? error.inFile(name) : mistake;
    }
  }
  if (rows->rows() == 0) {
    return invalidInput(mistake.empty() ? name + " has no records" : mistake);
  }
  return std::shared_ptr<const RowBlock>(std::move(rows));
}

Result<RowStep> HeldRows::next(Row &row, RowError &) {
  if (left == 0) {
    return RowStep::end;
  }
  held->read(at, row);
  row.number = row.line = ++number;
  at = (at + 1) % held->rows();
  --left;
  return RowStep::row;
}

} // namespace penstock
