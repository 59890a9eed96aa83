// One of the ways in which a library can be unfit: FAULT_<which>.
#include <penstock/sdk/metric.h>

#include <cstdlib>
#include <unistd.h>

namespace {

using namespace penstock;

struct Metric {
  Metric(const sdk::Parameters &, const sdk::Classes &) {}
  void add(const sdk::Predictions &) {}
  void merge(const Metric &) {}
  void result(sdk::Results &) const {}
  template <typename Archive> void state(Archive &) {}
};

[[maybe_unused]] PenstockPlugin describe(const char *name) {
  return {sizeof(PenstockPlugin),
          PENSTOCK_PLUGIN_ABI_MAJOR,
          PENSTOCK_PLUGIN_ABI_MINOR,
          PENSTOCK_METRIC,
          name,
          "1.0.0",
          sdk::MetricFunctions<Metric>::table()};
}

#if defined(FAULT_crash)
struct AtLoad {
  AtLoad() { *static_cast<volatile int *>(nullptr) = 1; }
} atLoad;
#elif defined(FAULT_hang)
struct AtLoad {
  AtLoad() {
    for (;;) {
      sleep(1000);
    }
  }
} atLoad;
#elif defined(FAULT_exit)
struct AtLoad {
  AtLoad() { _exit(0); }
} atLoad;
#endif

} // namespace

#if !defined(FAULT_missing)
extern "C" __attribute__((visibility("default"))) const PenstockPlugin *penstock_plugin(void) {
#if defined(FAULT_silent)
  return nullptr;
#elif defined(FAULT_older)
  static PenstockPlugin plugin = describe("broken_older");
  plugin.abi_major = 0;
  return &plugin;
#elif defined(FAULT_name)
  static PenstockPlugin plugin = describe("somebody_else");
  return &plugin;
#elif defined(FAULT_table)
  static PenstockPlugin plugin = describe("broken_table");
  static PenstockMetric table = *sdk::MetricFunctions<Metric>::table();
  table.merge = nullptr;
  plugin.functions = &table;
  return &plugin;
#elif defined(FAULT_throw)
  throw sdk::Failure("out of the entry");
#else
  static PenstockPlugin plugin = describe("broken");
  return &plugin;
#endif
}
#endif
