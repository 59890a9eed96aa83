// Attention on a CUDA device against float64: ragged records, any width of heads, dropout with the CPU's bits.
#include "runtime/cuda/launchers/launchers.h"
#include "runtime/kernels/reference/reference.h"
#include "tests/cuda/kernel_data.h"
#include "tests/cuda/kernel_test.h"

#include <algorithm>

namespace penstock::cuda {
namespace {

struct Case {
  std::int64_t heads, width;
  float dropout;
  std::vector<int> lengths;
  std::int64_t shift = 0; // of the operands, from a multiple of 16 bytes
};

struct Batch {
  std::vector<int> lengths;
  std::vector<std::int32_t> offsets;
  std::vector<std::uint64_t> numbers;
  std::vector<float> qkv, dout;
  std::int64_t rows, records;
};

struct Answers {
  std::vector<float> out, lse, dqkv;
};

class Attention : public KernelTest {
protected:
  static constexpr std::uint64_t theSeed = 42, theStep = 3, theKey = 77;

  static Batch batchOf(const Case &of) {
    Batch made;
    made.lengths = of.lengths;
    made.offsets = offsetsOf(of.lengths);
    made.rows = made.offsets.back(), made.records = std::ssize(of.lengths);
    for (std::int64_t i = 0; i < made.records; ++i) {
      made.numbers.push_back(1000 + static_cast<std::uint64_t>(i) * 37 + (static_cast<std::uint64_t>(i) << 33));
    }
    made.qkv = normal(made.rows * 3 * of.heads * of.width, 1);
    made.dout = normal(made.rows * of.heads * of.width, 2);
    return made;
  }

  /// The records [from, to) of a batch, as a batch.
  static Batch part(const Batch &of, std::int64_t from, std::int64_t to) {
    const std::int64_t first = of.offsets[static_cast<std::size_t>(from)], last = of.offsets[static_cast<std::size_t>(to)];
    const std::int64_t in = std::ssize(of.qkv) / std::max<std::int64_t>(1, of.rows), out = in / 3;
    Batch made;
    made.lengths.assign(of.lengths.begin() + from, of.lengths.begin() + to);
    made.offsets = offsetsOf(made.lengths);
    made.numbers.assign(of.numbers.begin() + from, of.numbers.begin() + to);
    made.rows = last - first, made.records = to - from;
    made.qkv.assign(of.qkv.begin() + first * in, of.qkv.begin() + last * in);
    made.dout.assign(of.dout.begin() + first * out, of.dout.begin() + last * out);
    return made;
  }

  Answers onDevice(const Case &of, const Batch &batch, std::int64_t capacity, std::int32_t precision = 0) {
    const std::int64_t columns = of.heads * of.width;
    std::vector<std::int32_t> offsets = batch.offsets;
    offsets.resize(static_cast<std::size_t>(capacity + 1), 1 << 30); // anything
    std::vector<std::uint64_t> numbers = batch.numbers;
    numbers.resize(static_cast<std::size_t>(capacity));
    const OnDevice<float> qkvMemory(shifted(batch.qkv, of.shift)), doutMemory(shifted(batch.dout, of.shift));
    const OnDevice<float> out(unwritten((batch.rows + 3) * columns)), lse(unwritten((batch.rows + 3) * of.heads)),
        dqkv(unwritten((batch.rows + 3) * 3 * columns));
    const float *const qkv = qkvMemory.data() + of.shift, *const dout = doutMemory.data() + of.shift;
    OnDevice<std::int32_t> offsetsThere(offsets);
    OnDevice<std::uint64_t> numbersThere(numbers), seed(std::vector<std::uint64_t>{theSeed}), step(std::vector<std::uint64_t>{theStep});
    OnDevice<std::int64_t> count(std::vector<std::int64_t>{batch.records});
    penstock_cuda_attention(call(), qkv, out.data(), lse.data(), offsetsThere.data(), numbersThere.data(), capacity, count.data(), of.heads,
                            of.width, of.dropout, seed.data(), step.data(), theKey, precision);
    penstock_cuda_attention_grad(call(), qkv, out.data(), lse.data(), dout, dqkv.data(), offsetsThere.data(), numbersThere.data(), capacity,
                                 count.data(), of.heads, of.width, of.dropout, seed.data(), step.data(), theKey, precision);
    wait();
    return {within(out.read(), batch.rows * columns), within(lse.read(), batch.rows * of.heads),
            within(dqkv.read(), batch.rows * 3 * columns)};
  }

  /// The first `count`; behind them nobody has written.
  static std::vector<float> within(std::vector<float> all, std::int64_t count) {
    for (std::int64_t i = count; i < std::ssize(all); ++i) {
      EXPECT_EQ(all[static_cast<std::size_t>(i)], untouched) << "beyond the rows, at " << i;
    }
    all.resize(static_cast<std::size_t>(count));
    return all;
  }

