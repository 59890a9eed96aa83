// What stands for a missing number: the mean or median of those of train that are there, or a number of the file.
#include "runtime/data/operators/operator.h"

#include <algorithm>
#include <numeric>

namespace penstock::operators::fill {

namespace {

double medianOf(std::vector<double> &values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return values.size() % 2 == 1 ? *middle : std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

double meanOf(const std::vector<double> &values) {
  double mean = 0, seen = 0;
  for (const double value : values) {
    seen += 1;
    mean += (value - mean) / seen;
  }
  return mean;
}

/// The number.
OperatorState fit(const NamedValues &parameters, std::vector<double> train) {
  const std::string by = parameterOr(parameters, "by", std::string());
  if (by.empty()) {
    return {parameterOr(parameters, "by", 0.0)};
  }
  return {train.empty() ? 0 : by == "median" ? medianOf(train) : meanOf(train)};
}

void apply(const NamedValues &, const OperatorState &state, std::span<const double> values, std::span<std::vector<double>> results) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool missing = std::isnan(values[i]);
    results[0][i] = missing ? state[0] : values[i];
    if (results.size() > 1) {
      results[1][i] = missing ? 1 : 0;
    }
  }
}

} // namespace

extern const OperatorFunctions functions = {.fit = fit, .apply = apply};

} // namespace penstock::operators::fill
