// A table of a SQLite database, or what a SELECT gives. The file is read into memory and opened there, so it may come from a pipe, nothing
// is written beside it, and it is never locked. What a journal or write-ahead log beside the file holds is not in it: close the database,
// or let it make a checkpoint, before.
#include <penstock/sdk/source.h>

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <set>

namespace {

using namespace penstock;

constexpr std::string_view mark("SQLite format 3\0", 16);

std::string quoted(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) {
    text += c;
    text += c == '"' ? "\"" : "";
  }
  return text + "\"";
}

struct Close {
  void operator()(sqlite3 *database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt *statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

class Sqlite {
public:
  explicit Sqlite(const sdk::Parameters &given) : table(given.text("table")), query(given.text("query")) {
    if (!table.empty() && !query.empty()) {
      throw sdk::Failure("`sqlite` reads a `table` or a `query`, not both");
    }
  }

  class Reader {
  public:
    Reader(const Sqlite &source, sdk::SourceBytes &bytes) : source(source), bytes(bytes) {}

    std::vector<sdk::Field> columns() {
      open();
      std::string sql = source.query.empty() ? "SELECT * FROM " + quoted(source.table.empty() ? onlyTable() : source.table) : source.query;
      rows = prepare(sql, true);
      std::vector<sdk::Field> fields;
      std::set<std::string> seen;
      for (int i = 0; i < sqlite3_column_count(rows.get()); ++i) {
        const char *const name = sqlite3_column_name(rows.get(), i);
        names.emplace_back(name == nullptr || *name == '\0' ? "column " + std::to_string(i + 1) : name);
        if (!seen.insert(names.back()).second) {
          throw sdk::RowFailure(1, 0, "two columns are called `" + names.back() + "`; give one of them another name with AS");
        }
        fields.push_back(sdk::Field::text(names.back()));
      }
      return fields;
    }

    bool next(sdk::RowWriter &out) {
      bytes.ready = true; // all of it is here
      if (done) {
        return false;
      }
      ++count;
      const int step = sqlite3_step(rows.get());
      if (step != SQLITE_ROW) {
        done = true;
        if (step != SQLITE_DONE) {
          throw sdk::RowFailure(count, 0, std::string("the database cannot be read on: ") + sqlite3_errmsg(database.get()), true);
        }
        return false;
      }
      for (int i = 0; i < static_cast<int>(names.size()); ++i) {
        const auto field = static_cast<std::size_t>(i);
        if (out.wants(field)) {
          put(i, out[field]);
        }
      }
      out.endRow(count);
      return true;
    }

  private:
    void open() {
      constexpr std::size_t piece = std::size_t{1} << 20;
      for (std::size_t got = piece; got > 0;) {
        const std::size_t size = file.size();
        file.resize(size + piece);
        got = bytes.read(file.data() + size, piece);
        file.resize(size + got);
      }
      if (file.empty()) {
        throw sdk::RowFailure(1, 0, "the file is empty, and no SQLite database");
      }
      if (file.size() < 100 || file.compare(0, mark.size(), mark) != 0) {
        throw sdk::RowFailure(1, 0, "the file is no SQLite database");
      }
      // A page that is not there would be read as zeros, and its rows as NULL.
      const auto byte = [&](std::size_t at) { return static_cast<std::uint64_t>(static_cast<unsigned char>(file[at])); };
      const std::uint64_t given = byte(16) << 8 | byte(17), page = given == 1 ? 65536 : given;
      const std::uint64_t pages = byte(28) << 24 | byte(29) << 16 | byte(30) << 8 | byte(31);
      if (pages * page > file.size()) {
        throw sdk::RowFailure(
            1, 0, "the database is cut off: it has " + std::to_string(file.size()) + " of " + std::to_string(pages * page) + " bytes");
      }
      // Written with a write-ahead log, a database says so here; in memory there is none.
      file[18] = file[19] = 1;
      sqlite3 *opened = nullptr;
      const int code = sqlite3_open_v2(":memory:", &opened, SQLITE_OPEN_READWRITE, nullptr);
      database.reset(opened);
      if (code != SQLITE_OK ||
          sqlite3_deserialize(opened, "main", reinterpret_cast<unsigned char *>(file.data()), static_cast<sqlite3_int64>(file.size()),
                              static_cast<sqlite3_int64>(file.size()), SQLITE_DESERIALIZE_READONLY) != SQLITE_OK) {
        throw sdk::Failure("SQLite cannot open a database in memory");
      }
      sqlite3_limit(opened, SQLITE_LIMIT_ATTACHED, 0); // a query reads this file alone
    }

    Statement prepare(const std::string &sql, bool ofSource) {
      sqlite3_stmt *made = nullptr;
      const char *tail = nullptr;
      const int code = sqlite3_prepare_v2(database.get(), sql.c_str(), static_cast<int>(sql.size()) + 1, &made, &tail);
      Statement statement(made);
      if (code != SQLITE_OK) {
        const bool names = ofSource && source.query.empty();
        throw sdk::RowFailure(1, 0, std::string(sqlite3_errmsg(database.get())) + (names ? "; " + tables() : ""));
      }
      const std::string_view rest = tail == nullptr ? "" : tail;
      const bool alone = rest.find_first_not_of(" \t\r\n;") == std::string_view::npos;
      if (made == nullptr || sqlite3_column_count(made) == 0 || sqlite3_stmt_readonly(made) == 0 || !alone) {
        throw sdk::RowFailure(1, 0, "`query` is no single SELECT");
      }
      return statement;
    }

    std::vector<std::string> tableNames() {
      std::vector<std::string> found;
      const Statement list = prepare(
          "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name", false);
      while (sqlite3_step(list.get()) == SQLITE_ROW) {
        found.emplace_back(reinterpret_cast<const char *>(sqlite3_column_text(list.get(), 0)));
      }
      return found;
    }
    std::string tables() {
      std::string text;
      for (const std::string &name : tableNames()) {
        text += (text.empty() ? "`" : ", `") + name + "`";
      }
      return text.empty() ? "the database has no table" : "the database has " + text;
    }
    std::string onlyTable() {
      const std::vector<std::string> found = tableNames();
      if (found.size() != 1) {
        throw sdk::RowFailure(1, 0, found.empty() ? "the database has no table" : "say which `table` is read: " + tables());
      }
      return found.front();
    }

    void put(int column, sdk::Column &cells) {
      char digits[32];
      switch (sqlite3_column_type(rows.get(), column)) {
      case SQLITE_NULL:
        return; // missing
      case SQLITE_INTEGER:
        cells.add(std::string_view(
            digits,
            static_cast<std::size_t>(std::to_chars(digits, std::end(digits), sqlite3_column_int64(rows.get(), column)).ptr - digits)));
        return;
      case SQLITE_FLOAT:
        cells.add(std::string_view(
            digits,
            static_cast<std::size_t>(std::to_chars(digits, std::end(digits), sqlite3_column_double(rows.get(), column)).ptr - digits)));
        return;
      case SQLITE_BLOB:
        throw sdk::RowFailure(count, 0, "`" + names[static_cast<std::size_t>(column)] + "` holds a BLOB, which is no text and no number");
      default:
        break;
      }
      const auto *const text = reinterpret_cast<const char *>(sqlite3_column_text(rows.get(), column));
      const std::string_view cell(text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_column_bytes(rows.get(), column)));
      if (!sdk::isUtf8(cell)) {
        throw sdk::RowFailure(count, 0, "`" + names[static_cast<std::size_t>(column)] + "` holds a text that is not UTF-8");
      }
      cells.add(cell);
    }

    const Sqlite &source;
    sdk::SourceBytes &bytes;
    std::string file;
    std::unique_ptr<sqlite3, Close> database;
    Statement rows;
    std::vector<std::string> names;
    std::int64_t count = 0;
    bool done = false;
  };

private:
  const std::string table, query;
};

} // namespace

PENSTOCK_SOURCE(Sqlite, "sqlite", "1.0.0")
