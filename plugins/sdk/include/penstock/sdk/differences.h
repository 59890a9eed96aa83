// Metrics of how far predicted numbers lie from the true ones.
#pragma once

#include <penstock/sdk/moments.h>

namespace penstock::sdk {

/// The mean over the records of `Measure::of(predicted - true)`, passed through `Measure::whole`, as the result `Measure::name`.
template <typename Measure> class MeanDifference {
public:
  MeanDifference(const Parameters &, const Classes &) {}
  void add(const Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      mean.add(Measure::of(batch.predictedNumbers[i] - batch.goldNumbers[i]), batch.weight(i));
    }
  }
  void merge(const MeanDifference &other) { mean.merge(other.mean); }
  void result(Results &results) const { results.value(Measure::name, Measure::whole(mean.value())); }
  template <typename Archive> void state(Archive &archive) { archive(mean); }

private:
  Mean mean;
};

} // namespace penstock::sdk
