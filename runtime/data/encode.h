// From rows to values: blocks of rows, cleaned texts, ids, numbers. The one path that training,
// evaluation and prediction use.
#pragma once

#include "runtime/data/data_plugins.h"
#include "runtime/data/record_program.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

/// Rows copied out of a source. Cells in the order of RecordProgram::fileColumns.
class RowBlock {
public:
  void clear(std::size_t columns);
  void add(const Row &row, int split);
  /// Adds a row of another block of as many columns.
  void add(const RowBlock &from, std::size_t row);
  /// Leaves out the rows that are not to be kept.
  void keep(const std::vector<bool> &kept);
  std::size_t rows() const { return splits.size(); }
  Cell cell(std::size_t row, std::size_t column) const;
  /// A row as it was added; its cells view the block.
  void read(std::size_t row, Row &to) const;
  std::size_t bytesHeld() const { return bytes.size(); }
  std::vector<std::int64_t> numbers, lines; // of each row: number of the data row, line of the file
  std::vector<int> splits, files;
  std::array<std::int64_t, 3> dropped = {};                // rows that are no records, by split
  std::int64_t bad = 0;                                    // rows with mistakes, of a source that may leave some out
  std::vector<std::pair<std::size_t, Row::Span>> spanning; // the rows that have a span

private:
  struct Place {
    std::size_t offset, size;
    bool present, list, literal;
  };
  std::size_t width = 0;
  std::string bytes;
  std::vector<Place> places;
};

/// Fills `block` with the next rows; those of another split than `split` (-1: any), and those that the source drops, are left out. `rows`:
/// of RecordProgram::openRows, for that split; what it gives of an earlier one, of units that several have, stays. Errors of rows are
/// appended to `errors`, but for those that `bad` counts where `skips` says so. False at the end, when nothing was read.
Result<bool> readBlock(const RecordProgram &program, RowSource &rows, int fileSplit, int split, RowBlock &block,
                       std::vector<RowError> &errors, bool skips = true);

/// Cleaned texts of one feature; each views the block or memory of this object. A record has one text, the
/// two of a pair one after the other, or a text a word, `wordCounts` of them.
class PreparedTexts {
public:
  void begin(const LinkedFeature &feature);
  /// The cell of one record; `alone`: without tags beside it.
  void add(const ColumnSpec &column, const Cell &cell, bool alone = false);
  /// Makes `texts` valid; call after the last add().
  void finish();
  std::size_t records() const { return feature->cutFromWords ? wordCounts.size() : texts.size() / feature->textsEach(); }
  std::vector<std::string_view> texts;
  std::vector<std::int32_t> wordCounts;

private:
  void addText(std::string_view raw);

  const LinkedFeature *feature = nullptr;
  std::vector<CleanScratch> scratch;
  std::string arena;
  std::vector<std::string_view> items;
  std::vector<std::pair<std::size_t, std::size_t>> copied; // index of a text, its offset in the arena
};

struct EncodedTexts {
  Tokenizer::Tokens tokens; // as the tokenizer gave them
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> lengths; // one a record
  std::vector<std::int32_t> rowWord; // of features cut from words: see PenstockAxisBatch::row_word
  std::vector<std::int32_t> firsts;  // of pairs: how many of a record's ids belong to its first text
  std::int64_t cut = 0;              // records
  std::int64_t stuck = -1;           // the first record that `truncate` cannot make short enough
};

/// How many ids of a record are special tokens.
std::int64_t specialTokensOf(const LinkedFeature &feature, const Tokenizer &tokenizer);
/// "`first` ...": why a record is stuck, for people.
std::string stuckSentence(const LinkedFeature &feature);

/// The ids of records: the tokenizer's special tokens around the text, or around and between the two of
/// a pair, cut so that the whole has at most max_length ids; one unknown id for a record without any. The
/// words of a record are encoded one by one, as Hugging Face's `is_split_into_words`; one that gives no
/// ids, or lies behind the cut, has no row. Every id is checked against the vocabulary, because embeddings
/// index by it. Where a record is `stuck` the ids end there.
Status encodeTexts(const LinkedFeature &feature, const Tokenizer &tokenizer, const PreparedTexts &prepared, EncodedTexts &out);

enum class CellState { value, filled, missing, bad };
/// What a cell is for its column. `filled`: missing, and the column says that it may be.
CellState judgeCell(const ColumnSpec &column, const Cell &cell);
/// The class that the cell of a class column names; one that counts as missing is of the class of these.
std::string_view classOf(const ColumnSpec &column, const Cell &cell);
/// Likewise of a column that holds numbers, and reads it; a NaN where there is none.
CellState readNumber(const ColumnSpec &column, const Cell &cell, double &number);
/// The labels of a set's cell, each once, in their order: the items of a list, or what stands between separators, without spaces and
/// tabs around it; nothing is no label.
void labelsOf(const ColumnSpec &column, const Cell &cell, std::vector<std::string_view> &labels);
/// The text of a cell: the words of a list with a space between them; empty where it is missing by rule.
std::string textOf(const ColumnSpec &column, const Cell &cell);

/// Checks that all lists of a record are as long as its first one. Index into
/// RecordProgram::columns of one that is not, or -1.
int unequalList(const RecordProgram &program, const RowBlock &block, std::size_t row, std::vector<std::string_view> &scratch,
                std::size_t counts[2]);

} // namespace penstock
