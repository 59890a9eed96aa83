// Matmul and weight gradient on a CUDA device: the bits of the CPU's kernels, under every schedule, whatever stands beside a row.
#include "runtime/cuda/handles.h"
#include "runtime/cuda/launchers/launchers.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/reference/reference.h"
#include "tests/cuda/kernel_data.h"
#include "tests/cuda/kernel_test.h"

namespace penstock::cuda {
namespace {

struct Shape {
  std::int64_t rows, k, n;
  bool transposed = false, bias = true, accumulate = false;
  std::int64_t strideX = 0, strideW = 0, strideY = 0; // beyond the width
  std::int64_t shift = 0;                             // of the operands, from a multiple of 16 bytes
};

class Matmul : public KernelTest {
protected:
  KernelHandle handleOf(const char *kind, std::vector<std::int64_t> numbers, Device &device) {
    const PenstockDispatch dispatch = {kind, "", static_cast<std::int32_t>(numbers.size()), numbers.data()};
    Result<KernelHandle> made = makeHandle(dispatch, device);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return std::move(*made);
  }

  struct Operands {
    std::vector<float> x, w, bias, y;
    std::int64_t ldx, ldw, ldy;
  };
  static Operands operandsOf(const Shape &of) {
    Operands made;
    made.ldx = of.k + of.strideX, made.ldw = (of.transposed ? of.k : of.n) + of.strideW, made.ldy = of.n + of.strideY;
    made.x = normal(of.rows * made.ldx, 1);
    made.w = normal((of.transposed ? of.n : of.k) * made.ldw, 2, 0.3f);
    made.bias = normal(of.n, 3);
    made.y = normal(of.rows * made.ldy, 4);
    return made;
  }

  /// y where `rows` of `capacity` are there.
  std::vector<float> onDevice(const Shape &of, const Operands &host, std::int64_t capacity, std::int64_t precision = 0) {
    const KernelHandle handle = handleOf("matmul", {of.k, of.n, of.transposed ? 1 : 0, host.ldw, precision}, TestCard::get().device());
    std::vector<float> room = host.y;
    room.resize(static_cast<std::size_t>(capacity * host.ldy), untouched);
    const OnDevice<float> x(shifted(host.x, of.shift)), w(shifted(host.w, of.shift)), bias(host.bias), y(shifted(room, of.shift));
    float *const to = y.data() + of.shift;
    OnDevice<std::int64_t> count(std::vector<std::int64_t>{of.rows});
    penstock_cuda_pack(call(), handle.get(), w.data() + of.shift, static_cast<std::int32_t>(precision));
    penstock_cuda_matmul(call(), handle.get(), x.data() + of.shift, host.ldx, to, host.ldy, capacity,
                         capacity == of.rows ? nullptr : count.data(), of.bias ? bias.data() : nullptr, of.accumulate ? 1 : 0,
                         static_cast<std::int32_t>(precision));
    wait();
    std::vector<float> got = y.read();
    got.erase(got.begin(), got.begin() + of.shift);
    for (std::size_t i = host.y.size(); i < got.size(); ++i) {
      EXPECT_EQ(got[i], untouched) << "beyond the rows, at " << i;
    }
    got.resize(host.y.size());
    return got;
  }
};

/// As the kernels round what they multiply.
std::vector<float> roundedToBf16(std::vector<float> of) {
  for (float &x : of) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, 4);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u;
    std::memcpy(&x, &bits, 4);
  }
  return of;
}
std::vector<float> as(std::int64_t precision, const std::vector<float> &of) { return precision == 1 ? roundedToBf16(of) : of; }

const Shape shapes[] = {
    {131, 37, 67},
    {67, 48, 129, true, false},
    {5, 257, 3, false, true, true},
    {1, 1, 1},
    {64, 16, 64, true, true, true, 4, 8, 4},
    {65, 20, 70, false, false, false, 3, 5, 1},
    {3, 0, 7},
    {0, 5, 7},
    {4, 5, 0},
    {200, 32, 130, true, true, true, 0, 0, 130},
    {70, 32, 68, false, true, false, 0, 0, 0, 1},
    {70, 32, 68, true, true, true, 0, 0, 0, 2},
};

/// Products of bf16 are exact in float32, so of rounded operands the float32 kernel of the CPU says what bf16 must give: its very bits on
/// the emulator, which adds one product after another.
class MatmulOf : public Matmul, public testing::WithParamInterface<std::int64_t> {
protected:
  static bool agrees(const std::vector<float> &got, const std::vector<float> &expected) {
    return GetParam() == 0 || TestCard::get().emulated() ? sameBits(got, expected) : relative(got, wide(expected)) < 1e-5;
  }
};
INSTANTIATE_TEST_SUITE_P(Precisions, MatmulOf, testing::Values(0, 1), [](const auto &of) { return of.param == 0 ? "fp32" : "bf16"; });

TEST_P(MatmulOf, EveryShapeHasTheCpusBits) {
  for (const Shape &shape : shapes) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.k << " x " << shape.n << (shape.transposed ? " transposed" : ""));
    const Operands host = operandsOf(shape);
    std::vector<float> expected = host.y;
    const std::int64_t numbers[] = {shape.k, shape.n, shape.transposed ? 1 : 0, host.ldw, 0};
    const Result<KernelHandle> cpu = makeKernelHandle({"matmul", "", 5, numbers}, Level::avx2, "packed");
    ASSERT_TRUE(cpu.ok());
    const Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::create(1);
    ASSERT_TRUE(pool.ok());
    const std::vector<float> x = as(GetParam(), host.x), w = as(GetParam(), host.w);
    penstock_pack(cpu->get(), w.data(), pool->get());
    penstock_matmul(cpu->get(), x.data(), host.ldx, expected.data(), host.ldy, shape.rows, shape.bias ? host.bias.data() : nullptr,
                    shape.accumulate ? 1 : 0);
    for (int order = 0; order < 3; ++order) {
      schedule(order);
      EXPECT_TRUE(agrees(onDevice(shape, host, shape.rows, GetParam()), expected)) << "schedule " << order;
    }
    EXPECT_TRUE(agrees(onDevice(shape, host, shape.rows + 77, GetParam()), expected)) << "of a larger capacity";
    wholeLaunches(true);
    EXPECT_TRUE(agrees(onDevice(shape, host, shape.rows + 77, GetParam()), expected)) << "by a function of the host";
  }
}

