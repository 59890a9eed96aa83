// Rows of CSV (RFC 4180), JSON Lines and CoNLL files, plain lines, and what plugins make of files, streamed.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/bytes.h"
#include "runtime/data/readable.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

struct Cell {
  std::string_view text;
  bool present = false; // false: the record has no such cell (JSON: no key, or null)
  bool list = false;    // `text` is a list: behind each item stands `listEnd`
  bool literal = false; // `text` is a number or a flag of JSON
};

/// A byte that no UTF-8 has, so that items may hold anything.
inline constexpr char listEnd = '\xFF';

/// How a text becomes words where a list is wanted: what stands between White_Space, or with punctuation apart (runtime/text/words.h).
enum class TextWords { space, punctuation };

/// The items of a list, or the words of a text, each a view into the cell.
void itemsOf(const Cell &cell, std::vector<std::string_view> &items, TextWords words = TextWords::space);

/// One record: the selected cells, valid until the next call.
struct Row {
  std::int64_t number = 0; // of the data row in its file, from 1; a header is row 0
  std::int64_t line = 0;   // line of the file on which the row begins, from 1
  int file = 0;            // of several that are read one after the other (makeChainedRows)
  int split = -1;          // that its source puts it into; -1: it does not
  std::vector<Cell> cells; // in the order given to select()
  /// CSV: what a quote too many can do. `lines`: a quoted cell holds a line end and a delimiter; `rows`: it also reads, line by line, like
  /// the end of a row, perhaps whole rows, and the beginning of one.
  enum class Span { none, lines, rows } span = Span::none;
};

/// What is wrong with a row that was left out.
struct RowError {
  enum class Kind {
    fieldCount,        // expected, found; `width` says whose
    strayQuote,        // a quote inside an unquoted field, or text after a closing quote
    unterminatedQuote, // the file ends inside quotes
    tooLong,           // longer than ByteWindow::limit
    notUtf8,           // `byte` is its offset in the file, `value` the byte, `detail` an encoding that the row fits
    notJson,           // `detail` says why
    notAnObject,       // a JSON line that is no object
    nestedValue,       // a selected key holds an array or object; `detail` is the key
    notWords,          // a selected list holds something else than strings; `detail` is the key
    notAList,          // a selected cell looks like a list and is no JSON array; `detail` is the key, `remedy` what it is
    notDecimal,        // a cell of a number, `remedy`, has dots where `decimal: ","` allows none; `detail` is the column
    notText,           // the file is `detail`; `remedy` says what to do about it
    duplicateColumn,   // the header names `detail` twice
    ofSource           // what a plugin says: `detail`
  };
  Kind kind = Kind::fieldCount;
  std::int64_t row = 0, line = 0, column = 0; // column: Unicode scalars of the line, from 1; 0: the whole row
  int file = 0;                               // as Row::file
  std::int64_t byte = -1;
  int value = 0;
  std::int64_t expected = 0, found = 0;
  enum class Width { header, firstRow, listed } width = Width::header; // fieldCount: of what `expected` is
  bool last = false;                                                   // nothing behind it can be read
  std::string detail, remedy;

  /// A word for machines: "fields", "stray-quote", ...
  const char *reason() const;
  /// A sentence without place: "the row has 3 fields where the header has 4".
  std::string sentence() const;
  /// "FILE:LINE:COLUMN: sentence", as `file` names it.
  std::string inFile(const std::string &file) const;
};

enum class RowStep { row, error, end };

/// The error, its last, of a file that is no text.
RowError notText(const ForeignFormat &foreign);

