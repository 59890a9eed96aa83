// Contractions with operands rounded to bf16: the logic by emulated instructions on every machine, the instructions where they exist.
#include "tests/unit/kernels/kernel_testing.h"

#include <cstring>

extern "C" const PenstockContractions penstockWideBf16;

namespace penstock {
namespace {

using namespace penstock::testing;

/// How an implementation sums, for the tests of its bits.
enum class Sums { tiles, pairs };

struct NamedContractions {
  const char *name;
  const PenstockContractions *by;
  Sums sums;
};

std::vector<NamedContractions> contractions() {
  std::vector<NamedContractions> all = {{"emulated tiles", &penstockEmulatedBf16, Sums::tiles},
                                        {"emulated pairs", &penstockWideBf16, Sums::pairs}};
  const auto level = machineLevel();
  if (level.ok() && bf16Instructions(*level) == "amx") {
    all.push_back({"amx", &penstockAmxBf16, Sums::tiles});
  }
  if (level.ok() && !bf16Instructions(*level).empty()) {
    all.push_back({"avx512_bf16", &penstockAvx512Bf16, Sums::pairs});
  }
  return all;
}

/// float32 to bf16 by arithmetic: the two neighbours and the distances to them.
std::uint16_t bf16Of(float value) {
  std::uint32_t word;
  std::memcpy(&word, &value, 4);
  const std::uint16_t top = static_cast<std::uint16_t>(word >> 16);
  if (std::isnan(value)) {
    return top | 0x40;
  }
  if (std::fpclassify(value) == FP_SUBNORMAL) {
    return top & 0x8000;
  }
  const std::uint32_t rest = word & 0xFFFF;
  const bool up = rest > 0x8000 || (rest == 0x8000 && (top & 1) != 0);
  return static_cast<std::uint16_t>(top + (up ? 1 : 0));
}
float floatOf(std::uint16_t half) {
  const std::uint32_t word = static_cast<std::uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}
float rounded(float value) { return floatOf(bf16Of(value)); }
template <class T = float> std::vector<T> roundedAll(const std::vector<float> &values) {
  std::vector<T> all;
  for (const float v : values) {
    all.push_back(rounded(v));
  }
  return all;
}

struct Shape {
  std::int64_t k, n;
};
const Shape shapes[] = {{1, 1},   {3, 2},    {31, 17},  {32, 32},   {33, 15},   {64, 48},
                        {129, 5}, {384, 96}, {700, 31}, {521, 131}, {1031, 67}, {4133, 37}};

std::unique_ptr<MatmulObject> packedMatmul(const PenstockContractions &by, const Shape &shape, bool transposed, const std::vector<float> &w,
                                           ThreadPool *pool) {
  auto made = makePackedMatmul(by, WeightShape::dense(shape.k, shape.n, transposed));
  EXPECT_TRUE(made.ok());
  std::unique_ptr<MatmulObject> matmul(static_cast<MatmulObject *>(std::move(made).value().release()));
  matmul->pack(w.data(), pool);
  return matmul;
}

std::vector<float> run(MatmulObject &matmul, const Shape &shape, const std::vector<float> &x, std::int64_t rows, const float *bias,
                       const std::vector<float> *old) {
  std::vector<float> y = old != nullptr ? *old : std::vector<float>(static_cast<std::size_t>(rows * shape.n), NAN);
  matmul.run(x.data(), shape.k, y.data(), shape.n, rows, bias, old != nullptr);
  return y;
}

TEST(Bf16, roundsToNearestEvenAndKeepsNan) {
  // A weight of one column and 32 rows is a tile whose word of pair r holds rows 2 r and 2 r + 1.
  const auto pool = makePool(1);
  std::vector<std::uint32_t> patterns = {0x00000000, 0x80000000, 0x3F800000, 0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF,
                                         0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF,
                                         0x00000001, 0x807FFFFF, 0x00800000, 0x007FFFFF, 0x7F7F8000, 0x7F7F7FFF};
  std::mt19937 engine(17);
  while (patterns.size() < 32 * 512) {
    patterns.push_back(static_cast<std::uint32_t>(engine()));
  }
  for (const NamedContractions &each : contractions()) {
    for (const std::int32_t transposed : {0, 1}) {
      for (std::size_t first = 0; first < patterns.size(); first += 32) {
        std::vector<float> w(32), packed(static_cast<std::size_t>(each.by->packedFloats(32, 1)));
        std::memcpy(w.data(), &patterns[first], 32 * 4);
        each.by->pack(pool.get(), w.data(), transposed ? 32 : 1, 32, 1, transposed, packed.data());
        for (std::size_t i = 0; i < 32; ++i) {
          std::uint32_t word;
          std::memcpy(&word, &packed[i / 2 * 16], 4);
          ASSERT_EQ(i % 2 == 0 ? word & 0xFFFF : word >> 16, bf16Of(w[i])) << each.name << " " << std::hex << patterns[first + i];
        }
      }
    }
  }
}

TEST(Bf16, matmulAgreesWithFloat64OfRoundedOperands) {
  const auto pool = makePool(2);
  for (const NamedContractions &each : contractions()) {
    unsigned seed = 1;
    for (const Shape &shape : shapes) {
      for (const bool transposed : {false, true}) {
        Numbers numbers(++seed);
        const auto w = numbers.floats(shape.k * shape.n), bias = numbers.floats(shape.n);
        const auto wide = roundedAll<double>(w);
        const auto matmul = packedMatmul(*each.by, shape, transposed, w, pool.get());
        for (const std::int64_t rows : {0, 1, 9, 16, 17, 32, 53, 211}) {
          const auto x = numbers.floats(rows * shape.k), old = numbers.floats(rows * shape.n);
          const auto wideX = roundedAll<double>(x);
          const std::vector<double> wideBias(bias.begin(), bias.end());
          for (const bool accumulate : {false, true}) {
            for (const bool biased : {false, true}) {
              std::vector<double> expected(old.begin(), old.end());
              reference::matmul<double>(wide.data(), shape.k, shape.n, transposed, wideX.data(), shape.k, expected.data(), shape.n, rows,
                                        biased ? wideBias.data() : nullptr, accumulate);
              const auto actual = run(*matmul, shape, x, rows, biased ? bias.data() : nullptr, accumulate ? &old : nullptr);
              ASSERT_TRUE(
                  near(actual, std::vector<float>(expected.begin(), expected.end()), 1e-6 * std::sqrt(static_cast<double>(shape.k))))
                  << each.name << " k " << shape.k << " n " << shape.n << " rows " << rows;
            }
          }
        }
      }
    }
  }
}

TEST(Bf16, sumsInTheOrderOfTheInstructions) {
  const auto pool = makePool(1);
  const Shape shape = {1000, 35}; // two blocks of depth
  const std::int64_t rows = 19;
  Numbers numbers(23);
  const auto w = numbers.floats(shape.k * shape.n), x = numbers.floats(rows * shape.k), bias = numbers.floats(shape.n);
  const auto wr = roundedAll(w), xr = roundedAll(x);
  for (const NamedContractions &each : contractions()) {
    if (each.by == &penstockAvx512Bf16) {
      continue; // the order is Intel's; others make processors with this instruction too
    }
    std::vector<float> expected;
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < shape.n; ++j) {
        const auto product = [&](std::int64_t d, float sum) {
          return d < shape.k ? std::fma(xr[static_cast<std::size_t>(i * shape.k + d)], wr[static_cast<std::size_t>(d * shape.n + j)], sum)
                             : sum;
        };
        float sum = bias[static_cast<std::size_t>(j)];
        for (std::int64_t step = 0; step < shape.k; step += 32) {
          float even = 0, odd = 0;
          for (std::int64_t d = step; d < step + 32; d += 2) {
            if (each.sums == Sums::tiles) {
              even = product(d, even);
              odd = product(d + 1, odd);
            } else {
              sum = product(d, product(d + 1, sum));
            }
          }
          sum += each.sums == Sums::tiles ? even + odd : 0.0f;
        }
        expected.push_back(sum);
      }
    }
    const auto matmul = packedMatmul(*each.by, shape, false, w, pool.get());
    EXPECT_TRUE(sameBits(run(*matmul, shape, x, rows, bias.data(), nullptr), expected)) << each.name;
  }
}

