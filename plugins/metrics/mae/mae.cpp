#include <penstock/sdk/differences.h>

namespace {

using namespace penstock;

struct Measure {
  static constexpr const char *name = "mae";
  static double of(double difference) { return std::fabs(difference); }
  static double whole(double mean) { return mean; }
};
using Metric = sdk::MeanDifference<Measure>;

} // namespace

PENSTOCK_METRIC(Metric, "mae", "1.0.0")
