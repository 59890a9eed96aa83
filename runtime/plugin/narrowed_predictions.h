// Predictions as a metric sees them that knows the classes of train only.
#pragma once

#include "runtime/abi/plugin_abi.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace penstock {

/// Without the classes behind `trained`: -1 in their place, and sets without their columns. Reuses its memory from batch to batch.
class NarrowedPredictions {
public:
  NarrowedPredictions(std::int64_t trained, std::int64_t all) : trained(trained), all(all) {}

  /// Holds until the next call, and as long as `given`.
  const PenstockPredictions &of(const PenstockPredictions &given) {
    view = given;
    view.gold = classes(given.gold, given.records, gold);
    view.predicted = classes(given.predicted, given.records, predicted);
    view.gold_sets = sets(given.gold_sets, given.records, goldSets);
    view.predicted_sets = sets(given.predicted_sets, given.records, predictedSets);
    return view;
  }

private:
  const std::int32_t *classes(const std::int32_t *from, std::int64_t records, std::vector<std::int32_t> &to) const {
    if (from == nullptr) {
      return nullptr;
    }
    to.resize(static_cast<std::size_t>(records));
    std::transform(from, from + records, to.begin(), [this](std::int32_t index) { return index < trained ? index : -1; });
    return to.data();
  }
  const std::uint8_t *sets(const std::uint8_t *from, std::int64_t records, std::vector<std::uint8_t> &to) const {
    if (from == nullptr) {
      return nullptr;
    }
    to.clear();
    for (std::int64_t r = 0; r < records; ++r) {
      to.insert(to.end(), from + r * all, from + r * all + trained);
    }
    return to.data();
  }

  std::int64_t trained, all;
  PenstockPredictions view{};
  std::vector<std::int32_t> gold, predicted;
  std::vector<std::uint8_t> goldSets, predictedSets;
};

} // namespace penstock
