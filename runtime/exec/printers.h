// Printers of answers: they know the elements and shapes of columns alone, not what they mean.
//
// JSON: a number, a flag, a text, the name of a class (null for none), an object of a struct, a list of a list, an object by class of
// what has an element a class, else a list, of what is wide; what is missing is left out. CSV (RFC 4180): a column a field, of a struct
// `FIELD.MEMBER`, of what is wide `FIELD.CLASS` or `FIELD.0` and so on; a list is one cell of JSON; what is missing, and no class, is an
// empty cell.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/plugin/columns.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// The answers of a pipeline to some records: each by its name.
struct PrintedAnswer {
  std::string name;
  const Schema *schema = nullptr;
  const std::vector<Column> *columns = nullptr;
};

/// Lines of a file of answers.
class Printer {
public:
  virtual ~Printer() = default;
  /// What stands before all records; "" is no line.
  virtual std::string header() const { return {}; }
  /// The names that lines have beside those of columns that are handed on by name, which differ from them. What is echoed gives way to
  /// both.
  virtual std::vector<std::string> names() const = 0;
  /// The answers to the record at `index` of the part, appended to `line`. A number that is not finite, which neither form has, is an
  /// error.
  virtual Status record(const RecordReader::Part &part, std::int64_t index, std::string &line) const = 0;
  /// The line of a record that has no answer.
  virtual std::string failure(const RecordReader::Failure &failure) const = 0;
};

/// What lines have of the input beside the number of the record.
struct PrintedInput {
  std::vector<std::string> with; // the names of what RecordReader::Part::with has of each record; it stands before the answers
  RecordReader::Echoed echoed;   // of what Part::echoed has; it stands behind them
};

/// `{"row": N, ...}` a line, or of a record of several rows `{"unit": NAME, "rows": [FIRST, LAST], ...}`. `answers` are read at each
/// record. Behind them stand `"ids": {...}` and `"gold": {...}`, where the record has some.
std::unique_ptr<const Printer> jsonPrinter(std::vector<PrintedAnswer> answers, PrintedInput input = {});
/// `row`, the fields, and `error`; of records of several rows (`series`) `unit`, `first_row` and `row`, which is the last one. Of several
/// answers the fields have the answer's name and a dot before them. Behind `error` stand `id.NAME` and `gold.NAME`.
std::unique_ptr<const Printer> csvPrinter(std::vector<PrintedAnswer> answers, bool series, PrintedInput input = {});
/// A word and its tag a line, a line of nothing behind each record; of a record without an answer `# row N: why`. `axis`: that of the words
/// of each batch. A usage error where none of the answers has tags, or several have.
Result<std::unique_ptr<const Printer>> conllPrinter(std::vector<PrintedAnswer> answers, std::size_t axis);

} // namespace penstock
