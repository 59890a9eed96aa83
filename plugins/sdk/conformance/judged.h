// Seeded records for the conformance kit to judge, of five classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace penstock::conformance::detail {

struct Judged {
  std::vector<std::int32_t> gold, predicted;
  std::vector<double> goldNumbers, predictedNumbers, weights;
  std::vector<float> scores; // `trained` a record
  std::vector<std::uint8_t> goldSets, predictedSets;
  bool operator==(const Judged &) const = default;
};

/// `trained`: how many of the classes have a score.
inline Judged judgedSample(std::size_t records, std::int64_t trained) {
  std::mt19937 random(3);
  Judged made;
  for (std::size_t i = 0; i < records; ++i) {
    made.gold.push_back(static_cast<std::int32_t>(random() % 5));
    made.predicted.push_back(random() % 3 == 0 ? static_cast<std::int32_t>(random() % 5) : made.gold.back());
    made.goldNumbers.push_back(static_cast<double>(random() % 1000) / 7 - 50);
    made.predictedNumbers.push_back(made.goldNumbers.back() + static_cast<double>(random() % 100) / 31);
    made.weights.push_back(static_cast<double>(1 + random() % 3));
    for (int c = 0; c < 5; ++c) {
      if (c < trained) {
        made.scores.push_back(c == made.predicted.back() ? 0.6F : 0.1F);
      }
      made.goldSets.push_back(c == made.gold.back() || random() % 4 == 0 ? 1 : 0);
      made.predictedSets.push_back(random() % 5 == 0 ? 1 - made.goldSets.back() : made.goldSets.back());
    }
  }
  return made;
}

} // namespace penstock::conformance::detail
