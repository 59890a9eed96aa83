#include <penstock/sdk/class_counts.h>

namespace {

using namespace penstock;

class Recall {
public:
  Recall(const sdk::Parameters &parameters, const std::vector<std::string> &classes)
      : average(parameters.text("average")), counts(classes.size()) {}
  void add(const sdk::Predictions &batch) { counts.add(batch); }
  void merge(const Recall &other) { counts.merge(other.counts); }
  void result(sdk::Results &results) const { results.value("recall_" + average, counts.averaged(average).recall); }

private:
  std::string average;
  sdk::ClassCounts counts;
};

} // namespace

PENSTOCK_METRIC(Recall, "recall", "1.1.0")
