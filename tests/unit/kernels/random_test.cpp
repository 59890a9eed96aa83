#include "tests/unit/kernels/kernel_testing.h"

#include <cmath>

namespace penstock {
namespace {

using namespace penstock::testing;

TEST(Philox, givesThePublishedNumbers) { // known answers of Random123 1.14
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(reference::philox({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(reference::philox({ones, ones, ones, ones}, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(reference::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822ull),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(DropoutRow, agreesWithReference) {
  for (const NamedTable &level : tables()) {
    for (const std::int64_t width : {1, 3, 4, 31, 32, 64, 67, 129, 384}) {
      for (const float p : {0.0f, 0.1f, 0.5f, 0.999f, 1.0f}) {
        const std::uint64_t record = 0x123456789abcdef0ull;
        std::vector<float> row(static_cast<std::size_t>(width + 1), 99.0f);
        level.table->kernels.dropout_row(row.data(), width, 71, record, 1, 2, 3, p);
        for (std::int64_t i = 0; i < width; ++i) {
          ASSERT_EQ(row[static_cast<std::size_t>(i)], reference::dropoutMultiplier(i, 71, record, 1, 2, 3, p))
              << level.name << " width " << width << " element " << i;
        }
        EXPECT_EQ(row.back(), 99.0f);
      }
    }
  }
}

TEST(DropoutRow, keepsTheRightShareAndDiffersByEveryKey) {
  std::vector<float> row(100000), other(row.size());
  penstockAvx2Table.kernels.dropout_row(row.data(), 100000, 1, 2, 3, 4, 5, 0.1f);
  const double kept = static_cast<double>(std::count_if(row.begin(), row.end(), [](float e) { return e != 0; }));
  EXPECT_NEAR(kept / 100000, 0.9, 0.004); // four standard deviations
  const auto differs = [&](std::int64_t position, std::uint64_t record, std::uint64_t seed, std::uint64_t step, std::uint64_t key) {
    penstockAvx2Table.kernels.dropout_row(other.data(), 100000, position, record, seed, step, key, 0.1f);
    return row != other;
  };
  EXPECT_FALSE(differs(1, 2, 3, 4, 5));
  EXPECT_TRUE(differs(0, 2, 3, 4, 5));
  EXPECT_TRUE(differs(1, 3, 3, 4, 5));
  EXPECT_TRUE(differs(1, 2 + (1ull << 32), 3, 4, 5));
  EXPECT_TRUE(differs(1, 2, 4, 4, 5));
  EXPECT_TRUE(differs(1, 2, 3, 3, 5));
  EXPECT_TRUE(differs(1, 2, 3, 4, 6));
}

TEST(AttentionMask, agreesWithReference) {
  for (const NamedTable &level : tables()) {
    const std::int64_t length = 53;
    for (const float p : {0.1f, 0.75f, 1.0f}) {
      for (const std::int64_t first : {std::int64_t{0}, std::int64_t{1}, std::int64_t{127}, 7 * length * length + 11}) {
        std::vector<float> mask(301);
        level.table->attentionMask(mask.data(), first, 301, p, 19, 1, 2, 3);
        for (std::int64_t i = 0; i < 301; ++i) {
          const std::int64_t e = first + i;
          ASSERT_EQ(mask[static_cast<std::size_t>(i)],
                    reference::attentionMultiplier(19, e / length / length, e / length % length, e % length, length, 1, 2, 3, p))
              << level.name << " element " << e;
        }
      }
    }
  }
}

double ulpsApart(float actual, double expected) {
  const float rounded = static_cast<float>(expected);
  const double unit = static_cast<double>(std::nextafter(rounded, INFINITY)) - static_cast<double>(rounded);
  return std::fabs(static_cast<double>(actual) - expected) / unit;
}

/// The largest error of the vector exponential in ULP over every `stride`-th float of its range.
double worstExponential(const PenstockLevelTable &table, std::uint32_t stride) {
  constexpr std::size_t block = 4096;
  std::vector<float> x, y(block);
  double worst = 0;
  const auto flush = [&] {
    table.exponential(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
      worst = std::fmax(worst, ulpsApart(y[i], std::exp(static_cast<double>(x[i]))));
    }
    x.clear();
  };
  for (std::uint64_t word = 0; word <= 0xFFFFFFFF; word += stride) {
    const std::uint32_t bits = static_cast<std::uint32_t>(word);
    float f;
    std::memcpy(&f, &bits, sizeof(f));
    if (!(f >= -87.33f && f <= 88.0f)) {
      continue;
    }
    x.push_back(f);
    if (x.size() == block) {
      flush();
    }
  }
  flush();
  return worst;
}

TEST(Exponential, keepsItsBound) {
  for (const NamedTable &level : tables()) {
    const double worst = worstExponential(*level.table, 997);
    RecordProperty("worst_ulp", std::to_string(worst));
    EXPECT_LE(worst, 1.02) << level.name;
  }
}

TEST(Exponential, keepsItsBoundOverAllFloats) {
  if (std::getenv("PENSTOCK_SLOW_TESTS") == nullptr) {
    GTEST_SKIP() << "set PENSTOCK_SLOW_TESTS to try every float";
  }
  const double worst = worstExponential(penstockAvx2Table, 1);
  std::printf("worst error of the vector exponential: %.4f ULP\n", worst);
  EXPECT_LE(worst, 1.02);
}

TEST(Logarithm, isWithinTwoUlp) {
  for (const NamedTable &level : tables()) {
    double worst = 0;
    std::vector<float> x, y;
    for (std::uint32_t word = 0x00800000; word < 0x7F800000; word += 1009) {
      float f;
      std::memcpy(&f, &word, sizeof(f));
      x.push_back(f);
    }
    y.resize(x.size());
    level.table->logarithm(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
      worst = std::fmax(worst, ulpsApart(y[i], std::log(static_cast<double>(x[i]))));
    }
    EXPECT_LE(worst, 2.0) << level.name;
  }
}

TEST(Exponential, treatsTheEndsAsPromised) {
  for (const NamedTable &level : tables()) {
    const std::vector<float> x = {-INFINITY, -1e30f, -87.4f, 0.0f, -0.0f, NAN, -NAN, 88.0f};
    std::vector<float> y(x.size());
    level.table->exponential(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
    for (const int below : {0, 1, 2}) {
      EXPECT_GE(y[static_cast<std::size_t>(below)], 0.0f);
      EXPECT_LT(y[static_cast<std::size_t>(below)], 1.3e-38f);
    }
    EXPECT_EQ(y[3], 1.0f);
    EXPECT_EQ(y[4], 1.0f);
    EXPECT_TRUE(std::isnan(y[5]));
    EXPECT_TRUE(std::isnan(y[6]));
    EXPECT_NEAR(y[7] / 1.6516362549940018e38f, 1.0f, 1e-6f);
  }
}

} // namespace
} // namespace penstock
