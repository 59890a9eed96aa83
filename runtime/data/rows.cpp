#include "runtime/data/rows.h"

#include "runtime/text/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace penstock {

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
  case Kind::duplicateColumn:
    return "duplicate-column";
  }
  return "malformed";
}

std::string RowError::sentence() const {
  switch (kind) {
  case Kind::fieldCount:
    return hasHeader ? fmt::format("the row has {} field{} where the header has {}", found, found == 1 ? "" : "s", expected)
                     : fmt::format("the line has {} column{} where `columns` lists {}", found, found == 1 ? "" : "s", expected);
  case Kind::strayQuote:
    return "a quote stands inside a field; a field with quotes must be quoted as a whole, with "
           "each quote in it doubled";
  case Kind::unterminatedQuote:
    return "a quoted field is never closed";
  case Kind::tooLong:
    return fmt::format("the row is longer than {} MiB", ByteWindow::limit >> 20);
  case Kind::notUtf8:
    return fmt::format("byte 0x{:02X} at offset {} is not UTF-8", value, byte);
  case Kind::notJson:
    return "the line is not JSON: " + detail;
  case Kind::notAnObject:
    return "the line is not a JSON object";
  case Kind::nestedValue:
    return fmt::format("`{}` holds an array or an object where a value is wanted", detail);
  case Kind::notWords:
    return fmt::format("the list `{}` holds something else than strings", detail);
  case Kind::duplicateColumn:
    return fmt::format("the header names `{}` twice", detail);
  }
  return "the row is malformed";
}

void itemsOf(const Cell &cell, std::vector<std::string_view> &items) {
  items.clear();
  const std::string_view text = cell.text;
  if (cell.list) {
    for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
      end = std::min(text.find(listEnd, begin), text.size());
      items.push_back(text.substr(begin, end - begin));
    }
    return;
  }
  std::size_t begin = std::string_view::npos; // of the word that has begun
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const bool space = isWhiteSpace(decodeUtf8(text, at));
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

class PlainLines : public RowSource {
public:
  explicit PlainLines(std::unique_ptr<ByteSource> bytes) : window(std::move(bytes)) {}

  Status begin() override { return Status::success(); }
  const std::vector<std::string> &names() const override { return none; }
  void select(const std::vector<std::string> &columns, const std::vector<bool> &) override { width = columns.size(); }

  Result<RowStep> next(Row &row, RowError &error) override {
    window.consume(pending);
    pending = 0;
    const char *lineEnd = nullptr;
    for (;;) {
      lineEnd = window.size() == 0 ? nullptr : static_cast<const char *>(std::memchr(window.data(), '\n', window.size()));
      if (lineEnd != nullptr || window.atEnd() || window.size() > ByteWindow::limit) {
        break;
      }
      PENSTOCK_TRY(window.fill());
    }
    std::string_view text(window.data(), lineEnd != nullptr ? static_cast<std::size_t>(lineEnd - window.data()) : window.size());
    if (lineEnd == nullptr && text.empty()) {
      return RowStep::end;
    }
    pending = text.size() + (lineEnd != nullptr ? 1 : 0);
    ++number;
    if (number == 1 && text.substr(0, 3) == "\xEF\xBB\xBF") {
      text.remove_prefix(3);
    }
    if (!text.empty() && text.back() == '\r') {
      text.remove_suffix(1);
    }
    error = {};
    error.row = error.line = number;
    error.column = 1;
    if (text.size() > ByteWindow::limit) {
      error.kind = RowError::Kind::tooLong;
      return RowStep::error;
    }
    const std::size_t bad = findInvalidUtf8(text);
    if (bad != std::string_view::npos) {
      error.kind = RowError::Kind::notUtf8;
      error.byte = window.offset() + (text.data() - window.data()) + static_cast<std::int64_t>(bad);
      error.value = static_cast<unsigned char>(text[bad]);
      error.column = countScalars(text.substr(0, bad)) + 1;
      return RowStep::error;
    }
    row.number = row.line = number;
    row.cells.assign(width, Cell{text, true});
    return RowStep::row;
  }

private:
  ByteWindow window;
  std::vector<std::string> none;
  std::size_t width = 1;
  std::size_t pending = 0;
  std::int64_t number = 0;
};

} // namespace

std::unique_ptr<RowSource> makePlainLines(std::unique_ptr<ByteSource> bytes) { return std::make_unique<PlainLines>(std::move(bytes)); }

} // namespace penstock
