#include "runtime/exec/bootstrap.h"

#include <gtest/gtest.h>

#include <numeric>

namespace penstock {
namespace {

TEST(Bootstrap, DrawsAsManyRecordsAsThereAre) {
  for (const std::size_t records : {1, 2, 7, 101}) {
    std::vector<double> weights(records, 5.0);
    bootstrapWeights(42, 3, weights);
    EXPECT_EQ(std::accumulate(weights.begin(), weights.end(), 0.0), static_cast<double>(records));
  }
  std::vector<double> none;
  bootstrapWeights(42, 3, none);
}

TEST(Bootstrap, DrawsAreThoseOfPhilox) {
  // From tests/e2e/commands/commands_test.py's `bootstrap_weights(42, 3, 11)`.
  std::vector<double> weights(11);
  bootstrapWeights(42, 3, weights);
  EXPECT_EQ(weights, (std::vector<double>{1, 0, 2, 0, 0, 0, 2, 4, 0, 1, 1}));
}

TEST(Bootstrap, IsAFunctionOfSeedAndSample) {
  std::vector<double> first(97), again(97), sample(97), seed(97), large(97);
  bootstrapWeights(42, 0, first);
  bootstrapWeights(42, 0, again);
  bootstrapWeights(42, 1, sample);
  bootstrapWeights(43, 0, seed);
  bootstrapWeights(42, std::uint64_t{1} << 32, large);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, sample);
  EXPECT_NE(first, seed);
  EXPECT_NE(first, large);
}

TEST(Bootstrap, WeightsAreMultinomial) {
  // Mean 1 and variance 1 - 1/n of each record's weight, over many samples; and all records alike.
  const std::size_t records = 13, samples = 20000;
  std::vector<double> weights(records), sums(records);
  double squares = 0;
  for (std::size_t s = 0; s < samples; ++s) {
    bootstrapWeights(7, s, weights);
    for (std::size_t i = 0; i < records; ++i) {
      sums[i] += weights[i];
      squares += (weights[i] - 1) * (weights[i] - 1);
    }
  }
  for (const double sum : sums) {
    EXPECT_NEAR(sum / samples, 1, 0.03); // 4 standard errors
  }
  EXPECT_NEAR(squares / (samples * records), 1 - 1.0 / 13, 0.02);
}

TEST(Bootstrap, QuantilesAreNumPys) {
  const std::vector<double> sorted = {1, 2, 4, 8, 16};
  EXPECT_EQ(quantile(sorted, 0), 1);
  EXPECT_EQ(quantile(sorted, 1), 16);
  EXPECT_EQ(quantile(sorted, 0.5), 4);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.025), 1.1);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.9), 12.8);
  EXPECT_EQ(quantile(std::vector<double>{3}, 0.3), 3);
}

/// A column of classes: a list a record, or one.
Column classColumn(const ColumnField &field, const std::vector<std::vector<std::int32_t>> &records) {
  Column made(field);
  for (const std::vector<std::int32_t> &record : records) {
    std::vector<std::int32_t> &values = made.of<std::int32_t>();
    values.insert(values.end(), record.begin(), record.end());
    made.endRow();
  }
  return made;
}

const std::vector<std::string> ten = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

TEST(Bootstrap, RecordsOfTagsAreRepeated) {
  // Two batches: sequences of 2, 0 and 3 words, then one of 1.
  const JudgingSpec judging = {{targetField("answer", "tags", ten)}, targetField("gold", "tags", ten), {}};
  RecordedAnswers recorded(judging);
  std::vector<Column> answers = {classColumn(judging.gold, {{5, 0}, {}, {-1, 8, 9}})};
  Column gold = classColumn(judging.gold, {{5, 6}, {}, {7, 8, 9}});
  recorded.add({3, &answers, &gold, nullptr, nullptr}, {0, 1, 2});
  answers = {classColumn(judging.gold, {{3}})};
  gold = classColumn(judging.gold, {{3}});
  recorded.add({1, &answers, &gold, nullptr, nullptr}, {3});
  ASSERT_EQ(recorded.records(), 4);
  DrawnRecords drawn;
  for (int again = 0; again < 2; ++again) { // what an earlier sample left does not count
    const JudgedRecords view = recorded.view({0, 1, 2, 1}, drawn);
    EXPECT_EQ(view.records, 4);
    EXPECT_EQ(view.weights, nullptr);
    EXPECT_EQ(view.gold->of<std::int32_t>(), (std::vector<std::int32_t>{7, 8, 9, 7, 8, 9, 3}));
    EXPECT_EQ((*view.answers)[0].of<std::int32_t>(), (std::vector<std::int32_t>{-1, 8, 9, -1, 8, 9, 3}));
    EXPECT_EQ(view.gold->offsets, (std::vector<std::int64_t>{0, 0, 3, 6, 7}));
  }
}

TEST(Bootstrap, RecordsThatAreNotDrawnAreNotThere) {
  // Two batches of sets and two scores each, the second of records that stand before in the data; a third field that nobody reads.
  const std::vector<std::string> two = {"a", "b"};
  const JudgingSpec judging = {{targetField("answer", "set", two), probabilitiesField(two), targetField("unread", "tags", two)},
                               targetField("gold", "set", two),
                               {}};
  RecordedAnswers recorded(judging);
  const auto add = [&](const Column &gold, const Column &guess, std::vector<float> scores, const std::vector<std::int64_t> &places) {
    std::vector<Column> answers = columnsOf(judging.answers);
    answers[0] = guess;
    answers[1].of<float>() = std::move(scores);
    answers[1].rows = gold.rows;
    recorded.add({gold.rows, &answers, &gold, nullptr, nullptr}, places);
  };
  add(classColumn(judging.gold, {{0}, {1}}), classColumn(judging.gold, {{}, {1}}), {0.25F, 0.75F, 0.5F, 0.125F}, {1, 2});
  add(classColumn(judging.gold, {{0, 1}}), classColumn(judging.gold, {{0}}), {0.75F, 0.375F}, {0});
  ASSERT_EQ(recorded.records(), 3);
  DrawnRecords drawn;
  for (int again = 0; again < 2; ++again) {
    const JudgedRecords view = recorded.view({2, 0, 1}, drawn);
    ASSERT_EQ(view.records, 2);
    EXPECT_EQ(std::vector<double>(view.weights, view.weights + 2), (std::vector<double>{1, 2}));
    EXPECT_EQ((*view.answers)[1].of<float>(), (std::vector<float>{0.5F, 0.125F, 0.75F, 0.375F}));
    EXPECT_EQ(view.gold->of<std::int32_t>(), (std::vector<std::int32_t>{1, 0, 1}));
    EXPECT_EQ(view.gold->offsets, (std::vector<std::int64_t>{0, 1, 3}));
    EXPECT_EQ((*view.answers)[0].of<std::int32_t>(), (std::vector<std::int32_t>{1, 0}));
    EXPECT_EQ((*view.answers)[2].rows, 0);
  }
}

} // namespace
} // namespace penstock
