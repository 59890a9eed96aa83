#include <penstock/sdk/class_counts.h>

namespace {

using namespace penstock;

class Accuracy {
public:
  Accuracy(const sdk::Parameters &, sdk::Classes classes) : counts(std::move(classes)) {}
  void add(const sdk::Predictions &batch) { counts.add(batch); }
  void merge(const Accuracy &other) { counts.merge(other.counts); }
  template <typename Archive> void state(Archive &archive) { archive(counts); }
  void result(sdk::Results &results) const { results.value("accuracy", counts.accuracy()); }

private:
  sdk::ClassCounts counts;
};

} // namespace

PENSTOCK_METRIC(Accuracy, "accuracy", "1.2.0")
