// What lies outside of a range becomes its end. Answers lie in the range, so a result leads back to itself there.
#include "runtime/data/operators/operator.h"

#include <algorithm>

namespace penstock::operators::clip {

namespace {

double clipped(std::span<const double> ends, double value) { return value < ends[0] ? ends[0] : value > ends[1] ? ends[1] : value; }

std::span<const double> endsOf(const NamedValues &parameters) {
  static constexpr double otherwise[] = {0, 0};
  return itemsOr<double>(parameters, "to", otherwise);
}

void apply(const NamedValues &parameters, const OperatorState &, std::span<const double> values, std::span<std::vector<double>> results) {
  const std::span<const double> ends = endsOf(parameters);
  applyEach(values, results, [&](double value) { return clipped(ends, value); });
}

double invert(const NamedValues &parameters, const OperatorState &, double result) { return clipped(endsOf(parameters), result); }

} // namespace

extern const OperatorFunctions functions = {.apply = apply, .invert = invert};

} // namespace penstock::operators::clip
