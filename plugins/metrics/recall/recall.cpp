#include <penstock/sdk/class_counts.h>

namespace {

using namespace penstock;

class Recall : public sdk::AveragedMetric {
public:
  Recall(const sdk::Parameters &parameters, sdk::Classes classes)
      : AveragedMetric(parameters, std::move(classes), "recall", &sdk::Scores::recall) {}
};

} // namespace

PENSTOCK_METRIC(Recall, "recall", "1.2.0")
