// From files to batches: the interpreter of the record program (docs/design/record_program.md).
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/pipeline_value.h"
#include "runtime/base/status.h"
#include "runtime/data/bytes.h"
#include "runtime/data/fitted_folder.h"
#include "runtime/data/rows.h"
#include "runtime/plugin/plugin_host.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Reads and checks all files once and returns the facts (JSON); cached by content hash in `cacheFolder` ("" = no cache). `earlier`: what
/// `records.fitted` stands for, where it lies in memory.
Result<std::string> gatherFacts(const RecordsSpec &records, PluginHost &host, const std::string &cacheFolder,
                                const FittedFolder *earlier = nullptr);

/// Everything fitted on train, as it is kept in RUN/fitted/: states of tokenizers, class names, number statistics.
/// `folder` is written (atomically) by fit and read by open. Gives the hashes of the files. `earlier`: what `records.fitted` stands for,
/// where it lies in memory; that is not written, but held by what is given.
Result<FittedFolder> writeFitted(const RecordsSpec &records, const std::string &facts, const std::string &folder,
                                 const FittedFolder *earlier = nullptr);

/// One split as columns ready to batch: ids of every record (from the id cache, or tokenized now on worker threads), classes
/// and numbers. Immutable.
class Dataset {
public:
  struct Options {
    FittedFolder fitted; // what writeFitted wrote
    std::string cache;   // id cache, "" = none
    int threads = 1;
    bool lastOnly = false; // of a series: only the last record of each unit
  };
  static Result<std::shared_ptr<const Dataset>> open(const RecordsSpec &records, const std::string &split, PluginHost &host,
                                                     const Options &options);
  virtual ~Dataset() = default;
  virtual std::int64_t records() const = 0;
  virtual std::int64_t tokens() const = 0; // real tokens of all axes
  /// Gold values of a target column: class indices (from the number of `classNames` on: those of `otherClasses`; -1: none), or numbers.
  virtual const std::vector<std::int32_t> &classesOf(const std::string &column) const = 0;
  virtual const std::vector<double> &numbersOf(const std::string &column) const = 0;
  /// Of a set column: records x labels, 1 for the labels of a record.
  virtual const std::vector<std::uint8_t> &setsOf(const std::string &column) const = 0;
  /// Of a set column: the labels of records that are among `otherClasses`, in the order of the records.
  struct OtherLabels {
    const std::int64_t *records = nullptr;
    const std::int32_t *labels = nullptr; // places in `otherClasses`
    std::int64_t count = 0;
  };
  virtual OtherLabels otherLabelsOf(const std::string &) const { return {}; }
  /// Names of the classes, tags, or labels of a set, that train has, and of those that only this split has.
  virtual std::vector<std::string> classNames(const std::string &column) const = 0;
  virtual std::vector<std::string> otherClasses(const std::string &) const { return {}; }
  /// Gold tags of the words of a target column, indices like those of classes: those of record r stand at [offsets[r],
  /// offsets[r + 1]). NULL where the column has no tags.
  struct Tags {
    const std::int32_t *tags = nullptr;
    const std::int64_t *offsets = nullptr;
  };
  virtual Tags tagsOf(const std::string &) const { return {}; }
  /// What leads to that result of a feature on a target column; the result itself where there is no such feature.
  virtual double invert(const std::string &, double result) const { return result; }
};

/// The tokenizer of a feature, as it was fitted.
Result<std::shared_ptr<const Tokenizer>> tokenizerOf(const std::shared_ptr<const Dataset> &dataset, const std::string &feature,
                                                     PluginHost &host);
/// Of each id of a feature's tokenizer, how many records of the split have it; 0 of the unknown one, which stands for many.
Result<std::vector<std::int64_t>> documentsOf(const std::shared_ptr<const Dataset> &dataset, const std::string &feature, PluginHost &host);

/// Leads results of a feature on a target column back to the column, with what is kept in `fitted`.
Result<std::function<double(double)>> inverseOf(const RecordsSpec &records, const FittedFolder &fitted, const std::string &feature);

/// The words of a batch's records, for an axis that is cut from words. Views hold until the next batch.
struct BatchWords {
  std::vector<std::int64_t> offsets; // records + 1, into `words`
  std::vector<std::string_view> words;
  std::vector<std::string_view> texts; // of each record, where the words were cut from a text; the words view into it
};

/// The texts of a split's records, in the order of its Dataset: the cells of the first text column that the model reads, as they
/// stand in the file; empty ones where it reads none.
class TextReader {
public:
  static Result<std::unique_ptr<TextReader>> open(const RecordsSpec &records, const std::string &split, PluginHost &host);
  virtual ~TextReader() = default;
  /// The next record; `row` is the number of its data row in the file, from 1. False at the end.
  virtual Result<bool> next(std::string &text, std::int64_t &row) = 0;
};

