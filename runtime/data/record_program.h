// The records of a pipeline's value, ready to be interpreted: names are places in lists, options are those of the readers.
#pragma once

#include "runtime/base/hash.h"
#include "runtime/base/pipeline_value.h"
#include "runtime/base/record_graph.h"
#include "runtime/base/splits.h"
#include "runtime/base/status.h"
#include "runtime/data/data_plugins.h"
#include "runtime/data/derived.h"
#include "runtime/data/pairs.h"
#include "runtime/data/rows.h"
#include "runtime/data/tags.h"
#include "runtime/text/clean.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

inline constexpr int trainSplit = 0;
/// Index into splitNames, or -1.
int splitIndex(std::string_view name);

/// A feature of ids.
struct LinkedFeature {
  std::string name, axis;
  int column = 0; // of type text or words
  bool cutFromWords = false;
  TextWords words = TextWords::space, wordsAlone = TextWords::space; // of texts: beside tags, as those of splits are; without them
  int second = -1;                                                   // of a pair of texts: the column of the second one
  Truncation truncation = Truncation::longestFirst;                  // of a pair
  std::vector<CleanOptions> cleans;
  std::string plugin, parameters; // parameters: JSON text
  std::int64_t maxLength = -1;    // -1: no limit

  bool isPair() const { return second >= 0; }
  std::size_t textsEach() const { return isPair() ? 2 : 1; } // of a record
  std::size_t columnOf(std::size_t text) const { return static_cast<std::size_t>(text == 0 ? column : second); }
};

struct LinkedInput {
  std::string name;
  InputSpec::Kind kind = InputSpec::Kind::ids;
  int feature = -1, column = -1; // ids: a feature; tags: both; noise: none; else a column, or
  int derived = -1;              // class, number: a derived feature
  int axis = -1;                 // index into RecordProgram::axes, of ids, tags, and numbers of a series
  bool target = false;
  bool weighs = false;
  std::int64_t width = 1; // noise, number
};

/// An operator on the rows of the source.
struct LinkedRowStep {
  const RowOperator *row = nullptr;
  /// Of a column: the cells that are meant, or those that are empty.
  struct Cells {
    std::size_t column = 0;
    bool empty = false;
    std::vector<std::string> texts;
  };
  std::vector<Cells> cells;
  std::vector<std::size_t> columns; // of one that takes columns
};

/// In place of a feature where an axis is that of the series.
inline constexpr int seriesAxis = -1;

struct RecordProgram {
  RowFormat source = RowFormat::csv; // no lines
  std::string sourceName;            // in the language
  std::shared_ptr<const Source> plugin;
  std::string path;
  std::vector<std::vector<std::string>> files; // in place of `path`: of each split, or of all where splits are cut from them
  Encoding encoding = Encoding::utf8;
  std::int64_t skipBad = 0; // rows with mistakes that may be left out
  CsvOptions csv;
  ConllOptions conll;
  enum class SplitBy { file, hash, order };
  SplitBy splitBy = SplitBy::file;
  int splitColumn = -1;  // hash: the column whose cells are hashed; -1: it is not declared, or
  std::string splitFrom; // ... has this name in the file; "": what equal records agree in is hashed
  int stratify = -1;     // hash: the column of classes, each of which is split for itself; -1
  int splitOrder = -1;   // order: the column in whose order splits follow each other
  std::vector<LinkedRowStep> rowSteps;
  std::array<double, 3> shares = {}; // in the order of splitNames
  std::int64_t folds = 0, fold = 0; // hash: the parts of what is not test, and which of them is dev, none where it is `folds`; 0: by shares
  std::array<bool, 3> wanted = {true, true, true};
  std::vector<ColumnSpec> columns;
  std::vector<std::pair<int, RowError>> tableErrors; // of tables of `map`, by column
  std::vector<TextWords> textWords;                  // of each column: how texts of splits become words
  std::vector<LinkedFeature> features;               // that are ids
  std::vector<DerivedFeature> derived;               // the others
  std::vector<LinkedInput> inputs;
  std::string fitted;    // folder of an earlier fit, to be used instead of fitting on train; ""
  bool grown = false;    // classes of targets that it lacks stand behind its own
  std::vector<int> axes; // features that are axes of a batch, or `seriesAxis`, in the order in which `inputs` names them first
  SeriesSpec series;
  int seriesBy = -1, seriesOrder = -1; // columns
  std::string identity;                // recordsIdentity, and that of a plugin which is the source

  /// Without `plugins` a file can be read only where the source is none.
  static Result<RecordProgram> link(const RecordsSpec &records, DataPlugins *plugins = nullptr);

  bool isSeries() const { return seriesBy >= 0; }
  /// The column that says what each record counts, or -1.
  int weightColumn() const;
  /// Whether all splits are of one file.
  bool isOneFile() const { return splitBy != SplitBy::file; }
  /// Whether units may have rows in several splits.
  bool cutsUnits() const { return isSeries() && splitBy == SplitBy::order; }
  /// Whether which rows of a split are records depends on the files of splits before it.
  bool comparesFiles() const;
  /// Whether an axis of the batch is that of the series.
  bool isSeriesAxis(std::size_t axis) const { return axes[axis] == seriesAxis; }

  /// The files of a split, one behind the other; those of all where splits are cut from them. None of a split that is not there.
  std::vector<std::string> filesOf(int split) const;
  /// The first of them, or "".
  std::string fileOf(int split) const;
  /// Records are dealt out to parts: the splits, or the folds and then test.
  std::size_t parts() const;
  double shareOfPart(std::size_t part) const;
  int splitOfPart(std::size_t part) const;
  /// The split of a record, by the hash of its key (SplitKeys): XXH64 with seed 0 of the key's bytes, its upper 53 bits as a fraction of
  /// 2^53, against the parts added up. -1: behind the last part. Fixed for ever.
  int splitOf(std::string_view key) const;
  /// Names in the file of all columns, one a column, then that of the split column where it is not declared.
  std::vector<std::string> fileColumns() const;
  RowOptions rowOptions() const { return {source, csv, conll, plugin}; }
  /// Which of them may hold lists.
  std::vector<bool> listColumns() const;
  /// The columns that a record to predict needs: those that the model reads, of inputs that are no targets, and of a series its unit and
  /// order.
  std::vector<std::size_t> inputColumns() const;
  std::vector<std::size_t> modelColumns() const;
  /// The rows of a split; where all splits are of some files, those that `split` (-1: any) needs. Each says which operator of the source
  /// removes it. The program outlives them.
  Result<std::unique_ptr<RowSource>> openRows(int split) const;
  /// Of some files as they stand, one behind the other, without operators on rows and without splits.
  Result<std::unique_ptr<RowSource>> openFiles(const std::vector<std::string> &paths) const;
  /// Of one file likewise, not begun.
  Result<std::unique_ptr<RowSource>> openFile(const std::string &path) const;
};

/// What tells that one of some files was written to.
FileStamp stampOf(const std::vector<std::string> &paths);
/// Of the bytes of some files: of one those of hashPath.
Result<Hash128> hashOf(const std::vector<std::string> &paths);

} // namespace penstock
