// A metric: whether the class of a record is among its most probable ones. Replace what is added up.
#include <penstock/sdk/metric.h>

namespace {

using namespace penstock;

class AmongTheFirst {
public:
  AmongTheFirst(const sdk::Parameters &parameters, const sdk::Classes &) : most(static_cast<std::size_t>(parameters.integer("most"))) {}

  // A batch of records; a class of -1, or from the classes of train on, has no probability.
  void add(const sdk::Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      const std::int32_t gold = batch.gold[i];
      all += batch.weight(i);
      if (gold < 0 || static_cast<std::size_t>(gold) >= batch.width) {
        continue;
      }
      std::size_t before = 0;
      for (std::size_t c = 0; c < batch.width; ++c) {
        before += batch.score(i, c) > batch.score(i, static_cast<std::size_t>(gold)) ? 1 : 0;
      }
      right += before < most ? batch.weight(i) : 0;
    }
  }
  void merge(const AmongTheFirst &other) {
    right += other.right;
    all += other.all;
  }
  // Every name that plugin.toml declares.
  void result(sdk::Results &results) const {
    if (!(all > 0)) {
      throw sdk::Failure("there are no records to judge");
    }
    results.value("@NAME@", right / all);
  }
  // All that `add` changes: it is saved and loaded by this.
  template <typename Archive> void state(Archive &archive) { archive(right, all); }

private:
  std::size_t most;
  double right = 0, all = 0;
};

} // namespace

PENSTOCK_METRIC(AmongTheFirst, "@NAME@", "1.0.0")