TEST(Bf16, rowAloneHasTheBitsOfTheRowInABatch) {
  const auto pool = makePool(1);
  for (const NamedContractions &each : contractions()) {
    for (const Shape &shape : {Shape{97, 31}, Shape{1500, 53}, Shape{4133, 19}}) {
      const std::int64_t rows = 211; // more than are held rounded at once
      Numbers numbers(11);
      const auto w = numbers.floats(shape.k * shape.n), bias = numbers.floats(shape.n), x = numbers.floats(rows * shape.k);
      const auto matmul = packedMatmul(*each.by, shape, false, w, pool.get());
      const auto all = run(*matmul, shape, x, rows, bias.data(), nullptr);
      for (const std::int64_t block : {1, 5, 17, 48}) {
        std::vector<float> pieces(all.size(), NAN);
        for (std::int64_t first = 0; first < rows; first += block) {
          matmul->run(x.data() + first * shape.k, shape.k, pieces.data() + first * shape.n, shape.n, std::min(block, rows - first),
                      bias.data(), false);
        }
        EXPECT_TRUE(sameBits(pieces, all)) << each.name << " block " << block;
      }
    }
  }
}

TEST(Bf16, takesStridedOperandsAndTouchesNothingBetween) {
  const auto pool = makePool(1);
  for (const NamedContractions &each : contractions()) {
    const Shape shape = {37, 41};
    const std::int64_t rows = 43, ldx = 59, ldy = 71;
    Numbers numbers(5);
    const auto w = numbers.floats(shape.k * shape.n);
    auto x = numbers.floats(rows * ldx);
    for (std::int64_t i = 0; i < rows; ++i) { // what lies between the rows must not be read into the sums
      std::fill_n(x.begin() + i * ldx + shape.k, ldx - shape.k, NAN);
    }
    const auto wr = roundedAll(w), xr = roundedAll(x);
    const auto matmul = packedMatmul(*each.by, shape, false, w, pool.get());
    auto y = numbers.floats(rows * ldy);
    auto expected = y;
    reference::matmul<float>(wr.data(), shape.k, shape.n, false, xr.data(), ldx, expected.data(), ldy, rows, nullptr, false);
    matmul->run(x.data(), ldx, y.data(), ldy, rows, nullptr, false);
    EXPECT_TRUE(near(y, expected, 1e-5)) << each.name;
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::size_t at = static_cast<std::size_t>(i * ldy + shape.n);
      EXPECT_EQ(std::memcmp(&y[at], &expected[at], static_cast<std::size_t>(ldy - shape.n) * 4), 0);
    }
  }
}

