// A source in C++. Write a class
//
//     class Mine {
//     public:
//       explicit Mine(const sdk::Parameters &);
//       class Reader { // of one file
//       public:
//         Reader(const Mine &, sdk::SourceBytes &);
//         std::vector<sdk::Field> columns();  // reads the head of the file; called once, first
//         bool next(sdk::RowWriter &out);     // adds some rows to the columns (columns.h); false at the end, or where it adds none
//       };
//     };
//
// and `PENSTOCK_SOURCE(Mine, "mine", "1.0.0")`. Fields are texts, f64, i64 and flags, and lists of texts; what the file has as text is
// handed on as it stands. Throw sdk::RowFailure where the file has a mistake: the row under way is left out, and reading goes on;
// sdk::Failure where the source cannot go on. Files in text are read by LineReader.
#pragma once

#include <penstock/sdk/columns.h>
#include <penstock/sdk/unicode.h>

#include <optional>

namespace penstock::sdk {

/// A mistake in the file.
class RowFailure : public std::runtime_error {
public:
  /// `line` and `column` from 1, 0: not known. `last`: nothing behind it can be read.
  RowFailure(std::int64_t line, std::int64_t column, const std::string &sentence, bool last = false)
      : std::runtime_error(sentence), line(line), column(column), last(last) {}
  std::int64_t line, column;
  bool last;
};

/// The bytes of a file, once, from its beginning.
class SourceBytes {
public:
  explicit SourceBytes(const PenstockSourceFile *file) : file(file) {}
  /// Reads up to `size` bytes, what is there without waiting for more; 0 at the end.
  std::size_t read(char *to, std::size_t size) {
    std::size_t got = 0;
    if (file->read(file->context, to, size, &got) != 0) {
      throw Failure("the file could not be read further");
    }
    return got;
  }
  bool ready = false; // whether the next row can be made without reading: rows are then handed on together

private:
  const PenstockSourceFile *file;
};

/// The lines of a file in UTF-8, each ended by LF, CR LF or CR, without a byte order mark.
class LineReader {
public:
  static constexpr std::size_t longest = std::size_t{64} << 20;

  explicit LineReader(SourceBytes &bytes) : bytes(bytes) {}
  /// The next line, valid until the next call; false at the end. A line that is no UTF-8 is a RowFailure, and so, the last, is one that is
  /// too long.
  bool next(std::string_view &line) {
    begin = behind;
    while (!findEnd()) {
      if (buffer.size() - begin > longest) {
        throw RowFailure(count + 1, 0, "the line is longer than 64 MiB", true);
      }
      fill();
    }
    if (end == begin && behind == begin) {
      bytes.ready = false;
      return false;
    }
    ++count;
    line = std::string_view(buffer).substr(begin, end - begin);
    bytes.ready = buffer.find('\n', behind) != std::string::npos;
    if (!isUtf8(line)) {
      throw RowFailure(count, 0, "the line is not UTF-8; convert the file, for example with `iconv`");
    }
    return true;
  }
  /// Of the line that was given last, from 1.
  std::int64_t number() const { return count; }

private:
  /// Sets `end` and `behind` where the line that begins at `begin` is whole.
  bool findEnd() {
    end = buffer.find_first_of("\r\n", looked);
    looked = std::min(end, buffer.size());
    if (end == std::string::npos) {
      end = behind = buffer.size();
      return atEnd;
    }
    if (buffer[end] == '\r' && end + 1 == buffer.size() && !atEnd) {
      return false; // a LF may follow
    }
    behind = looked = end + (buffer.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    return true;
  }
  void fill() {
    buffer.erase(0, begin);
    looked -= begin;
    begin = 0;
    const std::size_t held = buffer.size(), more = std::max(std::size_t{1} << 16, held);
    buffer.resize(held + more);
    const std::size_t got = bytes.read(buffer.data() + held, more);
    buffer.resize(held + got);
    atEnd = got == 0;
    if (!marked) {
      marked = count > 0 || buffer.size() >= 3 || atEnd;
      buffer.erase(0, marked && count == 0 && buffer.compare(0, 3, "\xEF\xBB\xBF") == 0 ? 3 : 0);
      looked = 0;
    }
  }

  SourceBytes &bytes;
  std::string buffer;
  std::size_t begin = 0, end = 0, behind = 0, looked = 0;
  std::int64_t count = 0;
  bool atEnd = false, marked = false;
};

/// Rows on their way to the host.
class RowWriter {
public:
  RowWriter(const Schema &schema, const std::vector<std::uint8_t> &wanted, const PenstockRowSink *sink)
      : writer(schema, wanted.data()), sink(sink) {}
  /// The column of a field, by its place in what columns() gave.
  Column &operator[](std::size_t field) { return writer[field]; }
  /// Whether somebody reads it; what is added to others goes nowhere.
  bool wants(std::size_t field) const { return writer.wants(field); }
  /// What was added since the last row is a row, which begins on that line of the file.
  void endRow(std::int64_t line) {
    writer.endRecord();
    lines.push_back(line);
  }
  std::size_t rows() const { return lines.size(); }

