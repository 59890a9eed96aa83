// The records of one split as columns in one mapped file: ids with their offsets, classes, numbers.
// This is the id cache.
#pragma once

#include "runtime/base/disk_cache.h"
#include "runtime/data/fitted.h"
#include "runtime/data/record_program.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

struct SplitIds {
  struct Axis {
    const std::int32_t *ids = nullptr;
    const std::int64_t *offsets = nullptr; // records + 1
    const std::int32_t *rowWord = nullptr; // of features cut from words, one a token
    const std::int32_t *firsts = nullptr;  // of pairs: how many of a record's ids belong to its first text
    std::int64_t tokens = 0, cut = 0, longest = 0;
  };
  struct Tags {
    const std::int32_t *tags = nullptr;    // one a word
    const std::int64_t *offsets = nullptr; // records + 1
  };
  /// Of a set column: the labels of records that are among `others`, in the order of the records.
  struct OtherLabels {
    const std::int64_t *records = nullptr;
    const std::int32_t *labels = nullptr; // places in `others`
    std::int64_t count = 0;
  };
  std::shared_ptr<MappedFile> file;
  std::int64_t records = 0;             // of a series: rows
  const std::int64_t *units = nullptr;  // of a series: where the rows of each unit begin, and the end of the last
  const std::int64_t *before = nullptr; // of each unit: how many of its rows are of earlier splits, and only begin records
  std::int64_t unitCount = 0;
  std::vector<Axis> features;                       // one a feature of the record program
  std::vector<const std::int32_t *> classes;        // one a column; NULL for other columns
  std::vector<const double *> numbers;              // likewise, of columns that hold numbers
  std::vector<const float *> derived;               // one a derived feature: records x width; NULL of an index
  std::vector<const std::int32_t *> derivedIndices; // likewise of an index
  std::vector<const std::uint8_t *> sets;           // likewise: records x labels
  std::vector<OtherLabels> otherLabels;             // likewise
  std::vector<Tags> tags;                           // likewise
  /// Likewise: classes, labels or tags of this split that are none of the column's. Classes and tags from the number of the column's
  /// on are these; -1 is a class of a cell that has none.
  std::vector<std::vector<std::string>> others;
};

/// A number that an operator does not take; the first of its feature and split.
struct RefusedNumber {
  std::size_t feature = 0, step = 0, column = 0; // feature: derived; column: of the record program
  std::int64_t row = 0, line = 0;
  double value = 0;
  int file = 0;
};

struct SplitRequest {
  const RecordProgram *program = nullptr;
  Fitted *fitted = nullptr;
  DataPlugins *factory = nullptr; // makes the tokenizers of `fitted` where the ids are not in the cache
  int split = 0;
  Hash128 content; // of the split's files
  FileStamp stamp; // taken before it was hashed; a file that changed since is read, and not cached
  int threads = 1;
  bool strict = true;                            // false: rows and cells with mistakes are left out or become -1 and NaN, and
                                                 // nothing is cached
  std::vector<RefusedNumber> *refused = nullptr; // where given, numbers that an operator does not take are listed, not an error, and
                                                 // nothing is cached where there are any
};

/// From the cache, or read, cleaned and tokenized now in bounded memory. `strict`: the first
/// mistake in the data is an invalid-input error that names file, line and column.
Result<SplitIds> openSplit(const SplitRequest &request, const DiskCache &cache);

/// A mistake as a sentence with its place: "FILE:LINE:COLUMN: ...".
Status rowErrorStatus(const std::string &file, const RowError &error);

} // namespace penstock
