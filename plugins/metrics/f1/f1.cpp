#include <penstock/sdk/class_counts.h>

namespace {

using namespace penstock;

class F1 : public sdk::AveragedMetric {
public:
  F1(const sdk::Parameters &parameters, sdk::Classes classes) : AveragedMetric(parameters, std::move(classes), "f1", &sdk::Scores::f1) {}
};

} // namespace

PENSTOCK_METRIC(F1, "f1", "1.2.0")
