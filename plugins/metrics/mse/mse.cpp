#include <penstock/sdk/moments.h>

namespace {

using namespace penstock;

class Mse {
public:
  Mse(const sdk::Parameters &, const std::vector<std::string> &) {}
  void add(const sdk::Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double difference = batch.goldNumbers[i] - batch.predictedNumbers[i];
      mean.add(difference * difference, batch.weight(i));
    }
  }
  void merge(const Mse &other) { mean.merge(other.mean); }
  void result(sdk::Results &results) const { results.value("mse", mean.value()); }

private:
  sdk::Mean mean;
};

} // namespace

PENSTOCK_METRIC(Mse, "mse", "1.0.0")
