// (x - mean) / deviation of train; the deviation of n values divides by n, as scikit-learn's StandardScaler. Where all of train are equal
// it gives 0, since a model has learned nothing of what differs; on a target that differs in dev it gives the difference, as if the
// deviation were 1.
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

/// What a number's distance from the mean is divided by; 0: it gives 0.
double divisorOf(const NamedValues &parameters, const OperatorState &state) {
  return state[1] > 0 || parameterOr(parameters, "constant", std::string("zero")) == "zero" ? state[1] : 1;
}

void apply(const NamedValues &parameters, const OperatorState &state, std::span<const double> values,
           std::span<std::vector<double>> results) {
  const double divisor = divisorOf(parameters, state);
  applyEach(values, results, [&](double value) { return divisor > 0 ? (value - state[0]) / divisor : 0 * value; });
}

double invert(const NamedValues &parameters, const OperatorState &state, double result) {
  return result * divisorOf(parameters, state) + state[0];
}

std::string remark(const NamedValues &parameters, const OperatorState &state) {
  return state[1] > 0                       ? ""
         : divisorOf(parameters, state) > 0 ? "all numbers of train are equal, so there is nothing to learn"
                                            : "all numbers of train are equal, so what it gives is 0";
}

} // namespace

extern const OperatorFunctions functions = {.fit = fit, .apply = apply, .invert = invert, .remark = remark};

} // namespace penstock::operators::standardize
