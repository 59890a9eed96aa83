// CoNLL files: one word a line, a blank line behind each record. After CoNLL-2003; which columns
// there are is for the reader to say.
#include "runtime/base/utf8.h"
#include "runtime/data/rows.h"

#include <algorithm>
#include <deque>

namespace penstock {

namespace {

constexpr std::string_view blanks = " \t";
constexpr std::size_t errorLimit = 1000; // of one record; more are not kept

class ConllRows : public RowSource {
public:
  ConllRows(std::unique_ptr<ByteSource> bytes, ConllOptions given) : lines(makePlainLines(std::move(bytes))), options(std::move(given)) {
    lines->select({""});
  }

  Status begin() override { return lines->begin(); }
  const std::vector<std::string> &names() const override { return options.columns; }
  bool ready() override { return ended || !errors.empty() || lines->ready(); }

  void select(const std::vector<std::string> &columns, const std::vector<bool> &) override {
    selected.clear();
    for (const std::string &column : columns) {
      selected.push_back(columnAt(options.columns, column));
    }
    lists.resize(selected.size());
  }

  Result<RowStep> next(Row &row, RowError &error) override {
    for (;;) {
      if (!errors.empty()) {
        error = std::move(errors.front());
        errors.pop_front();
        return RowStep::error;
      }
      if (ended) {
        return RowStep::end;
      }
      PENSTOCK_ASSIGN(const bool whole, readRecord());
      if (!whole) {
        continue;
      }
      row.number = number;
      row.line = firstLine;
      row.cells.clear();
      for (std::size_t i = 0; i < selected.size(); ++i) {
        row.cells.push_back(selected[i] < 0 ? Cell{} : Cell{lists[i], true, true});
      }
      return RowStep::row;
    }
  }

private:
  /// Reads up to the end of the next record. False: there is none, or it has errors.
  Result<bool> readRecord() {
    for (std::string &list : lists) {
      list.clear();
    }
    firstLine = 0;
    std::size_t size = 0;
    bool good = true, tooLong = false;
    const auto add = [&](RowError error) {
      good = false;
      if (errors.size() < errorLimit) {
        errors.push_back(std::move(error));
      }
    };
    for (;;) {
      RowError error;
      PENSTOCK_ASSIGN(const RowStep step, lines->next(line, error));
      if (step == RowStep::end) {
        ended = true;
        break;
      }
      const bool begins = firstLine == 0;
      if (step == RowStep::error && error.last) {
        add(std::move(error));
        ended = true;
        break;
      }
      if (step == RowStep::error) {
        start(error.line);
        error.row = number;
        add(std::move(error));
        continue;
      }
      const std::string_view text = line.cells[0].text;
      split(text);
      if (fields.empty()) {
        if (begins) {
          continue;
        }
        break;
      }
      if (begins && !options.comment.empty() && text.starts_with(options.comment)) {
        continue;
      }
      if (fields[0] == "-DOCSTART-") {
        if (begins) {
          continue;
        }
        break;
      }
      start(line.line);
      if (fields.size() != options.columns.size()) {
        error = {};
        error.kind = RowError::Kind::fieldCount;
        error.row = number;
        error.line = line.line;
        const std::size_t extra = options.columns.size();
        error.column =
            fields.size() > extra ? countScalars(text.substr(0, static_cast<std::size_t>(fields[extra].data() - text.data()))) + 1 : 1;
        error.expected = static_cast<std::int64_t>(options.columns.size());
        error.found = static_cast<std::int64_t>(fields.size());
        error.width = RowError::Width::listed;
        add(std::move(error));
        continue;
      }
      size += text.size() + 1;
      if (size > ByteWindow::limit && !tooLong) {
        error = {};
        error.kind = RowError::Kind::tooLong;
        error.row = number;
        error.line = firstLine;
        error.column = 1;
        add(std::move(error));
        tooLong = true;
      }
      for (std::size_t i = 0; i < selected.size() && good; ++i) {
        if (selected[i] >= 0) {
          lists[i] += fields[static_cast<std::size_t>(selected[i])];
          lists[i] += listEnd;
        }
      }
    }
    return good && firstLine > 0;
  }

  void start(std::int64_t at) {
    if (firstLine == 0) {
      firstLine = at;
      ++number;
    }
  }

  void split(std::string_view text) {
    fields.clear();
    for (std::size_t begin = text.find_first_not_of(blanks); begin != std::string_view::npos;) {
      const std::size_t end = std::min(text.find_first_of(blanks, begin), text.size());
      fields.push_back(text.substr(begin, end - begin));
      begin = text.find_first_not_of(blanks, end);
    }
  }

  std::unique_ptr<RowSource> lines;
  const ConllOptions options;
  std::vector<std::ptrdiff_t> selected;
  std::vector<std::string> lists; // one a selected column
  std::vector<std::string_view> fields;
  std::deque<RowError> errors;
  Row line;
  std::int64_t number = 0, firstLine = 0;
  bool ended = false;
};

} // namespace

std::unique_ptr<RowSource> makeConllRows(std::unique_ptr<ByteSource> bytes, const ConllOptions &options) {
  return std::make_unique<ConllRows>(std::move(bytes), options);
}

} // namespace penstock
