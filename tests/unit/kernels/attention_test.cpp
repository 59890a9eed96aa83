#include "tests/unit/kernels/kernel_testing.h"

namespace penstock {
namespace {

using namespace penstock::testing;

struct Case {
  std::int64_t heads, width;
  std::vector<int> lengths;
};

class AttentionTest : public ::testing::Test {
protected:
  void prepare(const Case &shape, unsigned seed) {
    heads = shape.heads;
    width = shape.width;
    Numbers random(seed);
    offsets = offsetsOf(shape.lengths);
    records = static_cast<std::int64_t>(shape.lengths.size());
    rows = offsets.back();
    numbers.clear();
    for (std::int64_t r = 0; r < records; ++r) {
      numbers.push_back((1ull << 33) + static_cast<std::uint64_t>(r * 17 + 5));
    }
    qkv = random.floats(rows * 3 * heads * width);
    for (float &e : qkv) {
      e *= 2; // scores that are not all alike
    }
    dout = random.floats(rows * heads * width);
    out.assign(static_cast<std::size_t>(rows * heads * width), NAN);
    lse.assign(static_cast<std::size_t>(rows * heads), NAN);
    dqkv.assign(qkv.size(), NAN);
  }
  void run(const PenstockLevelTable &table, float dropout) {
    table.kernels.attention(qkv.data(), out.data(), lse.data(), offsets.data(), numbers.data(), 0, records, heads, width, dropout, 3, 4, 5,
                            held.data());
    table.kernels.attention_grad(qkv.data(), out.data(), lse.data(), dout.data(), dqkv.data(), offsets.data(), numbers.data(), 0, records,
                                 heads, width, dropout, 3, 4, 5, held.data());
  }

