#include <penstock/sdk/differences.h>

namespace {

using namespace penstock;

struct Measure {
  static constexpr const char *name = "mse";
  static double of(double difference) { return difference * difference; }
  static double whole(double mean) { return mean; }
};
using Metric = sdk::MeanDifference<Measure>;

} // namespace

PENSTOCK_METRIC(Metric, "mse", "1.0.0")