  void send() {
    if (!lines.empty()) {
      PenstockColumns columns = writer.view();
      columns.first_rows = lines.data();
      check(sink->rows(sink->context, &columns));
    }
    writer.clear();
    lines.clear();
  }
  /// Sends the rows before it, forgets the row under way, and tells the problem.
  void fail(const RowFailure &failure) {
    writer.dropRow();
    send();
    const PenstockRowProblem problem = {sizeof problem, failure.last ? 1 : 0, failure.line, failure.column, string(failure.what())};
    check(sink->problem(sink->context, &problem));
  }

private:
  static void check(std::int32_t stopped) {
    if (stopped != 0) {
      throw Failure("the host stopped the plugin");
    }
  }
  ColumnWriter writer;
  std::vector<std::int64_t> lines;
  const PenstockRowSink *sink;
};

template <typename T> struct SourceFunctions {
  struct Open {
    Open(const T &source, const PenstockSourceFile *file) : bytes(file), reader(source, bytes) {}
    SourceBytes bytes;
    typename T::Reader reader;
    std::optional<Schema> schema;
    std::vector<std::uint8_t> wanted;
    std::optional<RowFailure> headFailure;
  };
  static constexpr std::size_t together = 4096; // rows

  static std::int32_t create(const PenstockHost *host, const PenstockParameters *parameters, void **self, PenstockError *error) {
    return guarded(error, [&] { *self = std::make_unique<T>(Parameters(parameters, host)).release(); });
  }
  static void destroy(void *self) { destroyed<T>(self); }
  static std::int32_t open(const void *self, const PenstockSourceFile *file, void **reader, PenstockError *error) {
    return guarded(error, [&] { *reader = std::make_unique<Open>(*static_cast<const T *>(self), file).release(); });
  }
  static void close(void *reader) { destroyed<Open>(reader); }

  static std::int32_t describe(void *reader, const PenstockFieldSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      Open &open = *static_cast<Open *>(reader);
      std::vector<Field> fields;
      try {
        fields = open.reader.columns();
      } catch (const RowFailure &failure) {
        open.headFailure = failure;
      }
      open.wanted.assign(fields.size(), 1);
      open.schema.emplace(std::move(fields));
      sendFields(*open.schema, sink);
    });
  }
  static std::int32_t select(void *reader, const std::int32_t *fields, std::int64_t count, PenstockError *error) {
    return guarded(error, [&] {
      Open &open = *static_cast<Open *>(reader);
      open.wanted.assign(open.wanted.size(), 0);
      for (std::int64_t i = 0; i < count; ++i) {
        open.wanted.at(static_cast<std::size_t>(fields[i])) = 1;
      }
    });
  }
  static std::int32_t next(void *reader, const PenstockRowSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      Open &open = *static_cast<Open *>(reader);
      RowWriter out(open.schema.value(), open.wanted, sink);
      if (open.headFailure) {
        const RowFailure failure = *std::exchange(open.headFailure, std::nullopt);
        return out.fail({failure.line, failure.column, failure.what(), true});
      }
      try {
        while (open.reader.next(out) && open.bytes.ready && out.rows() < together) {
        }
        out.send();
      } catch (const RowFailure &failure) {
        out.fail(failure);
      }
    });
  }

  static const PenstockSource *table() {
    static const PenstockSource functions = [] {
      PenstockSource f{};
      f.struct_size = sizeof f;
      f.create = create;
      f.destroy = destroy;
      f.open = open;
      f.close = close;
      f.describe = describe;
      f.select = select;
      f.next = next;
      return f;
    }();
    return &functions;
  }
};

} // namespace penstock::sdk

#define PENSTOCK_SOURCE(CLASS, NAME, VERSION)                                                                                              \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_SOURCE, ::penstock::sdk::SourceFunctions<CLASS>::table(), NAME, VERSION)
