#include "runtime/base/nearest.h"
#include "runtime/data/overlap.h"
#include "runtime/data/permutation.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace penstock {
namespace {

TEST(Overlap, CountsRecordsOfTheLaterSplitWithAndWithoutSpilling) {
  for (const std::size_t limit : {1U << 20, 7U, 1U}) {
    OverlapFinder finder("", limit);
    for (std::uint64_t i = 0; i < 101; ++i) {
      ASSERT_TRUE(finder.add(hash128("record " + std::to_string(i % 97)), 0, static_cast<std::int64_t>(i + 1)).ok());
    }
    for (std::uint64_t i = 90; i < 103; ++i) {
      ASSERT_TRUE(finder.add(hash128("record " + std::to_string(i)), 2, static_cast<std::int64_t>(i - 89)).ok());
    }
    ASSERT_TRUE(finder.add(hash128("record 102"), 1, 5).ok());
    const Result<OverlapFinder::Pairs> pairs = finder.finish();
    ASSERT_TRUE(pairs.ok());
    EXPECT_EQ(pairs.value()[0][2].records, 7);
    EXPECT_EQ(pairs.value()[0][2].example, 1);
    EXPECT_EQ(pairs.value()[0][1].records, 0);
    EXPECT_EQ(pairs.value()[1][2].records, 1);
    EXPECT_EQ(pairs.value()[1][2].example, 13);
  }
}

TEST(Overlap, NothingAtAll) {
  OverlapFinder finder("", 3);
  EXPECT_EQ(finder.finish().value()[0][1].records, 0);
}

TEST(Permutation, IsOneForEverySize) {
  for (const std::uint64_t n : {1U, 2U, 3U, 5U, 255U, 256U, 257U, 509U, 4099U, 65536U}) {
    for (const std::uint64_t epoch : {0U, 1U}) {
      const Permutation permutation(n, 42, epoch);
      std::vector<bool> seen(n);
      for (std::uint64_t i = 0; i < n; ++i) {
        const std::uint64_t at = permutation(i);
        ASSERT_LT(at, n);
        ASSERT_FALSE(seen[at]);
        seen[at] = true;
      }
    }
  }
}

TEST(Permutation, DependsOnSeedAndEpochAndStaysAsItIs) {
  const auto first = [](std::uint64_t n, std::uint64_t seed, std::uint64_t epoch) {
    const Permutation permutation(n, seed, epoch);
    std::vector<std::uint64_t> all;
    for (std::uint64_t i = 0; i < 8; ++i) {
      all.push_back(permutation(i));
    }
    return all;
  };
  std::set<std::vector<std::uint64_t>> different = {first(1009, 1, 0), first(1009, 1, 1), first(1009, 2, 0), first(1009, 0, 1),
                                                    first(1009, 0, 2)};
  EXPECT_EQ(different.size(), 5U);
  // Computed once and written down: another order would change every training run.
  EXPECT_EQ(first(1009, 42, 3), (std::vector<std::uint64_t>{452, 574, 710, 716, 327, 124, 813, 326}));
  const Permutation large(1000000007, 1, 9);
  EXPECT_EQ(large(0), 942919878U);
  EXPECT_EQ(large(3), 228607547U);
}

TEST(Permutation, EveryPlaceSeesEveryRecordAboutEquallyOften) {
  constexpr std::uint64_t n = 7, epochs = 7000;
  std::array<std::array<int, n>, n> counts = {};
  int ascending = 0;
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
    const Permutation permutation(n, 9, epoch);
    for (std::uint64_t i = 0; i < n; ++i) {
      ++counts[i][permutation(i)];
    }
    ascending += permutation(0) < permutation(1) ? 1 : 0;
  }
  double chi = 0; // 36 degrees of freedom: above 90 once in 10^6
  for (const auto &row : counts) {
    for (const int count : row) {
      chi += (count - 1000.0) * (count - 1000.0) / 1000.0;
    }
  }
  EXPECT_LT(chi, 90);
  EXPECT_NEAR(ascending, 3500, 250);
}

TEST(Nearest, OffersWhatIsClose) {
  const std::vector<std::string> names = {"text", "label", "Labels", "cost"};
  EXPECT_EQ(nearest("lable", names), (std::vector<std::string>{"label", "Labels"}));
  EXPECT_EQ(nearest("LABEL", names).front(), "label");
  EXPECT_TRUE(nearest("temperature", names).empty());
  EXPECT_TRUE(nearest("", names).empty());
}

} // namespace
} // namespace penstock