  static auto multiplierOf(const Case &of) {
    return [p = of.dropout](std::uint64_t record, reference::Index head, reference::Index query, reference::Index key,
                            reference::Index length) {
      return reference::attentionMultiplier(record, head, query, key, length, theSeed, theStep, theKey, p);
    };
  }

  void check(const Case &of, double tolerance, std::int32_t precision = 0) {
    SCOPED_TRACE(testing::Message() << of.heads << " heads of " << of.width << ", dropout " << of.dropout << ", precision " << precision);
    const Batch batch = batchOf(of);
    const std::int64_t columns = of.heads * of.width;
    const auto size = [](std::int64_t count) { return static_cast<std::size_t>(count); };
    std::vector<double> out(size(batch.rows * columns)), lse(size(batch.rows * of.heads)), dqkv(size(batch.rows * 3 * columns));
    const std::vector<double> qkv = wide(batch.qkv), dout = wide(batch.dout);
    reference::attentionForward(qkv.data(), out.data(), lse.data(), batch.offsets.data(), batch.numbers.data(), 0, batch.records, of.heads,
                                of.width, multiplierOf(of));
    reference::attentionBackward(qkv.data(), dout.data(), dqkv.data(), batch.offsets.data(), batch.numbers.data(), 0, batch.records,
                                 of.heads, of.width, multiplierOf(of));
    Answers first;
    for (int order = 0; order < 3; ++order) {
      schedule(order);
      const Answers got = onDevice(of, batch, batch.records + 16 * order, precision);
      if (order == 0) {
        first = got;
        EXPECT_LT(relative(got.out, out), tolerance);
        EXPECT_LT(relative(got.lse, lse), tolerance);
        EXPECT_LT(relative(got.dqkv, dqkv), tolerance);
      }
      EXPECT_TRUE(sameBits(got.out, first.out)) << "schedule " << order;
      EXPECT_TRUE(sameBits(got.lse, first.lse)) << "schedule " << order;
      EXPECT_TRUE(sameBits(got.dqkv, first.dqkv)) << "schedule " << order;
    }
    schedule(0);
    checkAlone(of, batch, first, precision);
    checkFirst(of, batch, first, tolerance, precision);
  }

  /// Each record alone has the bits that it has among others.
  void checkAlone(const Case &of, const Batch &batch, const Answers &all, std::int32_t precision) {
    const std::int64_t columns = of.heads * of.width;
    for (std::int64_t record = 0; record < batch.records; ++record) {
      const Batch one = part(batch, record, record + 1);
      const std::int64_t at = batch.offsets[static_cast<std::size_t>(record)];
      const Answers got = onDevice(of, one, 1, precision);
      EXPECT_TRUE(std::equal(got.out.begin(), got.out.end(), all.out.begin() + at * columns)) << "record " << record;
      EXPECT_TRUE(std::equal(got.dqkv.begin(), got.dqkv.end(), all.dqkv.begin() + at * 3 * columns)) << "record " << record;
    }
  }

