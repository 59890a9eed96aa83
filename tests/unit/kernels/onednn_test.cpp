// oneDNN's matmul behind our interface, forced. A process has one level of oneDNN; here it is avx2, as in table_test.cpp.
#include "tests/unit/kernels/kernel_testing.h"

namespace penstock {
namespace {

using namespace penstock::testing;

Result<KernelHandle> makeForced(std::int64_t k, std::int64_t n, bool transposed) {
  const std::int64_t attributes[] = {k, n, transposed ? 1 : 0, transposed ? k : n, 0};
  const PenstockDispatch dispatch = {"matmul", "", 5, attributes};
  return makeKernelHandle(dispatch, Level::avx2, "onednn");
}

struct Shape {
  std::int64_t k, n;
};
const Shape shapes[] = {{1, 1}, {7, 5}, {31, 48}, {128, 100}, {321, 29}, {384, 1536}, {128, 128}};

#define REQUIRE_ONEDNN(handle)                                                                                                             \
  if (!oneDnnVersion().ok()) {                                                                                                             \
    GTEST_SKIP() << oneDnnVersion().status().message();                                                                                    \
  }                                                                                                                                        \
  ASSERT_TRUE((handle).ok()) << (handle).status().message()

TEST(OneDnnMatmul, agreesWithReference) {
  const auto pool = makePool(2);
  unsigned seed = 0;
  for (const Shape &shape : shapes) {
    for (const bool transposed : {false, true}) {
      auto handle = makeForced(shape.k, shape.n, transposed);
      REQUIRE_ONEDNN(handle);
      Numbers numbers(++seed);
      const auto w = numbers.floats(shape.k * shape.n), bias = numbers.floats(shape.n);
      penstock_pack(handle->get(), w.data(), pool.get());
      for (const std::int64_t rows : {0, 1, 15, 16, 97, 113}) {
        for (const std::int64_t gap : {0, 3}) {
          for (const bool accumulate : {false, true}) {
            const std::int64_t ldx = shape.k + gap, ldy = shape.n + gap;
            const auto x = numbers.floats(rows * ldx);
            auto y = numbers.floats(rows * ldy), expected = y;
            const float *added = gap == 0 ? bias.data() : nullptr;
            reference::matmul(w.data(), shape.k, shape.n, transposed, x.data(), ldx, expected.data(), ldy, rows, added, accumulate);
            penstock_matmul(handle->get(), x.data(), ldx, y.data(), ldy, rows, added, accumulate ? 1 : 0);
            ASSERT_TRUE(near(y, expected, 1e-6 * std::sqrt(static_cast<double>(shape.k))))
                << "k " << shape.k << " n " << shape.n << " rows " << rows << " gap " << gap;
          }
        }
      }
    }
  }
}

TEST(OneDnnMatmul, rowAloneHasTheBitsOfTheRowInABatch) {
  const auto pool = makePool(1);
  for (const Shape &shape : shapes) {
    auto handle = makeForced(shape.k, shape.n, false);
    REQUIRE_ONEDNN(handle);
    const std::int64_t rows = 131;
    Numbers numbers(11);
    const auto w = numbers.floats(shape.k * shape.n), x = numbers.floats(rows * shape.k);
    penstock_pack(handle->get(), w.data(), pool.get());
    std::vector<float> all(static_cast<std::size_t>(rows * shape.n), NAN);
    penstock_matmul(handle->get(), x.data(), shape.k, all.data(), shape.n, rows, nullptr, 0);
    for (const std::int64_t block : {1, 5, 16, 48, 96}) {
      std::vector<float> pieces(all.size(), NAN);
      for (std::int64_t first = 0; first < rows; first += block) {
        penstock_matmul(handle->get(), x.data() + first * shape.k, shape.k, pieces.data() + first * shape.n, shape.n,
                        std::min(block, rows - first), nullptr, 0);
      }
      EXPECT_TRUE(sameBits(pieces, all)) << "k " << shape.k << " n " << shape.n << " block " << block;
    }
  }
}

TEST(OneDnnMatmul, createsPrimitivesOnlyAtLoad) {
  auto handle = makeForced(64, 48, false);
  REQUIRE_ONEDNN(handle);
  const auto pool = makePool(3);
  Numbers numbers(2);
  const auto w = numbers.floats(64 * 48), x = numbers.floats(700 * 64);
  std::vector<float> y(700 * 48);
  const KernelCounters before = kernelCounters();
  penstock_pack(handle->get(), w.data(), pool.get());
  struct Run {
    void *handle;
    const float *x;
    float *y;
  } run = {handle->get(), x.data(), y.data()};
  pool->parallelFor(
      [](void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
        const Run &r = *static_cast<const Run *>(context);
        penstock_matmul(r.handle, r.x + begin * 64, 64, r.y + begin * 48, 48, end - begin, nullptr, 0);
      },
      &run, 700, 96);
  const KernelCounters after = kernelCounters();
  EXPECT_EQ(after.onednnPrimitivesCreated, before.onednnPrimitivesCreated);
  EXPECT_EQ(after.onednnExecutes,
            before.onednnExecutes + 1 + 7 + 2); // packing; 7 whole blocks of 96; 28 rows as 16 + 12
  std::vector<float> expected(y.size());
  reference::matmul<float>(w.data(), 64, 48, false, x.data(), 64, expected.data(), 48, 700, nullptr, false);
  EXPECT_TRUE(near(y, expected, 1e-5));
}

TEST(OneDnnMatmul, servesOneLevelAProcess) {
  auto handle = makeForced(3, 2, false);
  REQUIRE_ONEDNN(handle);
  EXPECT_TRUE(kernelHandleStatus(handle->get()).ok());
  const std::int64_t attributes[] = {3, 2, 0, 2, 0};
  const auto other = makeKernelHandle({"matmul", "", 5, attributes}, Level::avx512, "onednn");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(exitCodeOf(other.status().code()), 4);
  EXPECT_NE(other.status().message().find("`avx2` already"), std::string::npos) << other.status().message();
}

} // namespace
} // namespace penstock
