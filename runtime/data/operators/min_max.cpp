// The least and greatest number of train become the ends of a range; as scikit-learn's MinMaxScaler.
#include "runtime/data/operators/operator.h"

#include <algorithm>

namespace penstock::operators::min_max {

namespace {

std::span<const double> endsOf(const NamedValues &parameters) {
  static constexpr double otherwise[] = {0, 1};
  return itemsOr<double>(parameters, "to", otherwise);
}

/// The least and the greatest.
OperatorState fit(const NamedValues &, std::vector<double> train) {
  if (train.empty()) {
    return {0, 0};
  }
  const auto [least, greatest] = std::minmax_element(train.begin(), train.end());
  return {*least, *greatest};
}

void apply(const NamedValues &parameters, const OperatorState &state, std::span<const double> values,
           std::span<std::vector<double>> results) {
  const std::span<const double> ends = endsOf(parameters);
  const double span = state[1] - state[0], wide = ends[1] - ends[0];
  applyEach(values, results, [&](double value) { return span > 0 ? ends[0] + (value - state[0]) / span * wide : ends[0] + 0 * value; });
}

double invert(const NamedValues &parameters, const OperatorState &state, double result) {
  const std::span<const double> ends = endsOf(parameters);
  return state[0] + (result - ends[0]) / (ends[1] - ends[0]) * (state[1] - state[0]);
}

std::string remark(const NamedValues &, const OperatorState &state) {
  return state[1] > state[0] ? "" : "all numbers of train are equal, so what it gives is the lower end";
}

} // namespace

extern const OperatorFunctions functions = {.fit = fit, .apply = apply, .invert = invert, .remark = remark};

} // namespace penstock::operators::min_max
