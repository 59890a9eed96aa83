// The part of train in which a number lies, cut into n parts of like size in order. A value at a cut is of the part above; beyond train are
// the first and last part. Where many numbers of train are equal some parts have none.
#include "runtime/data/operators/operator.h"

#include <algorithm>

namespace penstock::operators::bins {

namespace {

/// The cuts between the parts: quantiles k / n of train, interpolated as NumPy does.
OperatorState fit(const NamedValues &parameters, std::vector<double> train) {
  const std::int64_t parts = parameterOr(parameters, "n", std::int64_t{2});
  OperatorState cuts;
  std::sort(train.begin(), train.end());
  for (std::int64_t k = 1; k < parts; ++k) {
    const double place = static_cast<double>(k) / static_cast<double>(parts) * (static_cast<double>(train.size()) - 1);
    const auto below = static_cast<std::size_t>(std::max(place, 0.0));
    if (train.empty()) {
      cuts.push_back(0);
    } else {
      const double next = train[std::min(below + 1, train.size() - 1)];
      cuts.push_back(train[below] + (place - static_cast<double>(below)) * (next - train[below]));
    }
  }
  return cuts;
}

void apply(const NamedValues &, const OperatorState &cuts, std::span<const double> values, std::span<std::vector<double>> results) {
  applyEach(values, results,
            [&](double value) { return static_cast<double>(std::upper_bound(cuts.begin(), cuts.end(), value) - cuts.begin()); });
}

} // namespace

extern const OperatorFunctions functions = {.fit = fit, .apply = apply};

} // namespace penstock::operators::bins
