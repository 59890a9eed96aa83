// log(1 + x), of numbers above -1.
#include "runtime/data/operators/operator.h"

namespace penstock::operators::log1p {

namespace {

void apply(const NamedValues &, const OperatorState &, std::span<const double> values, std::span<std::vector<double>> results) {
  applyEach(values, results, [](double value) { return std::log1p(value); });
}

double invert(const NamedValues &, const OperatorState &, double result) { return std::expm1(result); }

bool takes(const NamedValues &, double value) { return value > -1; }

} // namespace

extern const OperatorFunctions functions = {.apply = apply, .invert = invert, .takes = takes, .rule = "numbers above -1"};

} // namespace penstock::operators::log1p
