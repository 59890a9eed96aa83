#include "tests/unit/kernels/kernel_testing.h"

namespace penstock {
namespace {

using namespace penstock::testing;

struct Shape {
  std::int64_t width, k, n;
};
const Shape shapes[] = {{1, 3, 5}, {2, 7, 11}, {3, 16, 16}, {4, 13, 50}, {5, 37, 100}, {7, 128, 33}};

class ConvTest : public ::testing::Test {
protected:
  void prepare(const PenstockLevelTable &level, const Shape &sizes, const std::vector<int> &lengths, unsigned seed) {
    shape = sizes;
    Numbers numbers(seed);
    offsets = offsetsOf(lengths);
    records = static_cast<std::int64_t>(lengths.size());
    rows = offsets.back();
    w = numbers.floats(shape.width * shape.k * shape.n);
    bias = numbers.floats(shape.n);
    x = numbers.floats(rows * shape.k);
    dy = numbers.floats(rows * shape.n);
    g = numbers.floats(records * shape.n);
    auto made = makePackedConv(level, shape.width, shape.k, shape.n);
    ASSERT_TRUE(made.ok());
    handle = std::move(made).value();
    conv().pack(w.data(), pool.get());
  }
  ConvObject &conv() { return static_cast<ConvObject &>(*handle); }
  std::vector<float> rowsOf(std::int64_t columns) const { return std::vector<float>(static_cast<std::size_t>(rows * columns), NAN); }
  std::vector<float> gradientWeight(int threads) {
    const auto some = makePool(threads);
    std::vector<float> dw(w.size(), NAN);
    std::vector<float> room(static_cast<std::size_t>(rows * ((shape.k + 31) / 32 * 32 + (shape.n + 31) / 32 * 32) + 4097));
    room.back() = 77.25f;
    conv().gradientWeight(some.get(), x.data(), dy.data(), offsets.data(), records, dw.data(), room.data());
    EXPECT_EQ(room.back(), 77.25f);
    return dw;
  }

