// CSV after RFC 4180: CR LF, LF or CR, quotes doubled inside quotes, line ends inside quotes, an
// optional byte order mark. A line without a byte is skipped where there is more than one column. A quote anywhere
// else than around a whole field is an error.
#include "runtime/base/utf8.h"
#include "runtime/data/rows.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace penstock {

namespace {

struct Field {
  std::size_t begin, end; // inside the quotes
  bool quoted, doubled;
};

struct Scan {
  enum class Outcome { row, needMore, error } outcome = Outcome::needMore;
  std::size_t consumed = 0; // row: with its line end
  bool openEnd = false;     // row: its line end is a CR behind which the LF of a CR LF may come
  std::size_t at = 0;       // error: where
  RowError::Kind kind = RowError::Kind::strayQuote;
};

/// Scans one row at `text`. `final`: the source has nothing after it. `stops`: where an unquoted field ends; a quote is one only
/// where quotes have a meaning.
Scan scanRow(std::string_view text, bool final, const bool *stops, char delimiter, std::vector<Field> &fields) {
  const char *p = text.data();
  const std::size_t n = text.size();
  const Scan needMore;
  const auto fail = [](RowError::Kind kind, std::size_t at) { return Scan{Scan::Outcome::error, 0, false, at, kind}; };
  /// The row ends at a line end at `at`, or at the end of the text.
  const auto done = [&](std::size_t at) {
    Scan row{Scan::Outcome::row, std::min(at + 1, n)};
    if (at < n && p[at] == '\r') {
      row.openEnd = at + 1 == n && !final;
      row.consumed += at + 1 < n && p[at + 1] == '\n' ? 1 : 0;
    }
    return row;
  };
  const bool quotes = stops[static_cast<unsigned char>('"')];
  fields.clear();
  std::size_t i = 0;
  for (;;) {
    const std::size_t start = i;
    if (quotes && i < n && p[i] == '"') {
      std::size_t from = i + 1;
      bool doubled = false;
      for (;;) {
        const void *quote = from < n ? std::memchr(p + from, '"', n - from) : nullptr;
        if (quote == nullptr) {
          return final ? fail(RowError::Kind::unterminatedQuote, start) : needMore;
        }
        i = static_cast<std::size_t>(static_cast<const char *>(quote) - p);
        if (i + 1 == n && !final) {
          return needMore;
        }
        if (i + 1 == n || p[i + 1] != '"') {
          break;
        }
        doubled = true;
        from = i + 2;
      }
      fields.push_back({start + 1, i, true, doubled});
      ++i;
      if (i == n || p[i] == '\n' || p[i] == '\r') {
        return done(i);
      }
      if (p[i] == delimiter) {
        ++i;
        continue;
      }
      return fail(RowError::Kind::strayQuote, i);
    }
    while (i < n && !stops[static_cast<unsigned char>(p[i])]) {
      ++i;
    }
    if (i == n && !final) {
      return needMore;
    }
    if (i < n && p[i] == delimiter) {
      fields.push_back({start, i, false, false});
      ++i;
      continue;
    }
    if (i < n && p[i] != '\n' && p[i] != '\r') {
      return fail(RowError::Kind::strayQuote, i);
    }
    fields.push_back({start, i, false, false});
    return done(i);
  }
}

class CsvRows : public RowSource {
public:
  CsvRows(std::unique_ptr<ByteSource> bytes, const CsvOptions &given)
      : window(std::move(bytes)), options(given), delimiter(given.delimiter) {
    stops[static_cast<unsigned char>(delimiter)] = stops['\n'] = stops['\r'] = true;
    stops[static_cast<unsigned char>('"')] = options.quotes;
  }

  bool ready() override { return ended || window.ready(pending); }

