#include <penstock/sdk/moments.h>

namespace {

using namespace penstock;

class Mae {
public:
  Mae(const sdk::Parameters &, const std::vector<std::string> &) {}
  void add(const sdk::Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double difference = batch.goldNumbers[i] - batch.predictedNumbers[i];
      mean.add(std::fabs(difference), batch.weight(i));
    }
  }
  void merge(const Mae &other) { mean.merge(other.mean); }
  void result(sdk::Results &results) const { results.value("mae", mean.value()); }

private:
  sdk::Mean mean;
};

} // namespace

PENSTOCK_METRIC(Mae, "mae", "1.0.0")