class RowSource {
public:
  virtual ~RowSource() = default;
  /// Reads the header (CSV: its fields; JSON Lines: empty, see namesSeen). An error of the header
  /// comes from next().
  virtual Status begin() = 0;
  /// CSV: the header. JSON Lines: all keys so far, in the order of their first appearance.
  virtual const std::vector<std::string> &names() const = 0;
  /// Chooses the cells that rows give. Call after begin(). A name that the source lacks gives
  /// absent cells. `lists` (empty, or one a column) says which columns may hold lists.
  virtual void select(const std::vector<std::string> &columns, const std::vector<bool> &lists = {}) = 0;
  /// The next row, or an error of one row (reading can go on), or the end. Status: reading itself
  /// failed.
  virtual Result<RowStep> next(Row &row, RowError &error) = 0;
  /// False where nothing of the next row is there yet, so that next() would wait for a stream.
  virtual bool ready() = 0;
};

struct CsvOptions {
  char delimiter = ',';
  bool quotes = true;               // false: a quote is a character as any other
  bool header = true;               // false: the first row is a record, and columns are known by their numbers
  std::int64_t skip = 0;            // lines before the header
  char decimal = '.';               // ',': of cells of `numbers`, dots stand between groups of three digits
  std::vector<std::string> numbers; // names of the columns that hold numbers
};

struct ConllOptions {
  std::vector<std::string> columns; // names of the columns of a line, in their order
  std::string comment;              // a line that begins so before the first word of a record is skipped; empty:
                                    // none does
};

enum class RowFormat { lines, csv, jsonl, conll, plugin };

class Source; // runtime/plugin/plugin_host.h

struct RowOptions {
  RowFormat format = RowFormat::csv;
  CsvOptions csv;
  ConllOptions conll;
  std::shared_ptr<const Source> plugin;
};

/// Where the column stands that `wanted` names: by its name, else as `#3`, which is the third; -1 where there is none.
std::ptrdiff_t columnAt(const std::vector<std::string> &names, std::string_view wanted);

// In all of them but those of plugins a line ends with LF, CR LF or a CR alone, a byte order mark may stand at the beginning, and a file
// that is no text is one error, its last.

/// Rows of a format. Where select() says that a cell may hold a list, one whose text is a JSON array of strings is that list, and one
/// that only looks like a list is an error of its row.
std::unique_ptr<RowSource> makeRows(std::unique_ptr<ByteSource> bytes, const RowOptions &options);

/// In a file of one column a line of nothing is a record, in one of more it is skipped. Columns without a header are `#1`, `#2`, ...; a
/// header may have several that are empty.
std::unique_ptr<RowSource> makeCsvRows(std::unique_ptr<ByteSource> bytes, const CsvOptions &options);
/// A word a line, its columns between runs of spaces and tabs; a line of nothing else ends the
/// record. Every cell is a list of one item a line; word k of a record stands on line `Row::line` +
/// k. Records whose first column is -DOCSTART- are no records. A record with malformed lines is
/// left out: each of them is an error.
std::unique_ptr<RowSource> makeConllRows(std::unique_ptr<ByteSource> bytes, const ConllOptions &options);
std::unique_ptr<RowSource> makeJsonLines(std::unique_ptr<ByteSource> bytes);
/// As the plugin makes them.
std::unique_ptr<RowSource> makePluginRows(std::unique_ptr<ByteSource> bytes, std::shared_ptr<const Source> source);
/// Several files as one, in their order: `open` makes the rows of each, not yet begun. `names` are those of
/// the first, and of all that were read to their end; the columns of each may stand in another order.
std::unique_ptr<RowSource> makeChainedRows(std::vector<std::string> paths,
                                           std::function<Result<std::unique_ptr<RowSource>>(const std::string &path)> open);
/// Every line is a record of one cell, whatever its selected name; an empty line too.
std::unique_ptr<RowSource> makePlainLines(std::unique_ptr<ByteSource> bytes);
/// Whether a text is a list, or looks like one, as makeRows() judges the cells of columns that may hold lists.
bool readsLikeList(std::string_view text);
/// Reads cells that are texts and hold lists, as makeRows() says.
std::unique_ptr<RowSource> readListCells(std::unique_ptr<RowSource> rows);

} // namespace penstock
