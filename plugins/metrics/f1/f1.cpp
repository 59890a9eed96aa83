#include <penstock/sdk/class_counts.h>

namespace {

using namespace penstock;

class F1 {
public:
  F1(const sdk::Parameters &parameters, const std::vector<std::string> &classes)
      : average(parameters.text("average")), counts(classes.size()) {}
  void add(const sdk::Predictions &batch) { counts.add(batch); }
  void merge(const F1 &other) { counts.merge(other.counts); }
  void result(sdk::Results &results) const { results.value("f1_" + average, counts.averaged(average).f1); }

private:
  std::string average;
  sdk::ClassCounts counts;
};

} // namespace

PENSTOCK_METRIC(F1, "f1", "1.1.0")
