#include "runtime/data/ordered_split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

namespace penstock {
namespace {

std::array<int, 3> counts(const std::vector<double> &places, std::array<double, 3> shares) {
  const OrderCuts cuts = cutOrder(places, shares);
  std::array<int, 3> of = {};
  for (const double place : places) {
    ++of[static_cast<std::size_t>(cuts.splitOf(place))];
  }
  return of;
}

std::vector<double> range(int count) {
  std::vector<double> places;
  for (int i = 0; i < count; ++i) {
    places.push_back((i * 7) % count);
  }
  return places;
}

TEST(OrderedSplit, TheLastRowsAreTestAndThoseBeforeThemDev) {
  EXPECT_EQ(counts(range(110), {0.8, 0.1, 0.1}), (std::array{88, 11, 11})) << "10% of 110 is 11, whatever the rounding";
  EXPECT_EQ(counts(range(101), {0.8, 0.1, 0.1}), (std::array{79, 11, 11}));
  EXPECT_EQ(counts(range(3), {0.8, 0.1, 0.1}), (std::array{1, 1, 1}));
  EXPECT_EQ(counts(range(101), {0.5, 0.5, 0}), (std::array{50, 51, 0}));
  EXPECT_EQ(counts({}, {0.8, 0.1, 0.1}), (std::array{0, 0, 0}));
  EXPECT_EQ(counts({-3}, {0.8, 0.1, 0.1}), (std::array{0, 0, 1}));
}

TEST(OrderedSplit, RowsAtOnePlaceStayTogetherInTheLaterSplit) {
  EXPECT_EQ(counts({1, 1, 2, 2, 2, 3, 3, 3, 3}, {0.8, 0.1, 0.1}), (std::array{2, 3, 4}));
  EXPECT_EQ(counts({5, 5, 5, 5}, {0.8, 0.1, 0.1}), (std::array{0, 0, 4}));
  EXPECT_EQ(counts({5, 4, 5, 5}, {0.8, 0.1, 0.1}), (std::array{0, 1, 3}));
  EXPECT_EQ(counts({0.0, -0.0, 1}, {0.5, 0, 0.5}), (std::array{0, 0, 3})) << "both zeros are one place";
}

/// A record ends at rows of the split alone, counted back from its last; here row by row.
TEST(OrderedSplit, RecordsOfAUnitEndInItsOwnRows) {
  std::mt19937 random(3);
  const auto upTo = [&](int most) { return static_cast<std::int64_t>(random() % static_cast<unsigned>(most + 1)); };
  for (int round = 0; round < 2000; ++round) {
    SeriesSpec series;
    series.length = upTo(7);
    series.stride = 1 + upTo(3);
    series.shortUnits = upTo(1) == 0 ? SeriesSpec::Short::drop : SeriesSpec::Short::repeatFirst;
    const auto take = upTo(2) == 0 ? SeriesSpec::Take::last : SeriesSpec::Take::all;
    const std::int64_t begin = upTo(5), before = upTo(11), own = upTo(11), end = begin + before + own;
    const std::int64_t length = series.length > 0 ? series.length : before + own;
    std::vector<SeriesRecord> wanted;
    for (std::int64_t last = end - 1; last >= begin + before; last -= series.stride) {
      if (last - begin + 1 >= length) {
        wanted.push_back({last, length, 0});
      }
    }
    if (own > 0 && before + own < length && series.shortUnits == SeriesSpec::Short::repeatFirst) {
      wanted.push_back({end - 1, before + own, length - before - own});
    }
    if (take == SeriesSpec::Take::last && wanted.size() > 1) {
      wanted.resize(1);
    }
    std::reverse(wanted.begin(), wanted.end());
    std::vector<SeriesRecord> made;
    addRecords(series, take, {begin, before, end}, made);
    ASSERT_EQ(countRecords(series, take, {begin, before, end}), static_cast<std::int64_t>(wanted.size()));
    ASSERT_EQ(made.size(), wanted.size()) << round;
    for (std::size_t i = 0; i < made.size(); ++i) {
      EXPECT_EQ(made[i].last, wanted[i].last);
      EXPECT_EQ(made[i].count, wanted[i].count);
      EXPECT_EQ(made[i].repeats, wanted[i].repeats);
      EXPECT_GE(made[i].first(), begin);
    }
  }
}

} // namespace
} // namespace penstock
