// The records of a pipeline's value, ready to be interpreted: names are places in lists, options are those of the readers.
#pragma once

#include "runtime/base/pipeline_value.h"
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
  int second = -1;                                  // of a pair of texts: the column of the second one
  Truncation truncation = Truncation::longestFirst; // of a pair
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
  std::int64_t width = 1; // noise, number
};

/// In place of a feature where an axis is that of the series.
inline constexpr int seriesAxis = -1;

struct RecordProgram {
  RowFormat source = RowFormat::csv; // no lines
  std::string sourceName;            // in the language
  std::shared_ptr<const Source> plugin;
  std::string path;
  std::vector<std::vector<std::string>> files; // in place of `path`, of each split
  CsvOptions csv;
  ConllOptions conll;
  enum class SplitBy { file, hash, order };
  SplitBy splitBy = SplitBy::file;
  std::string splitFrom;             // hash: name in the file of the column whose cells are hashed
  int splitOrder = -1;               // order: the column in whose order splits follow each other
  std::vector<int> dropEmpty;        // columns: a row with an empty cell of one is no record
  std::array<double, 3> shares = {}; // in the order of splitNames
  std::array<bool, 3> wanted = {true, true, true};
  std::vector<ColumnSpec> columns;
  std::vector<LinkedFeature> features; // that are ids
  std::vector<DerivedFeature> derived; // the others
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
  /// Whether all splits are of one file.
  bool isOneFile() const { return splitBy != SplitBy::file; }
  /// Whether units may have rows in several splits.
  bool cutsUnits() const { return isSeries() && splitBy == SplitBy::order; }
  /// Whether the source leaves a row out; its cells are those of `fileColumns`.
  bool drops(const Row &row) const;
  /// Whether an axis of the batch is that of the series.
  bool isSeriesAxis(std::size_t axis) const { return axes[axis] == seriesAxis; }

  std::string fileOf(int split) const;
  /// The split of a record, by the hash of a cell: XXH64 with seed 0 of the cell's bytes, its upper
  /// 53 bits as a fraction of 2^53, against the shares added up in the order train, dev, test. -1:
  /// behind the last share. Fixed for ever.
  int splitOf(std::string_view cell) const;
  /// Names in the file of all columns, one a column, then that of the split column when records are
  /// split by hash.
  std::vector<std::string> fileColumns() const;
  RowOptions rowOptions() const { return {source, csv, conll, plugin}; }
  /// Which of them may hold lists.
  std::vector<bool> listColumns() const;
  /// The columns that a record to predict needs: those that the model reads, of inputs that are no targets, and of a series its unit and
  /// order.
  std::vector<std::size_t> inputColumns() const;
  std::vector<std::size_t> modelColumns() const;
  /// The rows of a file: of one that has all splits those that `split` (-1: any) needs, where their order decides.
  Result<std::unique_ptr<RowSource>> openRows(const std::string &path, int split = -1) const;
};

} // namespace penstock
