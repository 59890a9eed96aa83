// A metric of ABI 1.1, whose table ends before `create_for`: says what it was given.
#include <penstock/sdk/metric.h>

#include <cstddef>

namespace {

using namespace penstock;

class Given {
public:
  Given(const sdk::Parameters &, const std::vector<std::string> &classes) : classes(classes.size()) {}
  void add(const sdk::Predictions &batch) {
    for (const std::int32_t index : batch.gold) {
      unknown += index < 0 ? 1 : 0;
      known += index >= 0 && static_cast<std::size_t>(index) < classes ? 1 : 0;
    }
    for (std::size_t i = 0; batch.goldSets != nullptr && i < batch.records * classes; ++i) {
      labels += batch.goldSets[i];
    }
  }
  void merge(const Given &) {}
  void result(sdk::Results &results) const {
    results.value("classes", static_cast<double>(classes));
    results.value("unknown", unknown);
    results.value("known", known);
    results.value("labels", labels);
  }

private:
  std::size_t classes;
  double unknown = 0, known = 0, labels = 0;
};

} // namespace

extern "C" __attribute__((visibility("default"))) const PenstockPlugin *penstock_plugin(void) {
  static PenstockMetric table = *sdk::MetricFunctions<Given>::table();
  table.struct_size = offsetof(PenstockMetric, create_for);
  static const PenstockPlugin plugin = {
      sizeof(PenstockPlugin), PENSTOCK_PLUGIN_ABI_MAJOR, 1, PENSTOCK_METRIC, "old_metric", "1.0.0", &table};
  return &plugin;
}
