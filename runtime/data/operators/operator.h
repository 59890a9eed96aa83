// An operator of numbers, beside its row in feature_operators.def: what it keeps of train, what it makes of a number, and back.
#pragma once

#include "runtime/base/record_graph.h"

#include <cmath>
#include <span>
#include <string>
#include <vector>

namespace penstock {

/// What an operator keeps of one number's values in train. Its size follows from the parameters alone.
using OperatorState = std::vector<double>;

struct OperatorFunctions {
  /// Of the values of train, without those that are missing; there may be none.
  OperatorState (*fit)(const NamedValues &parameters, std::vector<double> train) = nullptr;
  /// Of many values the results: as many lists as FeatureOperator::each says, each as long as `values`. A missing value is a NaN.
  void (*apply)(const NamedValues &parameters, const OperatorState &state, std::span<const double> values,
                std::span<std::vector<double>> results) = nullptr;
  /// What leads to that result, as near as there is.
  double (*invert)(const NamedValues &parameters, const OperatorState &state, double result) = nullptr;
  /// Whether it takes a number; NULL: every one. `rule` says which, for people.
  bool (*takes)(const NamedValues &parameters, double value) = nullptr;
  const char *rule = "";
  /// What a person should know of what was kept; "" is nothing.
  std::string (*remark)(const NamedValues &parameters, const OperatorState &state) = nullptr;
};

/// Fills the one list of results.
template <typename F> void applyEach(std::span<const double> values, std::span<std::vector<double>> results, F f) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    results[0][i] = f(values[i]);
  }
}

} // namespace penstock
