#include <penstock/sdk/class_counts.h>

namespace {

using namespace penstock;

class Precision : public sdk::AveragedMetric {
public:
  Precision(const sdk::Parameters &parameters, sdk::Classes classes)
      : AveragedMetric(parameters, std::move(classes), "precision", &sdk::Scores::precision) {}
};

} // namespace

PENSTOCK_METRIC(Precision, "precision", "1.2.0")