TEST_P(MatmulOf, TilesOfEverySizeHaveTheSameBits) {
  for (const std::int64_t n : {64 * 60, 64 * 129}) { // with so many columns tiles are 64 x 64, 128 x 128
    const Shape many = {130, 5, n};
    const Operands host = operandsOf(many);
    const std::vector<float> all = onDevice(many, host, many.rows, GetParam());
    Shape alone = {1, 5, n};
    Operands one = host;
    one.x.assign(host.x.begin() + 129 * host.ldx, host.x.end());
    one.y.assign(host.y.begin() + 129 * host.ldy, host.y.end());
    Operands left = one;
    alone.n = 7;
    left.ldw = host.ldw; // its first columns, where tiles are small
    left.bias.resize(7), left.y.resize(7), left.ldy = 7;
    const std::vector<float> few = onDevice(alone, left, 1, GetParam());
    EXPECT_TRUE(sameBits(few, std::vector<float>(all.begin() + 129 * host.ldy, all.begin() + 129 * host.ldy + 7)));
    wholeLaunches(true);
    EXPECT_TRUE(sameBits(onDevice(many, host, many.rows, GetParam()), all)) << "by a function of the host";
    schedule(0);
  }
}

TEST_P(MatmulOf, WeightGradientHasTheCpusBits) {
  for (const Shape &shape : {Shape{131, 37, 67}, Shape{300, 64, 128}, Shape{1, 3, 5, false, false, false, 1, 0, 2}, Shape{0, 7, 11},
                             Shape{40, 129, 1}, Shape{17, 0, 3}, Shape{33, 130, 64 * 128}, Shape{33, 65, 64 * 60}}) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.k << " x " << shape.n);
    const std::int64_t ldx = shape.k + shape.strideX, lddy = shape.n + shape.strideY;
    const std::vector<float> x = normal(shape.rows * ldx, 5), dy = normal(shape.rows * lddy, 6);
    const std::int64_t numbers[] = {shape.k, shape.n, 0};
    const Result<KernelHandle> cpu = makeKernelHandle({"weight_gradient", "", 3, numbers}, Level::avx2, "packed");
    ASSERT_TRUE(cpu.ok());
    const Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::create(1);
    ASSERT_TRUE(pool.ok());
    std::vector<float> expected(static_cast<std::size_t>(shape.k * shape.n));
    std::vector<float> scratch(static_cast<std::size_t>(4096 + (shape.rows + 64) * (shape.k + shape.n + 64)));
    const std::vector<float> xHere = as(GetParam(), x), dyHere = as(GetParam(), dy);
    penstock_weight_gradient(cpu->get(), pool->get(), xHere.data(), ldx, dyHere.data(), lddy, shape.rows, expected.data(), scratch.data());
    const KernelHandle handle = handleOf("weight_gradient", {shape.k, shape.n, GetParam()}, TestCard::get().device());
    OnDevice<float> xThere(x), dyThere(dy);
    OnDevice<std::int64_t> count(std::vector<std::int64_t>{shape.rows});
    for (int order = 0; order < 4; ++order) {
      order < 3 ? schedule(order) : wholeLaunches(true);
      OnDevice<float> dw(unwritten(shape.k * shape.n));
      penstock_cuda_weight_gradient(call(), handle.get(), xThere.data(), ldx, dyThere.data(), lddy, shape.rows + 16 * order, count.data(),
                                    dw.data(), 0);
      wait();
      EXPECT_TRUE(agrees(dw.read(), expected)) << "schedule " << order;
    }
  }
}

/// More weights than one launch packs, all of them before the first kernel that reads one.
TEST_F(Matmul, ManyWeightsArePackedTogether) {
  constexpr std::int64_t count = 100, k = 3, n = 2;
  const std::vector<float> x = roundedToBf16(normal(k, 1)), weights = roundedToBf16(normal(count * k * n, 2));
  const OnDevice<float> xThere(x), weightsThere(weights), y(unwritten(count * n));
  std::vector<KernelHandle> handles;
  for (std::int64_t i = 0; i < count; ++i) {
    handles.push_back(handleOf("matmul", {k, n, i % 2, i % 2 == 0 ? n : k, 1}, TestCard::get().device()));
    penstock_cuda_pack(call(), handles.back().get(), weightsThere.data() + i * k * n, 1);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    penstock_cuda_matmul(call(), handles[static_cast<std::size_t>(i)].get(), xThere.data(), k, y.data() + i * n, n, 1, nullptr, nullptr, 0,
                         1);
  }
  const std::vector<float> got = y.read();
  for (std::int64_t i = 0; i < count; ++i) {
    float expected[n];
    reference::matmul<float>(weights.data() + i * k * n, k, n, i % 2 == 1, x.data(), k, expected, n, 1, nullptr, false);
    for (std::int64_t j = 0; j < n; ++j) {
      EXPECT_NEAR(got[static_cast<std::size_t>(i * n + j)], expected[j], 1e-5) << "weight " << i;
    }
  }
}

} // namespace
} // namespace penstock::cuda