  Status begin() override {
    PENSTOCK_ASSIGN(const ForeignFormat foreign, window.open());
    if (foreign) {
      headerBad = true;
      headerError = notText(foreign);
      return Status::success();
    }
    for (std::int64_t i = 0; i < options.skip && !(window.atEnd() && window.size() == 0); ++i) {
      PENSTOCK_TRY(skipLine());
    }
    number = options.header ? -1 : 0;
    PENSTOCK_ASSIGN(const RowStep step, scan(headerError));
    if (step == RowStep::end) {
      ended = true;
      return Status::success();
    }
    headerBad = step == RowStep::error;
    if (headerBad) {
      return Status::success();
    }
    if (!options.header) {
      for (std::size_t i = 1; i <= fields.size(); ++i) {
        header.push_back("#" + std::to_string(i));
      }
      held = true;
      return Status::success();
    }
    std::unordered_set<std::string> seen;
    for (const Field &field : fields) {
      scratch.clear();
      header.emplace_back(text(field)); // an index that pandas writes has no name
      if (!header.back().empty() && !seen.insert(header.back()).second && !headerBad) {
        headerBad = true;
        headerError = place(field.begin, RowError::Kind::duplicateColumn);
        headerError.detail = header.back();
      }
    }
    return Status::success();
  }

  const std::vector<std::string> &names() const override { return header; }

  void select(const std::vector<std::string> &columns, const std::vector<bool> &) override {
    selected.clear();
    isDecimal.clear();
    std::unordered_map<std::string_view, std::ptrdiff_t> places; // of the first of equal names
    for (std::size_t i = 0; i < header.size(); ++i) {
      places.emplace(header[i], static_cast<std::ptrdiff_t>(i));
    }
    for (const std::string &column : columns) {
      const auto found = places.find(column);
      selected.push_back(found == places.end() ? columnAt(header, column) : found->second);
      isDecimal.push_back(options.decimal != '.' &&
                          std::find(options.numbers.begin(), options.numbers.end(), column) != options.numbers.end());
    }
  }

  Result<RowStep> next(Row &row, RowError &error) override {
    if (headerBad) {
      headerBad = false;
      ended = true;
      error = headerError;
      error.last = true;
      return RowStep::error;
    }
    if (ended) {
      return RowStep::end;
    }
    if (!std::exchange(held, false)) {
      PENSTOCK_ASSIGN(const RowStep step, scan(error));
      ended = step == RowStep::end;
      if (step != RowStep::row) {
        return step;
      }
    }
    if (fields.size() != header.size()) {
      const std::size_t at = fields.size() > header.size() ? fields[header.size()].begin : 0;
      error = place(at, RowError::Kind::fieldCount);
      error.expected = static_cast<std::int64_t>(header.size());
      error.found = static_cast<std::int64_t>(fields.size());
      error.width = options.header ? RowError::Width::header : RowError::Width::firstRow;
      return RowStep::error;
    }
    row.number = number;
    row.line = line;
    row.span = spanOf();
    row.cells.resize(selected.size());
    std::size_t unescaped = 0;
    for (const std::ptrdiff_t index : selected) {
      const Field *field = index < 0 ? nullptr : &fields[static_cast<std::size_t>(index)];
      unescaped += field != nullptr && (field->doubled || options.decimal != '.') ? 2 * (field->end - field->begin) : 0;
    }
    scratch.clear();
    scratch.reserve(unescaped);
    for (std::size_t i = 0; i < selected.size(); ++i) {
      row.cells[i] = selected[i] < 0 ? Cell{} : Cell{text(fields[static_cast<std::size_t>(selected[i])]), true};
      if (isDecimal[i] && row.cells[i].present && !readDecimal(row.cells[i].text)) {
        error = place(fields[static_cast<std::size_t>(selected[i])].begin, RowError::Kind::notDecimal);
        error.detail = header[static_cast<std::size_t>(selected[i])];
        error.remedy = row.cells[i].text;
        return RowStep::error;
      }
    }
    return RowStep::row;
  }

private:
  /// Leaves a line before the header behind.
  Status skipLine() {
    PENSTOCK_ASSIGN(const std::size_t behind, behindLine(0));
    line += countLineEnds({window.data(), behind});
    window.consume(behind);
    while (inLongLine) {
      PENSTOCK_ASSIGN(const std::size_t rest, behindLine(0));
      line += countLineEnds({window.data(), rest});
      window.consume(rest);
    }
    return {};
  }

