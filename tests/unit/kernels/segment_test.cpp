#include "tests/unit/kernels/kernel_testing.h"

#include <map>
#include <set>

namespace penstock {
namespace {

using namespace penstock::testing;

const std::vector<int> ragged = {1, 7, 2, 31, 3, 1, 5, 97, 11, 4};

// Against float64, with empty records, one row, and scores far apart.
TEST(Segments, softmaxOverARecordAgreesWithFloat64) {
  const auto offsets = offsetsOf({0, 1, 7, 2, 31, 0, 5});
  const std::int64_t records = 7, rows = offsets.back();
  for (const NamedTable &level : tables()) {
    for (const std::int64_t width : {1, 3, 8, 13, 37}) {
      Numbers numbers(static_cast<unsigned>(width));
      auto x = numbers.floats(rows * width);
      x[static_cast<std::size_t>(3 * width)] = 90; // exp(90) alone has no float32
      const auto g = numbers.floats(rows * width);
      std::vector<float> y(x.size(), NAN), dx = y, expected = y, expectedDx = y, alone = y;
      for (std::int64_t r = 0; r < records; ++r) {
        for (std::int64_t c = 0; c < width; ++c) {
          const auto cell = [&](std::int64_t i) { return static_cast<std::size_t>(i * width + c); };
          const std::int64_t first = offsets[static_cast<std::size_t>(r)], last = offsets[static_cast<std::size_t>(r + 1)];
          double most = -INFINITY, sum = 0, product = 0;
          for (std::int64_t i = first; i < last; ++i) {
            most = std::max(most, static_cast<double>(x[cell(i)]));
          }
          for (std::int64_t i = first; i < last; ++i) {
            sum += std::exp(static_cast<double>(x[cell(i)]) - most);
          }
          for (std::int64_t i = first; i < last; ++i) {
            expected[cell(i)] = static_cast<float>(std::exp(static_cast<double>(x[cell(i)]) - most) / sum);
            product += static_cast<double>(expected[cell(i)]) * static_cast<double>(g[cell(i)]);
          }
          for (std::int64_t i = first; i < last; ++i) {
            expectedDx[cell(i)] = static_cast<float>(static_cast<double>(expected[cell(i)]) * (static_cast<double>(g[cell(i)]) - product));
          }
        }
      }
      level.table->kernels.segment_softmax(x.data(), offsets.data(), 0, records, width, y.data());
      level.table->kernels.segment_softmax_grad(y.data(), g.data(), offsets.data(), 0, records, width, dx.data());
      EXPECT_TRUE(near(y, expected, 1e-6)) << level.name << " width " << width;
      EXPECT_TRUE(near(dx, expectedDx, 1e-6)) << level.name << " width " << width;
      level.table->kernels.segment_softmax(x.data(), offsets.data(), 2, 5, width, alone.data());
      EXPECT_EQ(std::memcmp(alone.data() + offsets[2] * width, y.data() + offsets[2] * width,
                            static_cast<std::size_t>((offsets[5] - offsets[2]) * width) * sizeof(float)),
                0);
    }
  }
}

// Records of every size at which another way is taken, and ids of which many are in one part of the hashes.
TEST(Segments, occurrencesOfLongRecords) {
  const std::vector<int> lengths = {24, 25, 0, 2047, 2049, 1, 9973};
  const auto offsets = offsetsOf(lengths);
  for (const NamedTable &level : tables()) {
    for (const int vocabulary : {1, 7, 3001, 1 << 20}) {
      Numbers numbers(static_cast<unsigned>(vocabulary));
      std::vector<std::int32_t> ids;
      for (std::int64_t i = 0; i < offsets.back(); ++i) {
        ids.push_back(numbers.below(vocabulary));
      }
      std::vector<float> often(ids.size(), NAN);
      level.table->kernels.occurrences(ids.data(), offsets.data(), 0, static_cast<std::int64_t>(lengths.size()), often.data());
      for (std::size_t r = 0; r < lengths.size(); ++r) {
        std::map<std::int32_t, int> times;
        for (auto i = static_cast<std::size_t>(offsets[r]); i < static_cast<std::size_t>(offsets[r + 1]); ++i) {
          ++times[ids[i]];
        }
        for (auto i = static_cast<std::size_t>(offsets[r]); i < static_cast<std::size_t>(offsets[r + 1]); ++i) {
          ASSERT_EQ(often[i], static_cast<float>(times[ids[i]])) << level.name << " vocabulary " << vocabulary << " row " << i;
        }
      }
    }
  }
}

TEST(Segments, agreeWithReference) {
  const auto offsets = offsetsOf(ragged);
  const std::int64_t records = static_cast<std::int64_t>(ragged.size()), rows = offsets.back(), vocabulary = 53;
  for (const NamedTable &level : tables()) {
    for (const std::int64_t width : {1, 2, 3, 8, 13, 32, 67, 131}) {
      Numbers numbers(static_cast<unsigned>(width));
      auto x = numbers.floats(rows * width);
      x[static_cast<std::size_t>(3 * width)] = x[static_cast<std::size_t>(2 * width)]; // equal maxima: the first counts
      const auto table = numbers.floats(vocabulary * width);
      const auto g = numbers.floats(records * width);
      std::vector<std::int32_t> ids;
      for (std::int64_t i = 0; i < rows; ++i) {
        ids.push_back(numbers.below(static_cast<int>(vocabulary)));
      }
      std::vector<float> y(static_cast<std::size_t>(records * width), NAN), expected = y;
      level.table->kernels.segment_sum(x.data(), offsets.data(), 0, records, width, y.data());
      reference::segmentSum(x.data(), offsets.data(), 0, records, width, expected.data());
      EXPECT_TRUE(near(y, expected, 1e-5)) << level.name << " width " << width;

      level.table->kernels.bag_sum(table.data(), ids.data(), offsets.data(), 0, records, width, y.data());
      reference::bagSum(table.data(), ids.data(), offsets.data(), 0, records, width, expected.data());
      EXPECT_TRUE(near(y, expected, 1e-5)) << level.name << " width " << width;

      std::vector<std::int32_t> at(y.size(), -1), expectedAt(y.size());
      level.table->kernels.segment_max(x.data(), offsets.data(), 0, records, width, y.data(), at.data());
      reference::segmentMax(x.data(), offsets.data(), 0, records, width, expected.data(), expectedAt.data());
      EXPECT_TRUE(sameBits(y, expected)) << level.name << " width " << width;
      EXPECT_EQ(at, expectedAt);

      std::vector<float> dx(x.size(), NAN), expectedDx(x.size());
      level.table->kernels.segment_max_grad(g.data(), at.data(), offsets.data(), 0, records, width, dx.data());
      reference::segmentMaxGradient(g.data(), at.data(), offsets.data(), 0, records, width, expectedDx.data());
      EXPECT_TRUE(sameBits(dx, expectedDx));

      std::vector<float> weighted(static_cast<std::size_t>(records * vocabulary), NAN), often(static_cast<std::size_t>(rows), NAN);
      const auto weights = numbers.floats(rows);
      level.table->kernels.weighted_counts(ids.data(), weights.data(), offsets.data(), 0, records, vocabulary, weighted.data());
      level.table->kernels.occurrences(ids.data(), offsets.data(), 0, records, often.data());
      for (std::size_t r = 0; r < static_cast<std::size_t>(records); ++r) {
        std::vector<float> sums(static_cast<std::size_t>(vocabulary));
        for (auto i = static_cast<std::size_t>(offsets[r]); i < static_cast<std::size_t>(offsets[r + 1]); ++i) {
          sums[static_cast<std::size_t>(ids[i])] += weights[i];
          EXPECT_EQ(often[i], static_cast<float>(std::count(ids.begin() + offsets[r], ids.begin() + offsets[r + 1], ids[i])));
        }
        EXPECT_TRUE(std::equal(sums.begin(), sums.end(), weighted.begin() + static_cast<std::ptrdiff_t>(r) * vocabulary));
      }

      std::vector<float> counts(static_cast<std::size_t>(records * vocabulary), NAN);
      level.table->kernels.counts(ids.data(), offsets.data(), 0, records, vocabulary, counts.data());
      for (std::int64_t r = 0; r < records; ++r) {
        for (std::int64_t v = 0; v < vocabulary; ++v) {
          const std::size_t record = static_cast<std::size_t>(r);
          EXPECT_EQ(counts[static_cast<std::size_t>(r * vocabulary + v)],
                    static_cast<float>(std::count(ids.begin() + offsets[record], ids.begin() + offsets[record + 1], v)));
        }
      }
    }
  }
}

TEST(EmbeddingGradient, agreesWithReferenceAtAnyNumberOfThreads) {
  for (const NamedTable &level : tables()) {
    for (const std::int64_t width : {1, 2, 7, 32, 131}) {
      for (const std::int64_t vocabulary : {1, 13, 4099}) {
        for (const std::int64_t rows : {0, 1, 997}) {
          Numbers numbers(static_cast<unsigned>(width + vocabulary));
          std::vector<std::int32_t> ids, source;
          for (std::int64_t i = 0; i < rows; ++i) {
            ids.push_back(numbers.below(static_cast<int>(vocabulary)));
            source.push_back(numbers.below(37));
          }
          const auto dy = numbers.floats(std::max<std::int64_t>(rows, 37) * width);
          for (const std::int32_t *from : {static_cast<const std::int32_t *>(nullptr), static_cast<const std::int32_t *>(source.data())}) {
            std::vector<float> expected(static_cast<std::size_t>(vocabulary * width)), first;
            reference::embeddingGradient(ids.data(), from, dy.data(), rows, width, vocabulary, expected.data());
            for (const int threads : {1, 2, 7}) {
              const auto pool = makePool(threads);
              std::vector<float> actual(expected.size(), NAN), held(static_cast<std::size_t>(rows + vocabulary + 4096));
              level.table->kernels.embedding_grad(pool.get(), ids.data(), from, dy.data(), rows, width, vocabulary, actual.data(),
                                                  held.data());
              if (first.empty()) {
                first = actual;
              }
              ASSERT_TRUE(sameBits(actual, first));

              // By the ids that occur: the same rows, and all others are zero.
              std::vector<std::int32_t> groups(static_cast<std::size_t>(3 * rows + 32), -1);
              level.table->kernels.group_rows(ids.data(), rows, vocabulary, groups.data());
              const std::int32_t count = groups[0];
              const std::set<std::int32_t> different(ids.begin(), ids.end());
              ASSERT_EQ(std::vector<std::int32_t>(groups.begin() + 16, groups.begin() + 16 + count),
                        std::vector<std::int32_t>(different.begin(), different.end()));
              std::vector<float> byId(static_cast<std::size_t>(count * width), NAN), whole(actual.size());
              level.table->kernels.grouped_gradient(pool.get(), groups.data(), from, dy.data(), rows, width, byId.data());
              for (std::int32_t k = 0; k < count; ++k) {
                std::copy_n(byId.begin() + k * width, width, whole.begin() + groups[static_cast<std::size_t>(16 + k)] * width);
              }
              ASSERT_TRUE(sameBits(whole, first)) << level.name << " width " << width << " vocabulary " << vocabulary;
            }
            ASSERT_TRUE(near(first, expected, 1e-4)) << level.name << " width " << width;
          }
        }
      }
    }
  }
}

} // namespace
} // namespace penstock
