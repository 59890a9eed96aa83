// (x - mean) / deviation of train; the deviation of n values divides by n, as scikit-learn's StandardScaler.
#include "runtime/data/operators/operator.h"

namespace penstock::operators::standardize {

namespace {

/// The mean, and the deviation.
OperatorState fit(const NamedValues &, std::vector<double> train) {
  double mean = 0, squares = 0, seen = 0;
  for (const double value : train) {
    seen += 1;
    const double step = value - mean;
    mean += step / seen;
    squares += step * (value - mean);
  }
  return {mean, train.empty() ? 0 : std::sqrt(squares / seen)};
}

void apply(const NamedValues &, const OperatorState &state, std::span<const double> values, std::span<std::vector<double>> results) {
  applyEach(values, results, [&](double value) { return state[1] > 0 ? (value - state[0]) / state[1] : 0 * value; });
}

double invert(const NamedValues &, const OperatorState &state, double result) { return result * state[1] + state[0]; }

std::string remark(const NamedValues &, const OperatorState &state) {
  return state[1] > 0 ? "" : "all numbers of train are equal, so what it gives is 0";
}

} // namespace

extern const OperatorFunctions functions = {.fit = fit, .apply = apply, .invert = invert, .remark = remark};

} // namespace penstock::operators::standardize
