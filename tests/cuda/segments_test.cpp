// Pooling, rows by id and gradients of tables on a CUDA device: the bits of the CPU's kernels, under every schedule and at two capacities,
// and nothing written beyond the records that are there.
#include "runtime/cuda/launchers/launchers.h"
#include "runtime/device/thread_pool.h"
#include "runtime/kernels/handles.h"
#include "runtime/kernels/reference/reference.h"
#include "tests/cuda/kernel_data.h"
#include "tests/cuda/kernel_test.h"

#include <functional>

namespace penstock::cuda {
namespace {

using Ints = std::vector<std::int32_t>;
using Floats = std::vector<float>;

class Segments : public KernelTest {
protected:
  const LevelKernels &cpu = levelTable(Level::avx2).kernels;

  /// In each schedule: with exactly the capacity that is needed and no count, and with a larger one and the count of what is there.
  void everyWay(std::int64_t count, const std::function<void(std::int64_t capacity, const std::int64_t *count)> &body) {
    const OnDevice<std::int64_t> there(std::vector<std::int64_t>{count});
    for (int order = 0; order < 3; ++order) {
      SCOPED_TRACE(testing::Message() << "schedule " << order);
      schedule(order);
      body(count, nullptr);
      body(count + 37, there.data());
    }
  }
  static std::int64_t recordsOf(const Ints &offsets) { return static_cast<std::int64_t>(offsets.size()) - 1; }
  static Ints idsOf(std::int64_t count, std::int64_t vocabulary, unsigned seed, std::int32_t least = 0) {
    std::mt19937 random(seed);
    Ints made;
    for (std::int64_t i = 0; i < count; ++i) {
      made.push_back(std::max(least, static_cast<std::int32_t>(random() % static_cast<unsigned>(vocabulary + 1)) - 1));
    }
    return made;
  }
  /// Compares what the device wrote with `expected` and with nothing behind it.
  template <class T> static void compare(const OnDevice<T> &got, const std::vector<T> &expected, T empty) {
    std::vector<T> all = got.read();
    for (std::size_t i = expected.size(); i < all.size(); ++i) {
      EXPECT_EQ(all[i], empty) << "beyond the end, at " << i;
    }
    all.resize(expected.size());
    EXPECT_TRUE(sameBits(all, expected));
  }
  static OnDevice<float> room(const Floats &expected) {
    return OnDevice<float>(unwritten(static_cast<std::int64_t>(expected.size()) + 61));
  }
  static OnDevice<std::int32_t> intRoom(const Ints &expected) { return OnDevice<std::int32_t>(Ints(expected.size() + 61, -77)); }
  static void compare(const OnDevice<float> &got, const Floats &expected) { compare(got, expected, untouched); }
  static void compare(const OnDevice<std::int32_t> &got, const Ints &expected) { compare(got, expected, -77); }
};

const std::vector<std::vector<int>> lengthsOfAll = {{}, {1}, {0}, {3, 0, 17, 1, 71}, {2, 131}};
const std::int64_t widths[] = {1, 3, 67, 128};

TEST_F(Segments, PoolingHasTheCpusBits) {
  for (const std::vector<int> &lengths : lengthsOfAll) {
    for (const std::int64_t width : widths) {
      SCOPED_TRACE(testing::Message() << lengths.size() << " records, width " << width);
      const Ints offsets = offsetsOf(lengths);
      const std::int64_t records = recordsOf(offsets), rows = offsets.back();
      const Floats x = normal(rows * width, 11), g = normal(rows * width, 13), gRecords = normal(records * width, 17);
      const auto inRows = static_cast<std::size_t>(rows * width), inRecords = static_cast<std::size_t>(records * width);
      Floats sum(inRecords), top(inRecords), topGradient(inRows), softmax(inRows), softmaxGradient(inRows), forward(inRows),
          backward(inRows);
      Ints argmax(inRecords);
      const std::int32_t *const at = offsets.data();
      cpu.segment_sum(x.data(), at, 0, records, width, sum.data());
      cpu.segment_max(x.data(), at, 0, records, width, top.data(), argmax.data());
      cpu.segment_max_grad(gRecords.data(), argmax.data(), at, 0, records, width, topGradient.data());
      cpu.segment_softmax(x.data(), at, 0, records, width, softmax.data());
      cpu.segment_softmax_grad(softmax.data(), g.data(), at, 0, records, width, softmaxGradient.data());
      cpu.running_sum(x.data(), at, 0, records, width, 0, forward.data());
      cpu.running_sum(x.data(), at, 0, records, width, 1, backward.data());
      std::vector<double> exact(inRecords);
      reference::segmentSum(wide(x).data(), at, 0, records, width, exact.data());
      EXPECT_LE(relative(sum, exact), 1e-6);

      const OnDevice<float> theX(x), theG(g), theGRecords(gRecords), theSoftmax(softmax);
      const OnDevice<std::int32_t> theOffsets(offsets), theArgmax(argmax);
      everyWay(records, [&](std::int64_t capacity, const std::int64_t *count) {
        const auto one = [&](const Floats &expected, const auto &launcher, const auto &...inputs) {
          const OnDevice<float> y = room(expected);
          launcher(call(), inputs..., theOffsets.data(), capacity, count, width, y.data(), 0);
          compare(y, expected);
        };
        one(sum, penstock_cuda_segment_sum, theX.data());
        one(topGradient, penstock_cuda_segment_max_grad, theGRecords.data(), theArgmax.data());
        one(softmax, penstock_cuda_segment_softmax, theX.data());
        one(softmaxGradient, penstock_cuda_segment_softmax_grad, theSoftmax.data(), theG.data());
        const OnDevice<float> maxima = room(top), sums = room(forward), behind = room(backward);
        const OnDevice<std::int32_t> where = intRoom(argmax);
        penstock_cuda_segment_max(call(), theX.data(), theOffsets.data(), capacity, count, width, maxima.data(), where.data(), 0);
        compare(maxima, top);
        compare(where, argmax);
        penstock_cuda_running_sum(call(), theX.data(), theOffsets.data(), capacity, count, width, 0, sums.data(), 0);
        compare(sums, forward);
        penstock_cuda_running_sum(call(), theX.data(), theOffsets.data(), capacity, count, width, 1, behind.data(), 0);
        compare(behind, backward);
      });
    }
  }
}

TEST_F(Segments, BagsAndCountsHaveTheCpusBits) {
  for (const std::vector<int> &lengths : lengthsOfAll) {
    for (const std::int64_t vocabulary : {1, 13, 301}) {
      SCOPED_TRACE(testing::Message() << lengths.size() << " records, vocabulary " << vocabulary);
      const std::int64_t width = 37;
      const Ints offsets = offsetsOf(lengths), ids = idsOf(offsets.back(), vocabulary, 19);
      const std::int64_t records = recordsOf(offsets);
      const Floats table = normal(vocabulary * width, 23);
      Floats bags(static_cast<std::size_t>(records * width)), counts(static_cast<std::size_t>(records * vocabulary));
      cpu.bag_sum(table.data(), ids.data(), offsets.data(), 0, records, width, bags.data());
      cpu.counts(ids.data(), offsets.data(), 0, records, vocabulary, counts.data());
      const Floats weights = normal(offsets.back(), 41);
      Floats weighted = counts, occurrences(weights.size());
      cpu.weighted_counts(ids.data(), weights.data(), offsets.data(), 0, records, vocabulary, weighted.data());
      cpu.occurrences(ids.data(), offsets.data(), 0, records, occurrences.data());
      const OnDevice<float> theTable(table), theWeights(weights);
      const OnDevice<std::int32_t> theIds(ids), theOffsets(offsets);
      everyWay(records, [&](std::int64_t capacity, const std::int64_t *count) {
        const OnDevice<float> y = room(bags), times = room(counts), sums = room(weighted), often = room(occurrences);
        penstock_cuda_weighted_counts(call(), theIds.data(), theWeights.data(), theOffsets.data(), capacity, count, vocabulary, sums.data(),
                                      0);
        compare(sums, weighted);
        penstock_cuda_occurrences(call(), theIds.data(), theOffsets.data(), capacity, count, often.data(), 0);
        compare(often, occurrences);
        penstock_cuda_bag_sum(call(), theTable.data(), theIds.data(), theOffsets.data(), capacity, count, width, y.data(), 0);
        compare(y, bags);
        penstock_cuda_counts(call(), theIds.data(), theOffsets.data(), capacity, count, vocabulary, times.data(), 0);
        compare(times, counts);
      });
    }
  }
}

TEST_F(Segments, GradientsOfTablesHaveTheCpusBits) {
  struct Case {
    std::int64_t rows, vocabulary, width;
    bool bySource;
  };
  for (const Case &of : {Case{0, 5, 3, false}, Case{1, 1, 1, false}, Case{131, 17, 67, false}, Case{257, 3, 128, true},
                         Case{73, 301, 131, true}, Case{64, 2, 260, false}, Case{641, 1, 7, false}, Case{700, 4099, 5, true}}) {
    SCOPED_TRACE(testing::Message() << of.rows << " rows, vocabulary " << of.vocabulary << ", width " << of.width);
    Ints ids = idsOf(of.rows, of.rows == 700 ? 3 : of.vocabulary, 29, -1), source;
    for (std::int64_t i = 0; i < of.rows; ++i) {
      source.push_back(static_cast<std::int32_t>(i / 7));
      if (i % 11 == 5) {
        ids[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(of.vocabulary + i); // beyond the table: its last row
      }
    }
    const Floats dy = normal(of.rows * of.width, 31);
    Floats table(static_cast<std::size_t>(of.vocabulary * of.width));
    const Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::create(1);
    ASSERT_TRUE(pool.ok());
    cpu.embedding_grad(pool->get(), ids.data(), of.bySource ? source.data() : nullptr, dy.data(), of.rows, of.width, of.vocabulary,
                       table.data(), nullptr);
    const OnDevice<float> theDy(dy);
    const OnDevice<std::int32_t> theIds(ids), theSource(source);
    everyWay(of.rows, [&](std::int64_t capacity, const std::int64_t *count) {
      const OnDevice<float> dtable = room(table);
      const auto launcher = of.bySource        ? penstock_cuda_bag_sum_grad
                            : of.rows % 2 == 0 ? penstock_cuda_position_rows_grad
                                               : penstock_cuda_embedding_grad;
      launcher(call(), theIds.data(), of.bySource ? theSource.data() : nullptr, theDy.data(), capacity, count, of.width, of.vocabulary,
               nullptr, dtable.data(), 0);
      compare(dtable, table);
    });
  }
}

TEST_F(Segments, GroupsOfRowsHaveTheCpusOrderAndBits) {
  struct Case {
    std::int64_t rows, vocabulary;
  };
  for (const Case &of : {Case{0, 7}, Case{1, 1}, Case{700, 1}, Case{257, 13}, Case{511, 70001}, Case{256, 200}}) {
    SCOPED_TRACE(testing::Message() << of.rows << " rows, vocabulary " << of.vocabulary);
    const std::int64_t width = 131;
    Ints ids = idsOf(of.rows, of.vocabulary, 37), source;
    for (std::int64_t i = 0; i < of.rows; ++i) {
      source.push_back(static_cast<std::int32_t>(i / 3));
    }
    if (of.rows > 100) {
      ids[5] = static_cast<std::int32_t>(of.vocabulary + 3);
    }
    Ints groups(static_cast<std::size_t>(3 * of.rows + 32), -77);
    cpu.group_rows(ids.data(), of.rows, of.vocabulary, groups.data());
    const auto many = static_cast<std::size_t>(groups[0]), rows = static_cast<std::size_t>(of.rows);
    const auto part = [](const Ints &all, std::size_t from, std::size_t count) {
      return Ints(all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(from + count));
    };
    const Floats dy = normal(of.rows * width, 41);
    Floats gradient(many * static_cast<std::size_t>(width)), bySource = gradient;
    const Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::create(1);
    ASSERT_TRUE(pool.ok());
    cpu.grouped_gradient(pool->get(), groups.data(), nullptr, dy.data(), of.rows, width, gradient.data());
    cpu.grouped_gradient(pool->get(), groups.data(), source.data(), dy.data(), of.rows, width, bySource.data());
    const OnDevice<float> theDy(dy);
    const OnDevice<std::int32_t> theIds(ids), theSource(source);
    everyWay(of.rows, [&](std::int64_t capacity, const std::int64_t *count) {
      const OnDevice<std::int32_t> theGroups(Ints(static_cast<std::size_t>(3 * capacity + 32), -77));
      penstock_cuda_group_rows(call(), theIds.data(), capacity, count, of.vocabulary, theGroups.data(), 0);
      const Ints got = theGroups.read();
      const auto room = static_cast<std::size_t>(capacity); // the parts lie where the capacity says
      ASSERT_EQ(got[0], groups[0]);
      EXPECT_EQ(part(got, 16, many), part(groups, 16, many));
      EXPECT_EQ(part(got, 16 + room, many + 1), part(groups, 16 + rows, many + 1));
      EXPECT_EQ(part(got, 17 + 2 * room, rows), part(groups, 17 + 2 * rows, rows));
      for (const bool sourced : {false, true}) {
        const Floats &expected = sourced ? bySource : gradient;
        const OnDevice<float> to = this->room(expected);
        penstock_cuda_grouped_gradient(call(), theGroups.data(), sourced ? theSource.data() : nullptr, theDy.data(), capacity, count, width,
                                       to.data(), 0);
        compare(to, expected);
      }
    });
  }
}

} // namespace
} // namespace penstock::cuda
