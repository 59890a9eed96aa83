#include "tests/unit/kernels/kernel_testing.h"

#include <functional>

namespace penstock {
namespace {

using namespace penstock::testing;

struct Shape {
  std::int64_t k, n;
};

const Shape shapes[] = {{1, 1},  {3, 2},    {7, 5},    {13, 17},  {31, 16},   {64, 33},
                        {5, 97}, {128, 48}, {321, 29}, {700, 31}, {640, 100}, {129, 128}};

std::vector<float> runMatmul(MatmulObject &matmul, const std::vector<float> &x, std::int64_t k, std::int64_t n, std::int64_t rows,
                             const float *bias, const std::vector<float> *old) {
  std::vector<float> y = old != nullptr ? *old : std::vector<float>(static_cast<std::size_t>(rows * n), NAN);
  matmul.run(x.data(), k, y.data(), n, rows, bias, old != nullptr);
  return y;
}

TEST(Matmul, agreesWithReference) {
  const auto pool = makePool(2);
  for (const NamedTable &level : tables()) {
    unsigned seed = 1;
    for (const Shape &shape : shapes) {
      for (const bool transposed : {false, true}) {
        Numbers numbers(++seed);
        const auto w = numbers.floats(shape.k * shape.n);
        const auto bias = numbers.floats(shape.n);
        auto made = makePackedMatmul(level.table->contractions, WeightShape::dense(shape.k, shape.n, transposed));
        ASSERT_TRUE(made.ok());
        auto &matmul = static_cast<MatmulObject &>(**made);
        matmul.pack(w.data(), pool.get());
        for (const std::int64_t rows : {0, 1, 2, 5, 6, 7, 11, 13, 14, 15, 19, 27, 29, 67}) {
          const auto x = numbers.floats(rows * shape.k);
          const auto old = numbers.floats(rows * shape.n);
          for (const bool accumulate : {false, true}) {
            for (const bool biased : {false, true}) {
              auto expected = old;
              reference::matmul(w.data(), shape.k, shape.n, transposed, x.data(), shape.k, expected.data(), shape.n, rows,
                                biased ? bias.data() : nullptr, accumulate);
              const auto actual = runMatmul(matmul, x, shape.k, shape.n, rows, biased ? bias.data() : nullptr, accumulate ? &old : nullptr);
              ASSERT_TRUE(near(actual, expected, 1e-6 * std::sqrt(static_cast<double>(shape.k))))
                  << level.name << " k " << shape.k << " n " << shape.n << " rows " << rows;
            }
          }
        }
      }
    }
  }
}

TEST(Matmul, takesStridedOperandsAndTouchesNothingBetween) {
  const auto pool = makePool(1);
  for (const NamedTable &level : tables()) {
    const std::int64_t k = 37, n = 41, rows = 23, ldx = 43, ldy = 59;
    Numbers numbers(5);
    const auto w = numbers.floats(k * n);
    const auto x = numbers.floats(rows * ldx);
    auto made = makePackedMatmul(level.table->contractions, WeightShape::dense(k, n, false));
    ASSERT_TRUE(made.ok());
    auto &matmul = static_cast<MatmulObject &>(**made);
    matmul.pack(w.data(), pool.get());
    auto y = numbers.floats(rows * ldy);
    auto expected = y;
    reference::matmul<float>(w.data(), k, n, false, x.data(), ldx, expected.data(), ldy, rows, nullptr, false);
    matmul.run(x.data(), ldx, y.data(), ldy, rows, nullptr, false);
    EXPECT_TRUE(near(y, expected, 1e-5));
    for (std::int64_t i = 0; i < rows; ++i) {
      EXPECT_EQ(std::memcmp(&y[static_cast<std::size_t>(i * ldy + n)], &expected[static_cast<std::size_t>(i * ldy + n)],
                            static_cast<std::size_t>(ldy - n) * sizeof(float)),
                0);
    }
  }
}

TEST(Matmul, rowAloneHasTheBitsOfTheRowInABatch) {
  const auto pool = makePool(1);
  for (const NamedTable &level : tables()) {
    for (const Shape &shape : {Shape{97, 31}, Shape{700, 53}}) {
      const std::int64_t rows = 131; // rows * k beyond the point where the loops change their order
      Numbers numbers(11);
      const auto w = numbers.floats(shape.k * shape.n);
      const auto bias = numbers.floats(shape.n);
      const auto x = numbers.floats(rows * shape.k);
      auto made = makePackedMatmul(level.table->contractions, WeightShape::dense(shape.k, shape.n, false));
      ASSERT_TRUE(made.ok());
      auto &matmul = static_cast<MatmulObject &>(**made);
      matmul.pack(w.data(), pool.get());
      const auto all = runMatmul(matmul, x, shape.k, shape.n, rows, bias.data(), nullptr);
      for (const std::int64_t block : {1, 5, 48}) {
        std::vector<float> pieces(all.size(), NAN);
        for (std::int64_t first = 0; first < rows; first += block) {
          matmul.run(x.data() + first * shape.k, shape.k, pieces.data() + first * shape.n, shape.n, std::min(block, rows - first),
                     bias.data(), false);
        }
        EXPECT_TRUE(sameBits(pieces, all)) << level.name << " block " << block;
      }
    }
  }
}

TEST(Matmul, levelsAgreeBitwise) {
  const auto pool = makePool(1);
  const std::int64_t k = 700, n = 53, rows = 19;
  Numbers numbers(13);
  const auto w = numbers.floats(k * n);
  const auto x = numbers.floats(rows * k);
  std::vector<float> first;
  for (const NamedTable &level : tables()) {
    auto made = makePackedMatmul(level.table->contractions, WeightShape::dense(k, n, false));
    ASSERT_TRUE(made.ok());
    auto &matmul = static_cast<MatmulObject &>(**made);
    matmul.pack(w.data(), pool.get());
    const auto y = runMatmul(matmul, x, k, n, rows, nullptr, nullptr);
    if (first.empty()) {
      first = y;
    }
    EXPECT_TRUE(sameBits(y, first)) << level.name;
  }
}

// A lone piece shares the columns of a large weight with idle threads: last columns that fill no panel, several layouts.
TEST(Matmul, sharedColumnsHaveTheBitsOfOneThread) {
  auto made = ThreadPool::create(3, 3);
  ASSERT_TRUE(made.ok());
  std::vector<const PenstockContractions *> all = {&penstockEmulatedBf16};
  for (const NamedTable &level : tables()) {
    all.push_back(&level.table->contractions);
  }
  for (const PenstockContractions *by : all) {
    for (const std::int64_t rows : {1, 10, 23}) {
      const Shape shape = {261, 331};
      Numbers numbers(17);
      const auto w = numbers.floats(shape.k * shape.n);
      const auto bias = numbers.floats(shape.n);
      const auto x = numbers.floats(rows * shape.k);
      auto object = makePackedMatmul(*by, WeightShape::dense(shape.k, shape.n, false));
      ASSERT_TRUE(object.ok());
      struct Call {
        MatmulObject *matmul;
        std::function<std::vector<float>()> run;
        std::vector<float> y;
        bool idle = false;
      } call;
      call.matmul = static_cast<MatmulObject *>(object->get());
      call.matmul->pack(w.data(), made->get());
      call.run = [&] { return runMatmul(*call.matmul, x, shape.k, shape.n, rows, bias.data(), nullptr); };
      const auto alone = call.run();
      (*made)->parallelFor(
          [](void *context, std::int64_t, std::int64_t, std::int32_t) {
            auto &c = *static_cast<Call *>(context);
            c.idle = ThreadPool::idle() != nullptr;
            c.y = c.run();
          },
          &call, 1, 1);
      EXPECT_TRUE(call.idle);
      EXPECT_TRUE(sameBits(call.y, alone)) << rows;
    }
  }
}

std::vector<float> runWeightGradient(const PenstockLevelTable &table, int threads, const Shape &shape, std::int64_t rows,
                                     const std::vector<float> &x, std::int64_t ldx, const std::vector<float> &dy, std::int64_t lddy) {
  const auto pool = makePool(threads);
  auto made = makePackedWeightGradient(table.contractions, shape.k, shape.n);
  EXPECT_TRUE(made.ok());
  std::vector<float> dw(static_cast<std::size_t>(shape.k * shape.n), NAN);
  const std::int64_t room = rows * ((shape.k + 31) / 32 * 32 + (shape.n + 31) / 32 * 32) + 4096;
  std::vector<float> held(static_cast<std::size_t>(room + 1), NAN);
  held.back() = 1234.5f;
  static_cast<WeightGradientObject &>(**made).run(pool.get(), x.data(), ldx, dy.data(), lddy, rows, dw.data(), held.data());
  EXPECT_EQ(held.back(), 1234.5f);
  return dw;
}

TEST(WeightGradient, agreesWithReferenceAtAnyNumberOfThreads) {
  for (const NamedTable &level : tables()) {
    unsigned seed = 100;
    for (const Shape &shape : shapes) {
      for (const std::int64_t rows : {0, 1, 7, 61, 257, 523}) {
        Numbers numbers(++seed);
        const std::int64_t ldx = shape.k + 3, lddy = shape.n + 5;
        const auto x = numbers.floats(rows * ldx);
        const auto dy = numbers.floats(rows * lddy);
        std::vector<float> expected(static_cast<std::size_t>(shape.k * shape.n));
        reference::weightGradient(shape.k, shape.n, x.data(), ldx, dy.data(), lddy, rows, expected.data());
        const auto one = runWeightGradient(*level.table, 1, shape, rows, x, ldx, dy, lddy);
        ASSERT_TRUE(near(one, expected, 1e-6 * std::sqrt(static_cast<double>(rows) + 1)))
            << level.name << " k " << shape.k << " n " << shape.n << " rows " << rows;
        if (rows == 61 || rows == 523) {
          ASSERT_TRUE(sameBits(runWeightGradient(*level.table, 2, shape, rows, x, ldx, dy, lddy), one));
          ASSERT_TRUE(sameBits(runWeightGradient(*level.table, 7, shape, rows, x, ldx, dy, lddy), one));
        }
      }
    }
  }
}

} // namespace
} // namespace penstock
