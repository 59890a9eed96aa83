// CSV after RFC 4180: CRLF or LF, quotes doubled inside quotes, line ends inside quotes, an
// optional byte order mark. Lines without a byte are skipped. A quote anywhere else than around a
// whole field is an error.
#include "runtime/data/rows.h"
#include "runtime/text/utf8.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

namespace penstock {

namespace {

struct Field {
  std::size_t begin, end; // inside the quotes
  bool quoted, doubled;
};

struct Scan {
  enum class Outcome { row, needMore, error } outcome = Outcome::needMore;
  std::size_t consumed = 0; // row: with its line end
  std::size_t at = 0;       // error: where
  RowError::Kind kind = RowError::Kind::strayQuote;
};

/// Scans one row at `text`. `final`: the source has nothing after it.
Scan scanRow(std::string_view text, bool final, const bool *stops, char delimiter, std::vector<Field> &fields) {
  const char *p = text.data();
  const std::size_t n = text.size();
  const Scan needMore;
  const auto fail = [](RowError::Kind kind, std::size_t at) { return Scan{Scan::Outcome::error, 0, at, kind}; };
  const auto done = [](std::size_t consumed) { return Scan{Scan::Outcome::row, consumed}; };
  fields.clear();
  std::size_t i = 0;
  for (;;) {
    const std::size_t start = i;
    if (i < n && p[i] == '"') {
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
      if (i == n) {
        return done(n);
      }
      if (p[i] == delimiter) {
        ++i;
        continue;
      }
      if (p[i] == '\n') {
        return done(i + 1);
      }
      if (p[i] == '\r') {
        if (i + 1 == n) {
          return final ? done(n) : needMore;
        }
        if (p[i + 1] == '\n') {
          return done(i + 2);
        }
      }
      return fail(RowError::Kind::strayQuote, i);
    }
    while (i < n && !stops[static_cast<unsigned char>(p[i])]) {
      ++i;
    }
    if (i == n && !final) {
      return needMore;
    }
    if (i < n && p[i] == '"') {
      return fail(RowError::Kind::strayQuote, i);
    }
    if (i < n && p[i] == delimiter) {
      fields.push_back({start, i, false, false});
      ++i;
      continue;
    }
    const std::size_t end = i > start && p[i - 1] == '\r' ? i - 1 : i;
    fields.push_back({start, end, false, false});
    return done(i < n ? i + 1 : n);
  }
}

class CsvRows : public RowSource {
public:
  CsvRows(std::unique_ptr<ByteSource> bytes, const CsvOptions &options) : window(std::move(bytes)), delimiter(options.delimiter) {
    stops[static_cast<unsigned char>(delimiter)] = stops['"'] = stops['\n'] = true;
  }

  Status begin() override {
    while (window.size() < 3 && !window.atEnd()) {
      PENSTOCK_TRY(window.fill());
    }
    if (std::string_view(window.data(), window.size()).substr(0, 3) == "\xEF\xBB\xBF") {
      window.consume(3);
    }
    PENSTOCK_ASSIGN(const RowStep step, scan(headerError));
    if (step == RowStep::end) {
      ended = true;
      return Status::success();
    }
    headerBad = step == RowStep::error;
    if (headerBad) {
      return Status::success();
    }
    std::unordered_set<std::string> seen;
    for (const Field &field : fields) {
      scratch.clear();
      header.emplace_back(text(field));
      if (!seen.insert(header.back()).second && !headerBad) {
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
    std::unordered_map<std::string_view, std::ptrdiff_t> places; // of the first of equal names
    for (std::size_t i = 0; i < header.size(); ++i) {
      places.emplace(header[i], static_cast<std::ptrdiff_t>(i));
    }
    for (const std::string &column : columns) {
      const auto found = places.find(column);
      selected.push_back(found == places.end() ? -1 : found->second);
    }
  }

  Result<RowStep> next(Row &row, RowError &error) override {
    if (headerBad) {
      headerBad = false;
      ended = true;
      error = headerError;
      return RowStep::error;
    }
    if (ended) {
      return RowStep::end;
    }
    PENSTOCK_ASSIGN(const RowStep step, scan(error));
    if (step == RowStep::end) {
      ended = true;
    }
    if (step != RowStep::row) {
      return step;
    }
    if (fields.size() != header.size()) {
      const std::size_t at = fields.size() > header.size() ? fields[header.size()].begin : 0;
      error = place(at, RowError::Kind::fieldCount);
      error.expected = static_cast<std::int64_t>(header.size());
      error.found = static_cast<std::int64_t>(fields.size());
      return RowStep::error;
    }
    row.number = number;
    row.line = line;
    row.cells.resize(selected.size());
    std::size_t unescaped = 0;
    for (const std::ptrdiff_t index : selected) {
      const Field *field = index < 0 ? nullptr : &fields[static_cast<std::size_t>(index)];
      unescaped += field != nullptr && field->doubled ? field->end - field->begin : 0;
    }
    scratch.clear();
    scratch.reserve(unescaped);
    for (std::size_t i = 0; i < selected.size(); ++i) {
      row.cells[i] = selected[i] < 0 ? Cell{} : Cell{text(fields[static_cast<std::size_t>(selected[i])]), true};
    }
    return RowStep::row;
  }

private:
  /// Finds the next row that is no blank line and leaves it in `fields`, `pending`; checks its
  /// bytes.
  Result<RowStep> scan(RowError &error) {
    for (;;) {
      line += std::count(window.data(), window.data() + pending, '\n');
      window.consume(pending);
      pending = 0;
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
        if (fields.size() == 1 && !fields[0].quoted && fields[0].begin == fields[0].end) {
          if (pending == 0) {
            return RowStep::end;
          }
          continue;
        }
      }
      ++number;
      if (found.outcome != Scan::Outcome::row || tooLong) {
        const std::size_t at = tooLong ? 0 : found.at;
        error = place(at, tooLong ? RowError::Kind::tooLong : found.kind);
        PENSTOCK_ASSIGN(pending, recover(at));
        return RowStep::error;
      }
      const std::size_t bad = findInvalidUtf8({window.data(), pending});
      if (bad != std::string_view::npos) {
        error = place(bad, RowError::Kind::notUtf8);
        error.byte = window.offset() + static_cast<std::int64_t>(bad);
        error.value = static_cast<unsigned char>(window.data()[bad]);
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

  /// Where the line behind the one that holds `from` begins, or the end.
  Result<std::size_t> behindLine(std::size_t from) {
    for (;;) {
      const void *end = from < window.size() ? std::memchr(window.data() + from, '\n', window.size() - from) : nullptr;
      if (end != nullptr) {
        return static_cast<std::size_t>(static_cast<const char *>(end) - window.data()) + 1;
      }
      if (window.atEnd() || window.size() > ByteWindow::limit) {
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
      if (*p == '\n') {
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
  char delimiter;
  bool stops[256] = {};
  std::vector<Field> fields;
  std::vector<std::string> header;
  std::vector<std::ptrdiff_t> selected;
  std::string scratch;
  std::size_t pending = 0;
  std::int64_t number = -1, line = 1;
  bool ended = false, headerBad = false;
  RowError headerError;
};

} // namespace

std::unique_ptr<RowSource> makeCsvRows(std::unique_ptr<ByteSource> bytes, const CsvOptions &options) {
  return std::make_unique<CsvRows>(std::move(bytes), options);
}

} // namespace penstock
