#include "runtime/data/rows.h"

#include "runtime/base/printable.h"
#include "runtime/base/utf8.h"
#include "runtime/text/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace penstock {

namespace {

constexpr std::size_t nameLimit = 60; // characters of a name from a file that a message shows

} // namespace

const char *RowError::reason() const {
  switch (kind) {
  case Kind::fieldCount:
    return "fields";
  case Kind::strayQuote:
    return "stray-quote";
  case Kind::unterminatedQuote:
    return "unterminated-quote";
  case Kind::tooLong:
    return "too-long";
  case Kind::notUtf8:
    return "not-utf8";
  case Kind::notJson:
    return "not-json";
  case Kind::notAnObject:
    return "not-an-object";
  case Kind::nestedValue:
    return "nested-value";
  case Kind::notWords:
    return "not-words";
  case Kind::notAList:
    return "not-a-list";
  case Kind::notDecimal:
    return "not-decimal";
  case Kind::notText:
    return "not-text";
  case Kind::duplicateColumn:
    return "duplicate-column";
  case Kind::ofSource:
    return "source";
  }
  return "malformed";
}

std::string RowError::sentence() const {
  switch (kind) {
  case Kind::fieldCount:
    return width == Width::listed ? fmt::format("the line has {} column{} where `columns` lists {}", found, found == 1 ? "" : "s", expected)
                                  : fmt::format("the row has {} field{} where the {} has {}", found, found == 1 ? "" : "s",
                                                width == Width::header ? "header" : "first row", expected);
  case Kind::strayQuote:
    return "a quote stands inside a field; a field with quotes must be quoted as a whole, with "
           "each quote in it doubled";
  case Kind::unterminatedQuote:
    return "a quoted field is never closed";
  case Kind::tooLong:
    return fmt::format("the row is longer than {} MiB", ByteWindow::limit >> 20);
  case Kind::notUtf8:
    return fmt::format("byte 0x{:02X} at offset {} is not UTF-8{}", value, byte,
                       detail.empty() ? "" : "; if the file has another encoding, say it, such as `" + detail + "`");
  case Kind::notJson:
    return "the line is not JSON: " + detail;
  case Kind::notAnObject:
    return "the line is not a JSON object";
  case Kind::nestedValue:
    return fmt::format("`{}` holds an array or an object where a value is wanted", printable(detail, nameLimit));
  case Kind::notWords:
    return fmt::format("the list `{}` holds something else than strings", printable(detail, nameLimit));
  case Kind::notAList:
    return fmt::format("`{}` holds {}, not a JSON array of strings", printable(detail, nameLimit), remedy);
  case Kind::notDecimal:
    return fmt::format("`{}` holds `{}`; with `decimal: \",\"` a dot stands between groups of three digits only",
                       printable(detail, nameLimit), printable(remedy, nameLimit));
  case Kind::notText:
    return fmt::format("the file is {}; {}", detail, remedy);
  case Kind::duplicateColumn:
    return fmt::format("the header names `{}` twice", printable(detail, nameLimit));
  case Kind::ofSource:
    return printable(detail);
  }
  return "the row is malformed";
}

std::string RowError::inFile(const std::string &file) const {
  return fmt::format("{}:{}:{} {}", file, line, column > 0 ? std::to_string(column) + ":" : "", sentence());
}

void itemsOf(const Cell &cell, std::vector<std::string_view> &items, TextWords words) {
  items.clear();
  const std::string_view text = cell.text;
  if (cell.list) {
    for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
      end = std::min(text.find(listEnd, begin), text.size());
      items.push_back(text.substr(begin, end - begin));
    }
    return;
  }
  if (words == TextWords::punctuation) {
    splitWords(text, items);
    return;
  }
  std::size_t begin = std::string_view::npos; // of the word that has begun
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const bool space = isWhiteSpace(nextScalar(text, at));
    if (space && begin != std::string_view::npos) {
      items.push_back(text.substr(begin, here - begin));
      begin = std::string_view::npos;
    } else if (!space && begin == std::string_view::npos) {
      begin = here;
    }
  }
  if (begin != std::string_view::npos) {
    items.push_back(text.substr(begin));
  }
}

namespace {

/// Where a character stands first in a window; looks at each byte once.
class Finder {
public:
  explicit Finder(char wanted) : wanted(wanted) {}
  /// Looks at the first `until` bytes.
  void look(const ByteWindow &window, std::size_t until) {
    if (!found && at < until) {
      const void *const there = std::memchr(window.data() + at, wanted, until - at);
      found = there != nullptr;
      at = found ? static_cast<std::size_t>(static_cast<const char *>(there) - window.data()) : until;
    }
  }
  void consumed(std::size_t bytes) {
    found = found && bytes <= at;
    at = bytes <= at ? at - bytes : 0;
  }
  bool found = false;
  std::size_t at = 0; // the character, or the end of what was looked at

private:
  const char wanted;
};

class PlainLines : public RowSource {
public:
  explicit PlainLines(std::unique_ptr<ByteSource> bytes) : window(std::move(bytes)) {}

