// Rows that a plugin of kind `source` makes of a file, as those of any other format.
#include "runtime/data/rows.h"

#include "runtime/plugin/plugin_host.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace penstock {

namespace {

constexpr std::size_t headSize = 16; // as foreignFormat() needs it

class PluginRows : public RowSource {
public:
  PluginRows(std::unique_ptr<ByteSource> bytes, std::shared_ptr<const Source> source)
      : bytes(std::move(bytes)), source(std::move(source)) {}

  Status begin() override {
    Result<std::unique_ptr<SourceReader>> opened = source->open([this](char *into, std::size_t size) -> Result<std::size_t> {
      PENSTOCK_ASSIGN(const std::size_t got, bytes->read(into, size));
      head.append(into, std::min(got, headSize - head.size()));
      return got;
    });
    if (!opened.ok()) {
      return giveUp(opened.status());
    }
    reader = std::move(opened).value();
    for (const ColumnField &field : reader->schema()) {
      header.push_back(field.name);
    }
    return Status::success();
  }
  const std::vector<std::string> &names() const override { return header; }

  void select(const std::vector<std::string> &columns, const std::vector<bool> &lists) override {
    places.clear();
    mayHoldList = lists;
    mayHoldList.resize(columns.size());
    wanted.clear();
    for (const std::string &column : columns) {
      places.push_back(static_cast<int>(columnAt(header, column)));
      if (places.back() >= 0) {
        wanted.push_back(places.back());
      }
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    isSelected = false;
    for (int &place : places) {
      place = place < 0 ? -1 : static_cast<int>(std::lower_bound(wanted.begin(), wanted.end(), place) - wanted.begin());
    }
  }

  Result<RowStep> next(Row &row, RowError &error) override {
    while (nextRow == block.rows && nextProblem == block.problems.size()) {
      if (reader == nullptr) {
        return RowStep::end;
      }
      PENSTOCK_TRY(fill());
    }
    if (nextProblem < block.problems.size() && block.problems[nextProblem].before <= nextRow) {
      takeProblem(block.problems[nextProblem++], error);
      return RowStep::error;
    }
    ++number;
    const std::int64_t at = nextRow++;
    row.number = number;
    row.line = lastLine = block.lines.empty() ? number : block.lines[static_cast<std::size_t>(at)];
    row.span = Row::Span::none;
    row.cells.resize(places.size());
    texts.resize(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      row.cells[i] = places[i] < 0 ? Cell{} : cellOf(static_cast<std::size_t>(places[i]), at, texts[i]);
      if (row.cells[i].list && !mayHoldList[i]) {
        error = {};
        error.kind = RowError::Kind::nestedValue;
        error.row = number;
        error.line = row.line;
        error.detail = header[static_cast<std::size_t>(wanted[static_cast<std::size_t>(places[i])])];
        return RowStep::error;
      }
    }
    return RowStep::row;
  }

  bool ready() override { return nextRow < block.rows || nextProblem < block.problems.size() || bytes->ready(); }

private:
  /// The next rows, or the end: no reader.
  Status fill() {
    nextRow = 0;
    nextProblem = 0;
    if (!std::exchange(isSelected, true)) {
      if (Status selected = reader->select(wanted); !selected.ok()) {
        return giveUp(std::move(selected));
      }
    }
    Result<bool> more = reader->next(block);
    if (!more.ok()) {
      return giveUp(more.status());
    }
    if (!*more) {
      reader.reset();
    }
    return Status::success();
  }

  /// What the plugin itself says, where it cannot go on, is the last problem of the file; anything else is a failure.
  Status giveUp(Status failed) {
    if (failed.code() != ErrorCode::invalidInput) {
      return failed;
    }
    reader.reset();
    block = {};
    block.problems.push_back({0, lastLine, 0, failed.message(), true});
    return Status::success();
  }

  void takeProblem(const SourceRows::Problem &problem, RowError &error) {
    constexpr std::string_view zip = "PK\x03\x04"; // a source may read what lies in an archive
    if (const ForeignFormat foreign = foreignFormat(head); foreign && number == 0 && problem.last && !head.starts_with(zip)) {
      error = notText(foreign);
      return;
    }
    error = {};
    error.kind = RowError::Kind::ofSource;
    error.detail = problem.sentence;
    error.line = problem.line;
    error.column = problem.column;
    error.last = problem.last;
    error.row = problem.last ? 0 : ++number;
  }

  /// `text` has room for what is made here.
  Cell cellOf(std::size_t column, std::int64_t row, std::string &text) const {
    const Column &values = block.columns[column];
    const auto at = static_cast<std::size_t>(row);
    if (!values.isThere(row)) {
      return {};
    }
    if (!values.offsets.empty()) {
      text.clear();
      for (std::int64_t i = values.offsets[at]; i < values.offsets[at + 1]; ++i) {
        text += values.texts()[static_cast<std::size_t>(i)];
        text += listEnd;
      }
      return {text, true, true};
    }
    return std::visit(
        [&]<typename Held>(const Held &all) -> Cell {
          if constexpr (std::is_same_v<Held, TextValues>) {
            return {all[at], true};
          } else if constexpr (std::is_same_v<Held, std::vector<std::uint8_t>>) {
            return {all[at] != 0 ? "true" : "false", true};
          } else {
            text.resize(32); // the shortest digits that are read back to the bit
            const auto end = std::to_chars(text.data(), text.data() + text.size(), all[at]).ptr;
            return {std::string_view(text.data(), static_cast<std::size_t>(end - text.data())), true};
          }
        },
        values.values);
  }

  std::unique_ptr<ByteSource> bytes;
  std::shared_ptr<const Source> source;
  std::unique_ptr<SourceReader> reader;
  std::string head;
  std::vector<std::string> header;
  std::vector<int> wanted;        // fields that are selected
  std::vector<int> places;        // of each cell among these; -1: the source has no such column
  std::vector<bool> mayHoldList;  // likewise
  std::vector<std::string> texts; // likewise: of what is no text in the block
  bool isSelected = false;
  SourceRows block;
  std::int64_t nextRow = 0, number = 0, lastLine = 1;
  std::size_t nextProblem = 0;
};

} // namespace

std::unique_ptr<RowSource> makePluginRows(std::unique_ptr<ByteSource> bytes, std::shared_ptr<const Source> source) {
  return std::make_unique<PluginRows>(std::move(bytes), std::move(source));
}

} // namespace penstock
