// The texts of a split's records, read again from its file.
#include "runtime/data/dataset.h"
#include "runtime/data/encode.h"
#include "runtime/data/record_reader.h"
#include "runtime/data/series.h"
#include "runtime/data/split_ids.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace penstock {

namespace {

class Texts : public TextReader {
public:
  Texts(RecordProgram recordProgram, int split) : program(std::move(recordProgram)), split(split) {
    const auto axis = std::find_if(program.axes.begin(), program.axes.end(), [](int feature) { return feature != seriesAxis; });
    column = axis == program.axes.end() ? -1 : program.features[static_cast<std::size_t>(*axis)].column;
  }
  Status begin() {
    paths = program.filesOf(split);
    PENSTOCK_ASSIGN(rows, program.openRows(paths, split));
    return Status::success();
  }

  Result<bool> next(std::string &text, std::int64_t &row) override {
    return program.isSeries() ? nextOfSeries(text, row) : nextRow(text, row);
  }

private:
  /// The last row of the next record of a series.
  Result<bool> nextOfSeries(std::string &text, std::int64_t &row) {
    if (!whole) {
      whole = true;
      PENSTOCK_TRY(readSeries());
    }
    if (at == lasts.size()) {
      return false;
    }
    std::tie(text, row) = lasts[at++];
    return true;
  }

  Status readSeries() {
    std::vector<std::pair<std::string, std::int64_t>> all;
    std::vector<UnitRows> units;
    std::vector<RowError> errors;
    std::string unit;
    for (;;) {
      PENSTOCK_ASSIGN(const bool more, readBlock(program, *rows, split, split, block, errors));
      if (!errors.empty()) {
        return rowErrorStatus(paths[static_cast<std::size_t>(errors.front().file)], errors.front());
      }
      if (!more) {
        break;
      }
      for (std::size_t i = 0; i < block.rows(); ++i) {
        const std::string_view name = block.cell(i, static_cast<std::size_t>(program.seriesBy)).text;
        if (all.empty() || name != unit) {
          const auto begin = static_cast<std::int64_t>(all.size());
          units.push_back({begin, 0, begin});
          unit = name;
        }
        all.emplace_back(textAt(i), block.numbers[i]);
        units.back().before += block.splits[i] == split ? 0 : 1;
        ++units.back().end;
      }
    }
    std::vector<SeriesRecord> records;
    for (const UnitRows &rowsOfUnit : units) {
      addRecords(program.series, program.series.take, rowsOfUnit, records);
    }
    for (const SeriesRecord &record : records) {
      lasts.push_back(all[static_cast<std::size_t>(record.last)]);
    }
    return {};
  }

  std::string textAt(std::size_t row) const {
    const auto which = static_cast<std::size_t>(column);
    return column < 0 ? std::string() : std::string(textOf(program.columns[which], block.cell(row, which)));
  }

  Result<bool> nextRow(std::string &text, std::int64_t &row) {
    if (at == block.rows()) {
      at = 0;
      std::vector<RowError> errors;
      PENSTOCK_ASSIGN(const bool more, readBlock(program, *rows, split, split, block, errors));
      if (!errors.empty()) {
        return rowErrorStatus(paths[static_cast<std::size_t>(errors.front().file)], errors.front());
      }
      if (!more) {
        return false;
      }
      if (block.rows() == 0) {
        return nextRow(text, row);
      }
    }
    text = textAt(at);
    row = block.numbers[at++];
    return true;
  }

  const RecordProgram program;
  const int split;
  int column = -1; // -1: no text is read
  std::vector<std::string> paths;
  std::unique_ptr<RowSource> rows;
  RowBlock block;
  std::size_t at = 0;
  bool whole = false; // a series was read
  std::vector<std::pair<std::string, std::int64_t>> lasts;
};

} // namespace

Result<std::unique_ptr<TextReader>> openTextsWith(const RecordsSpec &records, const std::string &split, DataPlugins &plugins) {
  PENSTOCK_ASSIGN(RecordProgram program, RecordProgram::link(records, &plugins));
  if (splitIndex(split) < 0) {
    return invalidInput("no split `" + split + "`: there are `train`, `dev` and `test`");
  }
  auto reader = std::make_unique<Texts>(std::move(program), splitIndex(split));
  PENSTOCK_TRY(reader->begin());
  return std::unique_ptr<TextReader>(std::move(reader));
}

} // namespace penstock