  /// `1.234,5` as `1234.5`, in `scratch`; what is no number stays. False: a dot stands where none may.
  bool readDecimal(std::string_view &cell) {
    if (cell.find_first_of("0123456789") == std::string_view::npos ||
        cell.find_first_not_of("0123456789.,+-eE \t") != std::string_view::npos) {
      return true;
    }
    const std::size_t comma = cell.find(',');
    const std::string_view whole = cell.substr(0, comma);
    for (std::size_t dot = whole.find('.'), before = std::min(whole.find_first_of("0123456789"), whole.size());
         dot != std::string_view::npos; before = dot + 1, dot = whole.find('.', dot + 1)) {
      const bool first = before == 0 || whole[before - 1] != '.';
      const std::size_t digits = dot - before, behind = whole.find_first_not_of("0123456789", dot + 1);
      if ((first ? digits < 1 || digits > 3 : digits != 3) || std::min(behind, whole.size()) - dot - 1 != 3) {
        return false;
      }
    }
    if (comma != std::string_view::npos && cell.find('.', comma) != std::string_view::npos) {
      return false;
    }
    const std::size_t begin = scratch.size();
    for (const char sign : cell) {
      if (sign != '.') {
        scratch += sign == ',' ? '.' : sign;
      }
    }
    cell = std::string_view(scratch).substr(begin);
    return true;
  }

  /// See Row::span.
  Row::Span spanOf() const {
    const bool closed = pending > 0 && (window.data()[pending - 1] == '\n' || window.data()[pending - 1] == '\r');
    Row::Span span = Row::Span::none;
    for (std::size_t i = 0; i < fields.size() && lineEnds > (closed ? 1 : 0); ++i) {
      const std::string_view raw(window.data() + fields[i].begin, fields[i].end - fields[i].begin);
      if (!fields[i].quoted || raw.find_first_of("\r\n") == std::string_view::npos || raw.find(delimiter) == std::string_view::npos) {
        continue;
      }
      span = std::max(span, readsLikeRows(raw, i) ? Row::Span::rows : Row::Span::lines);
    }
    return span;
  }

  /// Whether the lines of field `index` have as many delimiters as the end of a row from that field on, whole rows, and the beginning of a
  /// row up to that field.
  bool readsLikeRows(std::string_view raw, std::size_t index) const {
    for (bool first = true;; first = false) {
      const std::size_t end = std::min(raw.find_first_of("\r\n"), raw.size());
      const bool last = end == raw.size();
      const std::size_t wanted = first ? header.size() - 1 - index : last ? index : header.size() - 1;
      if (static_cast<std::size_t>(std::count(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(end), delimiter)) != wanted) {
        return false;
      }
      if (last) {
        return true;
      }
      raw.remove_prefix(end + (raw.substr(end).starts_with("\r\n") ? 2 : 1));
    }
  }

  /// Leaves what was read behind: a row, or what an error cost.
  Status leave() {
    line += lineEnds;
    window.consume(pending);
    pending = 0;
    lineEnds = 0;
    while (inLongLine) {
      PENSTOCK_ASSIGN(const std::size_t rest, behindLine(0));
      line += countLineEnds({window.data(), rest});
      window.consume(rest);
    }
    if (openEnd) {
      openEnd = false;
      while (window.size() == 0 && !window.atEnd()) {
        PENSTOCK_TRY(window.fill());
      }
      window.consume(window.size() > 0 && window.data()[0] == '\n' ? 1 : 0);
    }
    return Status::success();
  }

  /// Finds the next row and leaves it in `fields`, `pending`; checks its bytes.
  Result<RowStep> scan(RowError &error) {
    for (;;) {
      PENSTOCK_TRY(leave());
      Scan found;
      for (;;) {
        found = scanRow({window.data(), window.size()}, window.atEnd(), stops, delimiter, fields);
        if (found.outcome != Scan::Outcome::needMore || window.size() > ByteWindow::limit) {
          break;
        }
        PENSTOCK_TRY(window.fill());
      }
      const bool tooLong =
          found.outcome == Scan::Outcome::needMore || found.consumed > ByteWindow::limit ||
          (found.outcome == Scan::Outcome::error && window.size() > ByteWindow::limit && found.kind == RowError::Kind::unterminatedQuote);
      if (found.outcome == Scan::Outcome::row && !tooLong) {
        pending = found.consumed;
        openEnd = found.openEnd;
        lineEnds = countLineEnds({window.data(), pending});
        if (pending == 0) {
          return RowStep::end;
        }
        if (fields.size() == 1 && !fields[0].quoted && fields[0].begin == fields[0].end && header.size() != 1) {
          continue;
        }
      }
      ++number;
      if (found.outcome != Scan::Outcome::row || tooLong) {
        const std::size_t at = tooLong ? 0 : found.at;
        error = place(at, tooLong ? RowError::Kind::tooLong : found.kind);
        PENSTOCK_ASSIGN(pending, recover(at));
        lineEnds = countLineEnds({window.data(), pending});
        return RowStep::error;
      }
      const std::size_t bad = findInvalidUtf8({window.data(), pending});
      if (bad != std::string_view::npos) {
        error = place(bad, RowError::Kind::notUtf8);
        error.byte = window.offset() + static_cast<std::int64_t>(bad);
        error.value = static_cast<unsigned char>(window.data()[bad]);
        error.detail = wordsOf(likelyEncoding({}))[static_cast<std::size_t>(likelyEncoding({window.data(), pending}))];
        return RowStep::error;
      }
      return RowStep::row;
    }
  }