/// One batch; `view` points into it.
struct Batch {
  PenstockBatch view{};
  std::int64_t epoch = 0, step = 0;  // of the plan, from 0
  std::int64_t tokens = 0;           // real tokens
  std::vector<std::int64_t> records; // indices into the dataset
  std::vector<BatchWords> words;     // of records to predict, one an axis; empty where it is not cut from words
  virtual ~Batch() = default;
};

/// Batches of a dataset in a seeded, seekable order, collated ahead of the consumer on a thread of its own. After the first
/// epoch no memory is allocated on the consumer's side.
class BatchStream {
public:
  struct Plan {
    std::int64_t batch = 32;
    bool shuffle = false; // a new permutation each epoch, a function of (seed, epoch) alone
    std::uint64_t seed = 0;
    std::int64_t firstStep = 0; // resume: continue as if the steps before had run
    std::int64_t lastStep = -1; // one past the last; -1: the end of one epoch
    int ahead = 4;
    std::int64_t together = 1; // the most batches that are asked for at once
    bool trains = false;       // the batches asked for at once are a step, for which noise is drawn anew
  };
  static Result<std::unique_ptr<BatchStream>> start(std::shared_ptr<const Dataset> dataset, const Plan &plan);
  virtual ~BatchStream() = default;
  /// The next batch, or NULL after the last. It stays valid until the next call.
  virtual Result<const Batch *> next() = 0;
  /// The next batches, at most `count`, fewer at the end. They stay valid until the next call.
  virtual Result<std::span<const Batch *const>> next(std::int64_t count) = 0;
};

/// Where records to predict come from.
struct RecordInput {
  std::unique_ptr<ByteSource> bytes;
  std::string path;          // its extension counts; "" is standard input
  std::string format;        // what was asked for: lines, csv, tsv, jsonl, conll, the run's source; "": to be decided (input_format.h)
  std::string encoding = {}; // what was asked for: of readable.h; "" to be decided (input_format.h)
  std::string standing = {}; // the form where nothing else tells (input_format.h); ""
  std::uint64_t seed = 0;    // of noise
  bool sort = false;         // of a series: rows of a unit need not stand together; all are held in memory
  std::vector<std::string> with = {};        // columns of the input that are handed on: Part::with
  bool counts = false;                       // statistics are wanted
  bool echoes = false;                       // names and gold of the records are handed on where the input has them: Part::echoed
  std::unique_ptr<RowSource> rows = nullptr; // in place of bytes: rows that are there already
};

/// What records need to become batches, read and made once: see record_reader.h.
struct ReadyRecords;
Result<std::shared_ptr<const ReadyRecords>> readyRecords(const RecordsSpec &records, const FittedFolder &fitted, PluginHost &host);

/// Encodes raw records for predict. A record is a row of CSV, an object of JSON Lines, a record of CoNLL, or a line; its number
/// counts from 1.
class RecordReader {
public:
  struct Failure {
    std::int64_t record = 0;
    std::string text; // "INPUT:LINE:COLUMN: what is wrong"
  };
  struct Part {
    const Batch *batch = nullptr;      // the good records, targets NULL; NULL where there are none
    std::vector<std::int64_t> records; // their numbers; of a series: those of their last rows
    std::vector<std::int64_t> firsts;  // of a series: the numbers of their first rows
    std::vector<std::string> units;    // of a series: the unit of each record
    std::vector<Cell> with;            // cells of RecordInput::with, record after record; of a series: of the record's last row
    std::vector<Cell> echoed;          // likewise, those of echoed()
    std::vector<Failure> failures;     // the others, in order
  };
  /// Columns of the pipeline that are handed on of each record: those that name it, and those that the model is to predict.
  struct Echoed {
    std::vector<ColumnSpec> ids, gold; // the cells of `ids` come first
  };
  static Result<std::unique_ptr<RecordReader>> open(std::shared_ptr<const ReadyRecords> records, RecordInput input);
  virtual ~RecordReader() = default;
  /// The next records, at most `limit`, or NULL at the end. A failure ends the input: no record behind it can be read, and all
  /// before it have been given.
  virtual Result<const Part *> next(std::int64_t limit) = 0;
  /// None where they are not wanted, or the input cannot have them. Of JSON Lines a record may lack one.
  virtual const Echoed &echoed() const = 0;
  /// What a person should know when all is read; "" is nothing.
  virtual std::string remark() const = 0;
  /// How what was read so far differs from train, as one JSON object (InputCounts::json); "" where it was not wanted.
  virtual std::string statistics() const = 0;
};

} // namespace penstock
