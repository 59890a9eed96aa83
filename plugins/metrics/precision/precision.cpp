#include <penstock/sdk/class_counts.h>

namespace {

using namespace penstock;

class Precision {
public:
  Precision(const sdk::Parameters &parameters, const std::vector<std::string> &classes)
      : average(parameters.text("average")), counts(classes.size()) {}
  void add(const sdk::Predictions &batch) { counts.add(batch); }
  void merge(const Precision &other) { counts.merge(other.counts); }
  void result(sdk::Results &results) const { results.value("precision_" + average, counts.averaged(average).precision); }

private:
  std::string average;
  sdk::ClassCounts counts;
};

} // namespace

PENSTOCK_METRIC(Precision, "precision", "1.1.0")