  /// How many bytes to leave out after an error at `at`: up to the line behind the row's first if
  /// that one reads as a row, so that one quote too many costs one row, or else up to the line
  /// behind the error.
  Result<std::size_t> recover(std::size_t at) {
    PENSTOCK_ASSIGN(const std::size_t first, behindLine(0));
    for (;;) {
      const Scan there = scanRow({window.data() + first, window.size() - first}, window.atEnd(), stops, delimiter, fields);
      if (there.outcome == Scan::Outcome::needMore && window.size() <= ByteWindow::limit) {
        PENSTOCK_TRY(window.fill());
        continue;
      }
      if (there.outcome == Scan::Outcome::row && fields.size() == header.size()) {
        return first;
      }
      return behindLine(at);
    }
  }

  /// Where the line behind the one that holds `from` begins, or the end of the window where that line goes on behind it.
  Result<std::size_t> behindLine(std::size_t from) {
    inLongLine = false;
    for (;;) {
      const std::string_view text(window.data(), window.size());
      const std::size_t end = text.find_first_of("\r\n", from);
      if (end != std::string_view::npos && (text[end] == '\n' || end + 1 < text.size() || window.atEnd())) {
        return end + (text[end] == '\r' && text.substr(end + 1).starts_with('\n') ? 2 : 1);
      }
      if (window.atEnd() || window.size() > ByteWindow::limit) {
        inLongLine = !window.atEnd();
        return window.size();
      }
      PENSTOCK_TRY(window.fill());
    }
  }

  RowError place(std::size_t at, RowError::Kind kind) const {
    RowError error;
    error.kind = kind;
    error.row = number;
    const char *lineStart = window.data();
    error.line = line;
    for (const char *p = window.data(); p < window.data() + at; ++p) {
      if (*p == '\n' || (*p == '\r' && p + 1 < window.data() + at && p[1] != '\n')) {
        ++error.line;
        lineStart = p + 1;
      }
    }
    error.column = countScalars({lineStart, static_cast<std::size_t>(window.data() + at - lineStart)}) + 1;
    return error;
  }

  /// The text of a field; doubled quotes are halved into `scratch`, whose capacity covers the whole
  /// row.
  std::string_view text(const Field &field) {
    const std::string_view raw(window.data() + field.begin, field.end - field.begin);
    if (!field.doubled) {
      return raw;
    }
    const std::size_t begin = scratch.size();
    for (std::size_t i = 0; i < raw.size(); ++i) {
      scratch += raw[i];
      if (raw[i] == '"') {
        ++i;
      }
    }
    return std::string_view(scratch).substr(begin);
  }

  ByteWindow window;
  const CsvOptions options;
  const char delimiter;
  bool stops[256] = {};
  std::vector<Field> fields;
  std::vector<std::string> header;
  std::vector<std::ptrdiff_t> selected;
  std::vector<bool> isDecimal; // likewise
  std::string scratch;
  std::size_t pending = 0;
  std::int64_t lineEnds = 0; // in `pending`
  std::int64_t number = -1, line = 1;
  bool openEnd = false, inLongLine = false, ended = false, headerBad = false;
  bool held = false; // a row was read where a header would stand
  RowError headerError;
};

} // namespace

std::unique_ptr<RowSource> makeCsvRows(std::unique_ptr<ByteSource> bytes, const CsvOptions &options) {
  return std::make_unique<CsvRows>(std::move(bytes), options);
}

} // namespace penstock
