// Features that are numbers, or an index: columns through operators, in double precision, rounded once for the batch.
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/base/status.h"
#include "runtime/data/operators/operator.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

struct DerivedStep {
  const FeatureOperator *row = nullptr;
  const OperatorFunctions *functions = nullptr;
  NamedValues parameters;
};

struct DerivedFeature {
  std::string name;
  std::vector<int> columns; // of the record program
  std::vector<DerivedStep> steps;
  bool isIndex = false;
  bool ofSeries = false;  // of all rows of a record, not of its last one
  std::int64_t width = 1; // numbers of a record

  /// Whether a number can be one that some operator does not take.
  bool refuses() const;
};

/// The functions of an operator of numbers; NULL of any other.
const OperatorFunctions *functionsOf(const FeatureOperator &row);

/// What the steps keep of train: for each step a state for each number that it takes.
using DerivedStates = std::vector<std::vector<OperatorState>>;

/// Whether they are of these steps: one state for each number that a step takes, where it keeps one, each of the size that it has.
bool fitsSteps(const DerivedFeature &feature, const DerivedStates &states);

/// Values of records, column by column.
using ColumnValues = std::vector<std::vector<double>>;

/// Fits each step on what the steps before it make of train.
DerivedStates fitSteps(const DerivedFeature &feature, ColumnValues train);

/// The first number that a step does not take, by column and then by record.
struct Refusal {
  std::size_t step = 0, column = 0, record = 0; // column: of the feature
  double value = 0;                             // as the step found it
  std::int64_t records = 0;                     // in all
};
/// Makes of `values.front()`, the columns, what flows behind each step, so that `values.back()` has the numbers of the feature; where a
/// number is refused, those of the steps before. The memory of `values`, of which there is one more than steps, is used again.
std::optional<Refusal> applySteps(const DerivedFeature &feature, const DerivedStates &states, std::vector<ColumnValues> &values);

/// "`log1p` does not take -1, of column `x`: it takes ...". `column`: its name for people.
std::string refusalSentence(const DerivedFeature &feature, const Refusal &refusal, const std::string &column);
/// Rounds the numbers of a feature, record after record.
void appendRows(const ColumnValues &values, std::vector<float> &rows);

/// What leads to a result of a feature whose operators all have an inverse.
double invertSteps(const DerivedFeature &feature, const DerivedStates &states, double result);

} // namespace penstock
