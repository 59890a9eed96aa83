#include <penstock/sdk/entities.h>

namespace {

using namespace penstock;

class EntityF1 {
public:
  EntityF1(const sdk::Parameters &parameters, sdk::Classes tags)
      : average(parameters.text("average")), counts(std::move(tags.names), parameters.text("mode"), parameters.text("scheme")) {}
  void add(const sdk::Predictions &batch) { counts.add(batch); }
  void merge(const EntityF1 &other) { counts.merge(other.counts); }
  template <typename Archive> void state(Archive &archive) { archive(counts); }
  void result(sdk::Results &results) const {
    const sdk::Scores scores = counts.averaged(average);
    results.value("entity_f1", scores.f1);
    results.value("entity_precision", scores.precision);
    results.value("entity_recall", scores.recall);
  }

private:
  std::string average;
  sdk::EntityCounts counts;
};

} // namespace

PENSTOCK_METRIC(EntityF1, "entity_f1", "1.1.0")