std::vector<float> weightGradient(const PenstockContractions &by, int threads, const Shape &shape, std::int64_t rows,
                                  const std::vector<float> &x, std::int64_t ldx, const std::vector<float> &dy, std::int64_t lddy) {
  const auto pool = makePool(threads);
  auto made = makePackedWeightGradient(by, shape.k, shape.n);
  EXPECT_TRUE(made.ok());
  std::vector<float> dw(static_cast<std::size_t>(shape.k * shape.n), NAN);
  const std::int64_t room = (rows + 15) / 16 * 16 * ((shape.k + 31) / 32 * 32 + (shape.n + 31) / 32 * 32) + 4096;
  std::vector<float> held(static_cast<std::size_t>(room + 1), NAN);
  held.back() = 1234.5f;
  static_cast<WeightGradientObject &>(**made).run(pool.get(), x.data(), ldx, dy.data(), lddy, rows, dw.data(), held.data());
  EXPECT_EQ(held.back(), 1234.5f);
  return dw;
}

TEST(Bf16, weightGradientAgreesWithFloat64AtAnyNumberOfThreads) {
  for (const NamedContractions &each : contractions()) {
    unsigned seed = 100;
    for (const Shape &shape : {Shape{1, 1}, Shape{7, 5}, Shape{33, 15}, Shape{131, 163}, Shape{384, 67}}) {
      for (const std::int64_t rows : {0, 1, 7, 33, 61, 523, 1100}) {
        Numbers numbers(++seed);
        const std::int64_t ldx = shape.k + 3, lddy = shape.n + 5;
        const auto x = numbers.floats(rows * ldx), dy = numbers.floats(rows * lddy);
        const auto wideX = roundedAll<double>(x), wideDy = roundedAll<double>(dy);
        std::vector<double> expected(static_cast<std::size_t>(shape.k * shape.n));
        reference::weightGradient<double>(shape.k, shape.n, wideX.data(), ldx, wideDy.data(), lddy, rows, expected.data());
        const auto one = weightGradient(*each.by, 1, shape, rows, x, ldx, dy, lddy);
        ASSERT_TRUE(near(one, std::vector<float>(expected.begin(), expected.end()), 1e-6 * std::sqrt(static_cast<double>(rows) + 1)))
            << each.name << " k " << shape.k << " n " << shape.n << " rows " << rows;
        if (rows == 61 || rows == 1100) {
          ASSERT_TRUE(sameBits(weightGradient(*each.by, 2, shape, rows, x, ldx, dy, lddy), one)) << each.name;
          ASSERT_TRUE(sameBits(weightGradient(*each.by, 7, shape, rows, x, ldx, dy, lddy), one)) << each.name;
        }
      }
    }
  }
}

TEST(Bf16, handlesFollowTheMachineAndFallBackToFloat32) {
  const auto pool = makePool(1);
  const std::int64_t k = 67, n = 41, rows = 35;
  Numbers numbers(9);
  const auto w = numbers.floats(k * n), x = numbers.floats(rows * k);
  const auto by = [&](std::int64_t precision, Level level, const char *force) {
    const std::int64_t sizes[] = {k, n, 0, n, precision};
    const PenstockDispatch dispatch = {"matmul", "", 5, sizes};
    auto handle = makeKernelHandle(dispatch, level, force);
    EXPECT_TRUE(handle.ok());
    std::vector<float> y(static_cast<std::size_t>(rows * n), NAN);
    penstock_pack(handle->get(), w.data(), pool.get());
    penstock_matmul(handle->get(), x.data(), k, y.data(), n, rows, nullptr, 0);
    return y;
  };
  EXPECT_EQ(bf16Instructions(Level::avx2), "");
  const auto single = by(0, Level::avx2, ""), emulated = by(1, Level::avx2, "emulated");
  EXPECT_TRUE(sameBits(by(1, Level::avx2, ""), single));
  EXPECT_TRUE(sameBits(by(0, Level::avx2, "emulated"), single));
  EXPECT_FALSE(sameBits(emulated, single));
  EXPECT_TRUE(near(emulated, single, 0.1)); // 67 products of numbers with 8 bits
  const auto level = machineLevel();
  if (level.ok() && bf16Instructions(*level) == "amx") {
    EXPECT_TRUE(sameBits(by(1, *level, ""), emulated));
  }
}

} // namespace
} // namespace penstock