  /// attention_first has the bits of the first rows; its gradient is that of a loss of the first rows alone.
  void checkFirst(const Case &of, const Batch &batch, const Answers &all, double tolerance, std::int32_t precision) {
    const std::int64_t columns = of.heads * of.width, capacity = batch.records + 5;
    std::vector<float> q(static_cast<std::size_t>(batch.records * columns)), kv, dfirst(q.size()), douts(batch.dout.size());
    for (std::int64_t r = 0; r < batch.rows; ++r) {
      kv.insert(kv.end(), batch.qkv.begin() + r * 3 * columns + columns, batch.qkv.begin() + (r + 1) * 3 * columns);
    }
    for (std::int64_t r = 0; r < batch.records; ++r) {
      if (batch.lengths[static_cast<std::size_t>(r)] > 0) {
        const std::int64_t row = batch.offsets[static_cast<std::size_t>(r)];
        std::copy_n(batch.qkv.begin() + row * 3 * columns, columns, q.begin() + r * columns);
        std::copy_n(batch.dout.begin() + row * columns, columns, dfirst.begin() + r * columns);
        std::copy_n(batch.dout.begin() + row * columns, columns, douts.begin() + row * columns);
      }
    }
    std::vector<std::int32_t> offsets = batch.offsets;
    offsets.resize(static_cast<std::size_t>(capacity + 1), 1 << 30);
    OnDevice<float> qThere(q), kvThere(kv), dThere(dfirst), out(unwritten(capacity * columns)), lse(unwritten(capacity * of.heads)),
        dq(unwritten(capacity * columns)), dkv(unwritten(batch.rows * 2 * columns));
    OnDevice<std::int32_t> offsetsThere(offsets);
    OnDevice<std::uint64_t> numbers(batch.numbers), seed(std::vector<std::uint64_t>{theSeed}), step(std::vector<std::uint64_t>{theStep});
    OnDevice<std::int64_t> count(std::vector<std::int64_t>{batch.records});
    penstock_cuda_attention_first(call(), qThere.data(), kvThere.data(), out.data(), lse.data(), offsetsThere.data(), numbers.data(),
                                  capacity, count.data(), of.heads, of.width, of.dropout, seed.data(), step.data(), theKey, precision);
    penstock_cuda_attention_first_grad(call(), qThere.data(), kvThere.data(), out.data(), lse.data(), dThere.data(), dq.data(), dkv.data(),
                                       offsetsThere.data(), numbers.data(), capacity, count.data(), of.heads, of.width, of.dropout,
                                       seed.data(), step.data(), theKey, precision);
    wait();
    const std::vector<float> outHere = within(out.read(), batch.records * columns), lseHere = within(lse.read(), batch.records * of.heads);
    const std::vector<float> dqHere = within(dq.read(), batch.records * columns), dkvHere = dkv.read();
    // The gradient in float64 of d(out) that is zero but for the first rows.
    std::vector<double> expected(static_cast<std::size_t>(batch.rows * 3 * columns));
    const std::vector<double> qkv = wide(batch.qkv), dout = wide(douts);
    reference::attentionBackward(qkv.data(), dout.data(), expected.data(), batch.offsets.data(), batch.numbers.data(), 0, batch.records,
                                 of.heads, of.width, multiplierOf(of));
    std::vector<double> dq64, dkv64;
    for (std::int64_t r = 0; r < batch.records; ++r) {
      const std::int64_t row = batch.offsets[static_cast<std::size_t>(r)];
      const bool empty = batch.lengths[static_cast<std::size_t>(r)] == 0;
      for (std::int64_t c = 0; c < columns; ++c) {
        const std::size_t at = static_cast<std::size_t>(r * columns + c);
        EXPECT_EQ(outHere[at], empty ? 0.0f : all.out[static_cast<std::size_t>(row * columns + c)]) << "record " << r;
        dq64.push_back(empty ? 0.0 : expected[static_cast<std::size_t>(row * 3 * columns + c)]);
      }
      for (std::int64_t h = 0; h < of.heads; ++h) {
        EXPECT_EQ(lseHere[static_cast<std::size_t>(r * of.heads + h)],
                  empty ? 0.0f : all.lse[static_cast<std::size_t>(row * of.heads + h)]);
      }
    }
    for (std::int64_t r = 0; r < batch.rows; ++r) {
      dkv64.insert(dkv64.end(), expected.begin() + r * 3 * columns + columns, expected.begin() + (r + 1) * 3 * columns);
    }
    EXPECT_LT(relative(dqHere, dq64), tolerance);
    EXPECT_LT(relative(dkvHere, dkv64), tolerance);
  }
};

TEST_F(Attention, EveryWidthInFloat32) {
  check({2, 32, 0.1f, {1, 71, 0, 130, 7}}, 2e-6);
  check({2, 64, 0.1f, {65, 1}}, 2e-6);
  check({1, 64, 0.0f, {3, 70}}, 2e-6);
  check({1, 128, 0.1f, {5, 67}}, 2e-6);
  check({2, 1, 0.1f, {5, 0, 19}}, 2e-6);
  check({1, 37, 0.1f, {3, 66}}, 2e-6);
  check({2, 131, 0.1f, {3, 0, 17}}, 2e-6);
  check({2, 32, 0.1f, {3, 37}, 1}, 2e-6);
}

TEST_F(Attention, EveryWidthInBf16) {
  check({2, 32, 0.1f, {1, 71, 0, 130, 64}}, 1.2e-2, 1);
  check({2, 64, 0.1f, {65, 1}}, 1.2e-2, 1);
  check({1, 64, 0.0f, {3, 70}}, 1.2e-2, 1);
  check({1, 128, 0.1f, {5, 67}}, 1.2e-2, 1);
  check({2, 16, 0.1f, {63, 0, 129}}, 1.2e-2, 1);
  check({1, 37, 0.1f, {3, 66}}, 1.2e-2, 1); // by float32's kernels, of rounded operands
  check({2, 131, 0.1f, {3, 0, 17}}, 1.2e-2, 1);
  check({2, 32, 0.1f, {3, 37}, 2}, 1.2e-2, 1); // as these
}

TEST_F(Attention, AllDroppedAndNoRecords) {
  for (const std::int32_t precision : {0, 1}) {
    check({2, 16, 1.0f, {3, 20}}, precision == 0 ? 2e-6 : 1.2e-2, precision);
    check({2, 16, 0.1f, {}}, 2e-6, precision);
  }
}

} // namespace
} // namespace penstock::cuda