  std::int64_t heads = 0, width = 0, records = 0, rows = 0;
  std::vector<std::int32_t> offsets;
  std::vector<std::uint64_t> numbers;
  std::vector<float> qkv, dout, out, lse, dqkv, held = scratch();
};

const Case cases[] = {
    {1, 1, {1, 2, 3}},
    {2, 3, {5, 1, 29}},
    {3, 32, {6, 1, 65, 7, 24, 25}},
    {2, 64, {67, 13}},
    {1, 17, {31, 129, 300}},
    {1, 40, {517, 2}},
    {2, 32, {257, 256}},
    {1, 128, {131, 9}},
    {1, 300, {37}},
    {1, 516, {11, 3, 1}},
    {4, 32, {}},
    {1, 8, {1061}},
};

TEST_F(AttentionTest, agreesWithReferenceInDouble) {
  for (const NamedTable &level : tables()) {
    unsigned seed = 0;
    for (const Case &shape : cases) {
      for (const float dropout : {0.0f, 0.3f}) {
        prepare(shape, ++seed);
        run(*level.table, dropout);
        const auto multiplier = [&](std::uint64_t record, std::int64_t head, std::int64_t query, std::int64_t key, std::int64_t length) {
          return reference::attentionMultiplier(record, head, query, key, length, 3, 4, 5, dropout);
        };
        auto expectedOut = out;
        auto expectedLse = lse;
        auto expectedGradient = dqkv;
        reference::attentionForward(qkv.data(), expectedOut.data(), expectedLse.data(), offsets.data(), numbers.data(), 0, records, heads,
                                    width, multiplier);
        reference::attentionBackward(qkv.data(), dout.data(), expectedGradient.data(), offsets.data(), numbers.data(), 0, records, heads,
                                     width, multiplier);
        ASSERT_TRUE(near(out, expectedOut, 3e-5)) << level.name << " width " << width << " dropout " << dropout;
        ASSERT_TRUE(near(lse, expectedLse, 3e-5)) << level.name << " width " << width;
        ASSERT_TRUE(near(dqkv, expectedGradient, 3e-4)) << level.name << " width " << width << " dropout " << dropout;
      }
    }
  }
}

/// The reference's own gradient, in double, against central differences of its forward.
TEST_F(AttentionTest, referenceGradientAgreesWithFiniteDifferences) {
  prepare({2, 3, {5, 1}}, 77);
  std::vector<double> x(qkv.begin(), qkv.end()), d(dout.begin(), dout.end());
  const auto multiplier = [&](std::uint64_t record, std::int64_t head, std::int64_t query, std::int64_t key, std::int64_t length) {
    return static_cast<double>(reference::attentionMultiplier(record, head, query, key, length, 3, 4, 5, 0.25f));
  };
  const auto loss = [&](const std::vector<double> &at) {
    std::vector<double> o(d.size()), l(lse.size());
    reference::attentionForward(at.data(), o.data(), l.data(), offsets.data(), numbers.data(), 0, records, heads, width, multiplier);
    double sum = 0;
    for (std::size_t i = 0; i < o.size(); ++i) {
      sum += o[i] * d[i];
    }
    return sum;
  };
  std::vector<double> gradient(x.size());
  reference::attentionBackward(x.data(), d.data(), gradient.data(), offsets.data(), numbers.data(), 0, records, heads, width, multiplier);
  for (std::size_t i = 0; i < x.size(); ++i) {
    auto plus = x, minus = x;
    plus[i] += 1e-5;
    minus[i] -= 1e-5;
    ASSERT_NEAR((loss(plus) - loss(minus)) / 2e-5, gradient[i], 1e-7) << "element " << i;
  }
}

TEST_F(AttentionTest, recordAloneHasTheBitsOfTheRecordInABatch) {
  for (const NamedTable &level : tables()) {
    prepare({2, 32, {6, 1, 65, 300, 7}}, 5);
    run(*level.table, 0.2f);
    const auto batchOut = out;
    const auto batchGradient = dqkv;
    for (std::int64_t r = 0; r < records; ++r) {
      const std::size_t at = static_cast<std::size_t>(r);
      const std::int64_t first = offsets[at], length = offsets[at + 1] - first;
      const std::int32_t alone[] = {0, static_cast<std::int32_t>(length)};
      std::vector<float> o(static_cast<std::size_t>(length * heads * width)), l(static_cast<std::size_t>(length * heads));
      std::vector<float> d(o.size() * 3);
      level.table->kernels.attention(qkv.data() + first * 3 * heads * width, o.data(), l.data(), alone, &numbers[at], 0, 1, heads, width,
                                     0.2f, 3, 4, 5, held.data());
      level.table->kernels.attention_grad(qkv.data() + first * 3 * heads * width, o.data(), l.data(), dout.data() + first * heads * width,
                                          d.data(), alone, &numbers[at], 0, 1, heads, width, 0.2f, 3, 4, 5, held.data());
      EXPECT_EQ(std::memcmp(o.data(), batchOut.data() + first * heads * width, o.size() * sizeof(float)), 0);
      EXPECT_EQ(std::memcmp(d.data(), batchGradient.data() + first * 3 * heads * width, d.size() * sizeof(float)), 0);
    }
  }
}

/// What attention computes for the first rows where no gradient reaches the others.
TEST_F(AttentionTest, firstRowsAloneAreThoseOfAllRows) {
  for (const NamedTable &level : tables()) {
    for (const Case &shape : cases) {
      for (const float dropout : {0.0f, 0.3f}) {
        prepare(shape, 11);
        const std::int64_t columns = heads * width;
        std::vector<float> q, firstDout, kv;
        std::fill(dout.begin(), dout.end(), 0.0f);
        for (std::int64_t r = 0, row = 0; row < rows; ++row) {
          const auto at = qkv.begin() + row * 3 * columns;
          kv.insert(kv.end(), at + columns, at + 3 * columns);
          if (row == offsets[static_cast<std::size_t>(r)]) {
            q.insert(q.end(), at, at + columns);
            for (std::int64_t c = 0; c < columns; ++c) {
              dout[static_cast<std::size_t>(row * columns + c)] = static_cast<float>((row + 7 * c) % 13 - 6) / 5;
            }
            firstDout.insert(firstDout.end(), dout.begin() + row * columns, dout.begin() + (row + 1) * columns);
            ++r;
          }
        }
        run(*level.table, dropout);
        std::vector<float> o(q.size(), NAN), l(static_cast<std::size_t>(records * heads), NAN), dq(q.size(), NAN), dkv(kv.size(), NAN);
        level.table->kernels.attention_first(q.data(), kv.data(), o.data(), l.data(), offsets.data(), numbers.data(), 0, records, heads,
                                             width, dropout, 3, 4, 5, held.data());
        level.table->kernels.attention_first_grad(q.data(), kv.data(), o.data(), l.data(), firstDout.data(), dq.data(), dkv.data(),
                                                  offsets.data(), numbers.data(), 0, records, heads, width, dropout, 3, 4, 5, held.data());
        for (std::int64_t r = 0; r < records; ++r) {
          const std::int64_t row = offsets[static_cast<std::size_t>(r)];
          for (std::int64_t c = 0; c < columns; ++c) {
            ASSERT_EQ(o[static_cast<std::size_t>(r * columns + c)], out[static_cast<std::size_t>(row * columns + c)])
                << level.name << width;
            ASSERT_EQ(dq[static_cast<std::size_t>(r * columns + c)], dqkv[static_cast<std::size_t>(row * 3 * columns + c)])
                << level.name << width;
          }
          for (std::int64_t h = 0; h < heads; ++h) {
            ASSERT_EQ(l[static_cast<std::size_t>(r * heads + h)], lse[static_cast<std::size_t>(row * heads + h)]) << level.name << width;
          }
        }
        for (std::int64_t row = 0; row < rows; ++row) {
          for (std::int64_t c = 0; c < 2 * columns; ++c) {
            ASSERT_EQ(dkv[static_cast<std::size_t>(row * 2 * columns + c)], dqkv[static_cast<std::size_t>((row * 3 + 1) * columns + c)])
                << level.name << width << " row " << row;
          }
        }
      }
    }
  }
}

TEST_F(AttentionTest, aRecordWithoutRowsAsksNothing) {
  for (const NamedTable &level : tables()) {
    prepare({2, 3, {0, 2, 0}}, 8);
    std::vector<float> q(3 * 6, 1), kv(2 * 12, 1), o(3 * 6, NAN), l(3 * 2, NAN), dq(3 * 6, NAN), dkv(2 * 12, NAN), g(3 * 6, 1);
    level.table->kernels.attention_first(q.data(), kv.data(), o.data(), l.data(), offsets.data(), numbers.data(), 0, 3, 2, 3, 0, 3, 4, 5,
                                         held.data());
    level.table->kernels.attention_first_grad(q.data(), kv.data(), o.data(), l.data(), g.data(), dq.data(), dkv.data(), offsets.data(),
                                              numbers.data(), 0, 3, 2, 3, 0, 3, 4, 5, held.data());
    for (std::size_t c = 0; c < 18; ++c) {
      EXPECT_EQ(o[c], c / 6 == 1 ? 1.0f : 0.0f) << level.name;
      EXPECT_EQ(dq[c], 0.0f) << level.name; // of equal keys
    }
    for (const float e : dkv) {
      EXPECT_TRUE(std::isfinite(e)) << level.name;
    }
  }
}

TEST_F(AttentionTest, largeScoresDoNotOverflow) {
  for (const NamedTable &level : tables()) {
    prepare({1, 32, {9, 290}}, 6);
    for (float &e : qkv) {
      e *= 60;
    }
    run(*level.table, 0);
    for (const auto *all : {&out, &lse, &dqkv}) {
      for (const float e : *all) {
        ASSERT_TRUE(std::isfinite(e)) << level.name;
      }
    }
  }
}

TEST_F(AttentionTest, notANumberStaysSeen) {
  for (const NamedTable &level : tables()) {
    prepare({1, 32, {9}}, 6);
    qkv[40] = NAN; // a key of row 0
    run(*level.table, 0);
    EXPECT_TRUE(std::isnan(out[0])) << level.name;
  }
}

} // namespace
} // namespace penstock
