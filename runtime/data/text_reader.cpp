// The texts of a split's records, read again from its file.
#include "runtime/data/dataset.h"
#include "runtime/data/encode.h"
#include "runtime/data/split_ids.h"

namespace penstock {

namespace {

class Texts : public TextReader {
public:
  Texts(RecordProgram recordProgram, int split) : program(std::move(recordProgram)), split(split) {
    column = program.axes.empty() ? -1 : program.features[static_cast<std::size_t>(program.axes[0])].column;
  }
  Status begin() {
    path = program.fileOf(split);
    PENSTOCK_ASSIGN(rows, program.openRows(path));
    return Status::success();
  }

  Result<bool> next(std::string &text, std::int64_t &row) override {
    if (at == block.rows()) {
      at = 0;
      std::vector<RowError> errors;
      PENSTOCK_ASSIGN(const bool more, readBlock(program, *rows, split, split, block, errors));
      if (!errors.empty()) {
        return rowErrorStatus(path, errors.front());
      }
      if (!more) {
        return false;
      }
      if (block.rows() == 0) {
        return next(text, row);
      }
    }
    text.clear();
    if (column >= 0) {
      const auto which = static_cast<std::size_t>(column);
      text = textOf(program.columns[which], block.cell(at, which));
    }
    row = block.numbers[at++];
    return true;
  }

private:
  const RecordProgram program;
  const int split;
  int column = -1; // -1: no text is read
  std::string path;
  std::unique_ptr<RowSource> rows;
  RowBlock block;
  std::size_t at = 0;
};

} // namespace

Result<std::unique_ptr<TextReader>> TextReader::open(const RecordsSpec &records, const std::string &split) {
  PENSTOCK_ASSIGN(RecordProgram program, RecordProgram::link(records));
  if (splitIndex(split) < 0) {
    return invalidInput("no split `" + split + "`: there are `train`, `dev` and `test`");
  }
  auto reader = std::make_unique<Texts>(std::move(program), splitIndex(split));
  PENSTOCK_TRY(reader->begin());
  return std::unique_ptr<TextReader>(std::move(reader));
}

} // namespace penstock