  Status begin() override {
    PENSTOCK_ASSIGN(foreign, window.open());
    return Status::success();
  }
  const std::vector<std::string> &names() const override { return none; }
  void select(const std::vector<std::string> &columns, const std::vector<bool> &) override { width = columns.size(); }

  Result<RowStep> next(Row &row, RowError &error) override {
    if (foreign) {
      error = notText(foreign);
      foreign = {};
      ended = true;
      return RowStep::error;
    }
    if (ended) {
      return RowStep::end;
    }
    consume(pending);
    pending = 0;
    PENSTOCK_TRY(skip());
    PENSTOCK_ASSIGN(const bool whole, findLine());
    std::string_view text(window.data(), size);
    if (pending == 0) {
      ended = true;
      return RowStep::end;
    }
    ++number;
    error = {};
    error.row = error.line = number;
    error.column = 1;
    if (!whole || text.size() > ByteWindow::limit) {
      error.kind = RowError::Kind::tooLong;
      inLongLine = !whole;
      return RowStep::error;
    }
    const std::size_t bad = findInvalidUtf8(text);
    if (bad != std::string_view::npos) {
      error.kind = RowError::Kind::notUtf8;
      error.byte = window.offset() + static_cast<std::int64_t>(bad);
      error.value = static_cast<unsigned char>(text[bad]);
      error.detail = wordsOf(likelyEncoding(text))[static_cast<std::size_t>(likelyEncoding(text))];
      error.column = countScalars(text.substr(0, bad)) + 1;
      return RowStep::error;
    }
    row.number = row.line = number;
    row.cells.assign(width, Cell{text, true});
    return RowStep::row;
  }

  bool ready() override { return ended || window.ready(pending); }

private:
  /// Sets `size` to the length of the first line, without its end, and `pending` to that with it. False: the line is
  /// longer than the window may be.
  Result<bool> findLine() {
    for (;;) {
      feed.look(window, window.size());
      carriage.look(window, feed.at);
      if (carriage.found) {
        size = carriage.at;
        pending = size + 1;
        if (pending < window.size()) {
          pending += window.data()[pending] == '\n' ? 1 : 0;
        } else {
          skipFeed = !window.atEnd();
        }
        return true;
      }
      size = feed.at;
      if (feed.found) {
        pending = size + 1;
        return true;
      }
      if (window.atEnd() || window.size() > ByteWindow::limit) {
        pending = size;
        return window.atEnd();
      }
      PENSTOCK_TRY(window.fill());
    }
  }

  /// Leaves out the rest of a line that was too long, and the LF of a line end of which only the CR was there.
  Status skip() {
    while (inLongLine) {
      PENSTOCK_ASSIGN(const bool whole, findLine());
      inLongLine = !whole;
      consume(pending);
      pending = 0;
    }
    if (skipFeed) {
      skipFeed = false;
      while (window.size() == 0 && !window.atEnd()) {
        PENSTOCK_TRY(window.fill());
      }
      consume(window.size() > 0 && window.data()[0] == '\n' ? 1 : 0);
    }
    return Status::success();
  }

  void consume(std::size_t bytes) {
    window.consume(bytes);
    feed.consumed(bytes);
    carriage.consumed(bytes);
  }

  ByteWindow window;
  Finder feed{'\n'}, carriage{'\r'};
  ForeignFormat foreign;
  std::vector<std::string> none;
  std::size_t width = 1;
  std::size_t size = 0, pending = 0;
  std::int64_t number = 0;
  bool skipFeed = false, inLongLine = false, ended = false;
};

} // namespace

std::ptrdiff_t columnAt(const std::vector<std::string> &names, std::string_view wanted) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) {
    return found - names.begin();
  }
  std::size_t number = 0;
  const char *const end = wanted.data() + wanted.size();
  const bool read = wanted.size() > 1 && wanted.front() == '#' && std::from_chars(wanted.data() + 1, end, number).ptr == end;
  return read && number >= 1 && number <= names.size() ? static_cast<std::ptrdiff_t>(number) - 1 : -1;
}

RowError notText(const ForeignFormat &foreign) {
  RowError error;
  error.kind = RowError::Kind::notText;
  error.line = error.column = 1;
  error.last = true;
  error.detail = foreign.what;
  error.remedy = foreign.remedy;
  return error;
}

std::unique_ptr<RowSource> makeRows(std::unique_ptr<ByteSource> bytes, const RowOptions &options) {
  const auto make = [&] {
    switch (options.format) {
    case RowFormat::csv:
      return makeCsvRows(std::move(bytes), options.csv);
    case RowFormat::jsonl:
      return makeJsonLines(std::move(bytes));
    case RowFormat::conll:
      return makeConllRows(std::move(bytes), options.conll);
    case RowFormat::plugin:
      return makePluginRows(std::move(bytes), options.plugin);
    case RowFormat::lines:
      break;
    }
    return makePlainLines(std::move(bytes));
  };
  return readListCells(make());
}

std::unique_ptr<RowSource> makePlainLines(std::unique_ptr<ByteSource> bytes) { return std::make_unique<PlainLines>(std::move(bytes)); }

} // namespace penstock
