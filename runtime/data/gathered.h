// What one pass over the files counts, before it is judged (facts.cpp).
#pragma once

#include "runtime/base/disk_cache.h"
#include "runtime/data/encode.h"
#include "runtime/data/problems.h"
#include "runtime/data/split_ids.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

namespace penstock {

struct ClassValue {
  std::array<std::int64_t, 3> counts = {}; // of records; of sets and tags: of labels and words
  std::array<std::int64_t, 3> rows = {};   // the same, but of a series of its rows
  Place first;
  int firstSplit = 0;
};

struct ColumnFacts {
  std::unordered_map<std::string, ClassValue> values; // class columns
  std::vector<double> train;                          // columns that hold numbers: the values of train, a NaN where there is none
  std::array<std::int64_t, 3> missing = {};
  double least = std::numeric_limits<double>::infinity(), greatest = -least; // of `train`
  std::vector<std::string> absentFrom;                                       // files that lack the column
  bool isAbsentFrom(const std::string &file) const {
    return !absentFrom.empty() && std::find(absentFrom.begin(), absentFrom.end(), file) != absentFrom.end();
  }
  std::vector<std::string> absentHeader; // of the first of them
  std::vector<Place> gaps;               // missing cells of the file that is read, as long as it may lack the column
  std::int64_t gapCount = 0;
};

/// The files of a split, or of all.
struct FileFacts {
  std::vector<std::string> paths;
  int split = -1; // -1: by hash
  bool missing = false, stopped = false;
  std::vector<std::pair<std::string, std::string>> lacking; // paths that are not there or cannot be read, and why: "" is the former
  std::int64_t errors = 0;
  FileStamp stamp;
  Hash128 content;

  /// The first, where one stands for all.
  const std::string &path() const { return paths.front(); }
};

struct Item {
  RowBlock block;
  std::vector<RowError> errors;
  std::vector<PreparedTexts> prepared;
  std::vector<Hash128> hashes;
};

/// As JSON, with as few digits as are read back to the bit. A library's tree and writer for each of thousands costs more than all else.
std::string numberText(double value);

/// Where a unit of a series begins in a file.
struct FirstRow {
  std::int64_t row = 0, line = 0;
  double place = 0;
  Hash128 hash;
  int file = 0;
};

/// Where a row stands in some files, as one number: that of the row where there is one file.
inline constexpr int rowBits = 40;
inline std::int64_t placeInFiles(int file, std::int64_t row) { return static_cast<std::int64_t>(file) << rowBits | row; }
inline Place placeOf(const FileFacts &files, std::int64_t place) {
  return {files.paths[static_cast<std::size_t>(place >> rowBits)], place & ((std::int64_t{1} << rowBits) - 1)};
}

/// The text of one record, as a message shows it.
inline Result<std::string> exampleOf(const RecordProgram &program, const std::string &file, std::int64_t wantedRow) {
  PENSTOCK_ASSIGN(const std::unique_ptr<RowSource> rows, program.openRows({file}));
  Row row;
  RowError error;
  for (;;) {
    PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
    if (step == RowStep::end) {
      return std::string();
    }
    if (step == RowStep::row && row.number == wantedRow) {
      break;
    }
  }
  std::size_t index = 0;
  for (std::size_t i = program.columns.size(); i-- > 0;) {
    const ColumnSpec::Type type = program.columns[i].type;
    index = type == ColumnSpec::Type::text || type == ColumnSpec::Type::words ? i : index;
  }
  std::string text(row.cells.empty() ? std::string_view{} : row.cells[index].text);
  if (!row.cells.empty() && row.cells[index].list) {
    std::replace(text.begin(), text.end(), listEnd, ' ');
    text.resize(text.empty() ? 0 : text.size() - 1);
  }
  return shown(text);
}

} // namespace penstock