  std::unique_ptr<ThreadPool> pool = makePool(2);
  std::unique_ptr<KernelObject> handle;
  Shape shape{};
  std::vector<std::int32_t> offsets;
  std::int64_t records = 0, rows = 0;
  std::vector<float> w, bias, x, dy, g, held = scratch();
};

const std::vector<int> ragged = {1, 7, 2, 31, 3, 1, 5, 97, 11, 4};

TEST_F(ConvTest, agreesWithReference) {
  for (const NamedTable &level : tables()) {
    unsigned seed = 20;
    for (const Shape &sizes : shapes) {
      for (const auto &lengths : {ragged, std::vector<int>{1}, std::vector<int>{}, std::vector<int>{601}}) {
        prepare(*level.table, sizes, lengths, ++seed);
        const double tolerance = 2e-6 * std::sqrt(static_cast<double>(shape.width * std::max(shape.k, shape.n)));
        auto y = rowsOf(shape.n), expected = y;
        for (const float *b : {static_cast<const float *>(nullptr), static_cast<const float *>(bias.data())}) {
          conv().run(x.data(), y.data(), offsets.data(), 0, records, b, held.data());
          reference::conv1d(w.data(), shape.width, shape.k, shape.n, x.data(), expected.data(), offsets.data(), 0, records, b);
          ASSERT_TRUE(near(y, expected, tolerance)) << level.name << " width " << shape.width;
        }

        auto dx = x, expectedDx = x;
        for (const bool accumulate : {true, false}) {
          conv().gradientInput(dy.data(), dx.data(), offsets.data(), 0, records, accumulate, held.data());
          reference::conv1dGradientInput(w.data(), shape.width, shape.k, shape.n, dy.data(), expectedDx.data(), offsets.data(), 0, records,
                                         accumulate);
          ASSERT_TRUE(near(dx, expectedDx, 2 * tolerance)) << level.name << " width " << shape.width;
        }

        std::vector<float> expectedDw(w.size());
        reference::conv1dGradientWeight(shape.width, shape.k, shape.n, x.data(), dy.data(), offsets.data(), records, expectedDw.data());
        ASSERT_TRUE(near(gradientWeight(1), expectedDw, 4e-5)) << level.name << " width " << shape.width;
      }
    }
  }
}

TEST_F(ConvTest, maxAgreesWithConvolutionThenMax) {
  for (const NamedTable &level : tables()) {
    unsigned seed = 60;
    for (const Shape &sizes : shapes) {
      for (const auto &lengths : {ragged, std::vector<int>{1}, std::vector<int>{1201, 3}}) {
        prepare(*level.table, sizes, lengths, ++seed);
        auto y = rowsOf(shape.n);
        conv().run(x.data(), y.data(), offsets.data(), 0, records, bias.data(), held.data());
        std::vector<float> expected(static_cast<std::size_t>(records * shape.n)), actual(expected.size(), NAN);
        std::vector<std::int32_t> expectedAt(expected.size()), at(expected.size(), -1);
        reference::segmentMax(y.data(), offsets.data(), 0, records, shape.n, expected.data(), expectedAt.data());
        conv().max(x.data(), offsets.data(), 0, records, bias.data(), actual.data(), at.data(), held.data());
        ASSERT_TRUE(sameBits(actual, expected)) << level.name << " width " << shape.width;
        ASSERT_EQ(at, expectedAt);

        auto dense = rowsOf(shape.n);
        reference::segmentMaxGradient(g.data(), at.data(), offsets.data(), 0, records, shape.n, dense.data());
        auto dx = x, expectedDx = x;
        for (const bool accumulate : {true, false}) {
          conv().maxGradientInput(w.data(), g.data(), at.data(), dx.data(), offsets.data(), 0, records, accumulate);
          reference::conv1dGradientInput(w.data(), shape.width, shape.k, shape.n, dense.data(), expectedDx.data(), offsets.data(), 0,
                                         records, accumulate);
          ASSERT_TRUE(near(dx, expectedDx, 1e-5));
        }
        std::vector<float> expectedDw(w.size()), dw(w.size(), NAN), again(w.size(), NAN);
        reference::conv1dGradientWeight(shape.width, shape.k, shape.n, x.data(), dense.data(), offsets.data(), records, expectedDw.data());
        conv().maxGradientWeight(pool.get(), x.data(), g.data(), at.data(), offsets.data(), records, dw.data());
        ASSERT_TRUE(near(dw, expectedDw, 1e-5));
        const auto one = makePool(1);
        conv().maxGradientWeight(one.get(), x.data(), g.data(), at.data(), offsets.data(), records, again.data());
        ASSERT_TRUE(sameBits(again, dw));
      }
    }
  }
}

TEST_F(ConvTest, recordAloneHasTheBitsOfTheRecordInABatch) {
  for (const NamedTable &level : tables()) {
    prepare(*level.table, {5, 37, 50}, ragged, 3);
    auto together = rowsOf(shape.n);
    auto dxTogether = rowsOf(shape.k);
    conv().run(x.data(), together.data(), offsets.data(), 0, records, bias.data(), held.data());
    conv().gradientInput(dy.data(), dxTogether.data(), offsets.data(), 0, records, false, held.data());
    for (std::int64_t r = 0; r < records; ++r) {
      const std::int64_t first = offsets[static_cast<std::size_t>(r)];
      const std::int32_t alone[] = {0, offsets[static_cast<std::size_t>(r + 1)] - static_cast<std::int32_t>(first)};
      std::vector<float> y(static_cast<std::size_t>(alone[1] * shape.n)), dx(static_cast<std::size_t>(alone[1] * shape.k));
      conv().run(x.data() + first * shape.k, y.data(), alone, 0, 1, bias.data(), held.data());
      conv().gradientInput(dy.data() + first * shape.n, dx.data(), alone, 0, 1, false, held.data());
      EXPECT_EQ(std::memcmp(y.data(), together.data() + first * shape.n, y.size() * sizeof(float)), 0);
      EXPECT_EQ(std::memcmp(dx.data(), dxTogether.data() + first * shape.k, dx.size() * sizeof(float)), 0);
    }
  }
}

TEST_F(ConvTest, weightGradientHasTheSameBitsAtAnyNumberOfThreads) {
  for (const NamedTable &level : tables()) {
    std::vector<int> lengths;
    for (int i = 0; i < 40; ++i) {
      lengths.push_back(1 + i * 7 % 31);
    }
    prepare(*level.table, {4, 61, 53}, lengths, 9);
    const auto one = gradientWeight(1);
    EXPECT_TRUE(sameBits(gradientWeight(2), one));
    EXPECT_TRUE(sameBits(gradientWeight(7), one));
  }
}

} // namespace
} // namespace penstock
