// What tells that inputs are no longer like train, counted (docs/design/drift.md): missing cells, unknown classes, numbers outside of
// train's range, and unknown ids of tokenizers. Counts alone are kept, of train in the run and of an input in its statistics.
#pragma once

#include "runtime/data/encode.h"
#include "runtime/data/fitted.h"
#include "runtime/data/record_program.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// Of the cells of a column.
struct ColumnCounts {
  std::int64_t missing = 0;
  std::int64_t unknown = 0; // of classes: those that train lacks
  // Of numbers: train's range, empty where it has none, and how many lie outside of it.
  double least = std::numeric_limits<double>::infinity(), greatest = -least;
  std::int64_t below = 0, above = 0;

  bool hasRange() const { return least <= greatest; }
};

/// Of the ids of a feature, without the special tokens around them. A text without any token counts as one unknown token, as the model
/// reads it.
struct TokenCounts {
  std::int64_t tokens = 0, unknown = 0;

  double share() const { return tokens == 0 ? 0 : static_cast<double>(unknown) / static_cast<double>(tokens); }

  void add(const LinkedFeature &feature, const Tokenizer &tokenizer, const std::int32_t *ids, std::int64_t count, std::int64_t records);
};

/// Whether a cell, which was judged, counts as missing, whatever stands in for it.
bool countsAsMissing(const ColumnSpec &column, const Cell &cell, CellState state);

/// Those of the columns that the model reads, and of its features, in train: the text of fitted/counts.json. `columns`: one a column of the
/// program; `features`: one a feature.
std::string countsText(const RecordProgram &program, std::int64_t rows, const std::vector<ColumnCounts> &columns,
                       const std::vector<TokenCounts> &features);

/// Counts an input.
class InputCounts {
public:
  /// Reads what the run keeps of train. Program and what is fitted outlive it.
  static Result<std::unique_ptr<InputCounts>> open(const RecordProgram &program, const Fitted &fitted);

  /// What the run keeps of train: nothing of one that keeps no counts.
  const TokenCounts &ofTrain(std::size_t feature) const { return trainFeatures[feature]; }

  /// A row of the input: `cells` are those of `program.inputColumns()`. `isKnown`: whether train has the class in the cell of a column.
  void addRow(const std::vector<Cell> &cells, const std::function<bool(std::size_t column, const Cell &cell)> &isKnown);
  void addTokens(std::size_t feature, const EncodedTexts &texts);
  /// One JSON object: each count, its share, and the share that train had, null of a run that does not keep it.
  std::string json() const;

private:
  InputCounts(const RecordProgram &program, const Fitted &fitted) : program(program), fitted(fitted) {}
  Status readTrain(const std::string &text);

  const RecordProgram &program;
  const Fitted &fitted;
  std::vector<std::size_t> counted, places; // columns of the program, and where their cells stand in a row
  std::int64_t rows = 0, trainRows = -1;
  std::vector<ColumnCounts> columns, train;
  std::vector<TokenCounts> features, trainFeatures;
};

} // namespace penstock
