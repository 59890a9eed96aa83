#include <penstock/sdk/differences.h>

namespace {

using namespace penstock;

struct Measure {
  static constexpr const char *name = "rmse";
  static double of(double difference) { return difference * difference; }
  static double whole(double mean) { return std::sqrt(mean); }
};
using Metric = sdk::MeanDifference<Measure>;

} // namespace

PENSTOCK_METRIC(Metric, "rmse", "1.0.0")
