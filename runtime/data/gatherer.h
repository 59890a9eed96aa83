// Gathers the facts: one pass over the files (facts.cpp; units of a series: gather_series.cpp), then a judgement of what it counted
// (judge.cpp).
#pragma once

#include "runtime/base/cores.h"
#include "runtime/data/facts.h"
#include "runtime/data/fitted.h"
#include "runtime/data/gathered.h"
#include "runtime/data/input_counts.h"
#include "runtime/data/overlap.h"
#include "runtime/data/series.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace penstock {

class Gatherer {
public:
  Gatherer(const RecordProgram &program, DataPlugins &factory, const FactsOptions &options)
      : program(program), factory(factory), cache(options.cache), threads(options.threads > 0 ? options.threads : usableCores()),
        held(options.earlier), overlap(options.cache, options.overlapEntries), columns(program.columns.size()),
        removed(program.rowSteps.size()) {}

  Result<std::string> run();

private:
  Result<Hash128> key();
  std::string cached(const Hash128 &key) const;
  Status readEarlier();
  Status beginFits();
  Status scan(FileFacts &file);
  Status work(Item &item) const;
  Status consume(const Item &item, FileFacts &file);
  Status addCells(const RowBlock &block, std::size_t row, const FileFacts &file);
  void addToUnit(const Item &item, std::size_t row, const FileFacts &file);
  void endUnit();
  void addPlace(const RowBlock &block, std::size_t row);
  void countSeries();
  Status countClass(std::size_t index, std::string_view name, int split, const Place &place);
  std::vector<std::string_view> labels; // of one cell
  Status addTags(std::size_t column, const Cell &cell, int split, Place place);
  void rowProblem(const FileFacts &file, const RowError &error);
  /// Where a row of a block stands.
  static Place placeOf(const FileFacts &file, const RowBlock &block, std::size_t row) {
    return {file.paths[static_cast<std::size_t>(block.files[row])], block.numbers[row], block.lines[row], 0};
  }
  Status findColumns(const FileFacts &file);
  void missingColumns(const std::string &path, const std::vector<std::string> &names);
  void judgeRows();
  void reportGaps(const FileFacts &file);

  void judgeColumns();
  void judgeSplits();
  void judgeEmpty(int split, bool again);
  void mergeClasses(std::size_t column);
  void judgeClasses(std::size_t column);
  void growClasses(std::size_t column, std::vector<std::string> &names) const;
  void reportNewToRun(std::size_t column, const std::vector<const std::pair<const std::string, ClassValue> *> &values);
  void reportNewClasses(std::size_t column, const std::vector<const std::pair<const std::string, ClassValue> *> &values);
  void judgeNumbers(std::size_t column);
  Status judgeOverlap();
  void judgeUnits();
  Status finishFits();
  void fitDerived();
  Status judgeDerived();
  SplitRequest requestOf(int split);
  Status countTokens();
  Status judgeUnknown();
  void countInputs();
  std::string factsText();
  const FileFacts &fileOf(int split) const { return files[program.isOneFile() ? 0 : fileIndex[static_cast<std::size_t>(split)]]; }
  bool wanted(int split) const { return program.wanted[static_cast<std::size_t>(split)]; }

  const RecordProgram &program;
  DataPlugins &factory;
  DiskCache cache;
  int threads;
  const FittedFolder *held; // an earlier fit in memory, or NULL
  OverlapFinder overlap;
  std::vector<ColumnFacts> columns;
  std::vector<FileFacts> files;
  std::array<std::size_t, 3> fileIndex = {};
  std::vector<TokenizerInfo> infos;
  std::vector<std::string> identities;
  Hash128 contentHash;        // of what is read, wherever it lies
  std::vector<bool> prepares; // features whose texts the scan needs
  std::vector<std::unique_ptr<TokenizerFit>> fits;
  std::array<std::int64_t, 3> records = {};
  std::vector<std::array<std::int64_t, 3>> removed;            // by operator of the source
  std::vector<std::pair<const FileFacts *, RowError>> badRows; // that may be left out, if there are not too many
  std::int64_t bad = 0;                                        // rows with mistakes that may be left out
  std::int64_t trainRows = 0;
  std::vector<TokenCounts> trainTokens; // by feature
  // Of a series:
  UnitCutter cutter;                                                  // of the file that is read
  std::array<std::vector<UnitRows>, 3> units;                         // `begin` is 0
  std::array<std::unordered_map<std::string, FirstRow>, 3> firstRows; // of units
  UnitRows unitRows;                                                  // of the unit that is read, as far as its split
  int unitSplit = 0;
  std::vector<ClassValue *> rowClasses;               // of the row that is read
  std::vector<std::vector<ClassValue *>> unitClasses; // of those of `unitRows` that are of its split
  // Of splits in the order of a column:
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  std::int64_t unplaced = 0;
  std::int64_t spanning = 0; // records with a span
  Place firstSpanning;       // or a better example
  Row::Span spanExample = Row::Span::none;
  std::vector<std::string> header;
  std::vector<std::string_view> items;
  Fitted fitted, earlier; // earlier: of program.fitted
  bool hasEarlier = false;
  Problems problems;
  nlohmann::json facts;
  std::string inputs; // of `facts`, as JSON
  std::vector<std::pair<std::string, std::string>> numbers,
      operators; // of `facts`, by column and by feature, as JSON: a tree for each of thousands costs more than all else
};

} // namespace penstock
