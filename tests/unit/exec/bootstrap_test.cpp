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

TEST(Bootstrap, RecordsOfTagsAreRepeated) {
  // Two batches: sequences of 2, 0 and 3 words, then one of 1.
  const std::vector<std::int32_t> gold = {5, 6, 7, 8, 9}, predicted = {5, 0, -1, 8, 9}, last = {3};
  const std::vector<std::int64_t> offsets = {0, 2, 2, 5}, one = {0, 1};
  PenstockPredictions batch{};
  batch.struct_size = sizeof(batch);
  batch.records = 5;
  batch.gold = gold.data();
  batch.predicted = predicted.data();
  batch.sequences = 3;
  batch.offsets = offsets.data();
  RecordedPredictions recorded;
  recorded.add(batch, 10, {0, 1, 2});
  batch.records = 1;
  batch.gold = batch.predicted = last.data();
  batch.sequences = 1;
  batch.offsets = one.data();
  recorded.add(batch, 10, {3});
  ASSERT_EQ(recorded.records(), 4);
  DrawnRecords drawn;
  for (int again = 0; again < 2; ++again) { // what an earlier sample left does not count
    const std::vector<double> weights = {0, 1, 2, 1};
    const PenstockPredictions view = recorded.view(weights, drawn);
    EXPECT_EQ(view.records, 7);
    EXPECT_EQ(view.sequences, 4);
    EXPECT_EQ(view.weights, nullptr);
    EXPECT_EQ(std::vector<std::int32_t>(view.gold, view.gold + 7), (std::vector<std::int32_t>{7, 8, 9, 7, 8, 9, 3}));
    EXPECT_EQ(std::vector<std::int32_t>(view.predicted, view.predicted + 7), (std::vector<std::int32_t>{-1, 8, 9, -1, 8, 9, 3}));
    EXPECT_EQ(std::vector<std::int64_t>(view.offsets, view.offsets + 5), (std::vector<std::int64_t>{0, 0, 3, 6, 7}));
  }
}

TEST(Bootstrap, RecordsThatAreNotDrawnAreNotThere) {
  // Two batches of two labels and one score each, the second of records that stand before in the data.
  const std::vector<float> scores = {0.25F, 0.5F, 0.75F};
  const std::vector<std::uint8_t> sets = {1, 0, 0, 1, 1, 1}, guesses = {0, 0, 0, 1, 1, 0};
  PenstockPredictions batch{};
  batch.struct_size = sizeof(batch);
  batch.width = 1;
  batch.records = 2;
  batch.scores = scores.data();
  batch.gold_sets = sets.data();
  batch.predicted_sets = guesses.data();
  RecordedPredictions recorded;
  recorded.add(batch, 2, {1, 2});
  batch.records = 1;
  batch.scores = scores.data() + 2;
  batch.gold_sets = sets.data() + 4;
  batch.predicted_sets = guesses.data() + 4;
  recorded.add(batch, 2, {0});
  ASSERT_EQ(recorded.records(), 3);
  DrawnRecords drawn;
  for (int again = 0; again < 2; ++again) {
    const PenstockPredictions view = recorded.view({2, 0, 1}, drawn);
    ASSERT_EQ(view.records, 2);
    EXPECT_EQ(view.gold, nullptr);
    EXPECT_EQ(std::vector<double>(view.weights, view.weights + 2), (std::vector<double>{1, 2}));
    EXPECT_EQ(std::vector<float>(view.scores, view.scores + 2), (std::vector<float>{0.5F, 0.75F}));
    EXPECT_EQ(std::vector<std::uint8_t>(view.gold_sets, view.gold_sets + 4), (std::vector<std::uint8_t>{0, 1, 1, 1}));
    EXPECT_EQ(std::vector<std::uint8_t>(view.predicted_sets, view.predicted_sets + 4), (std::vector<std::uint8_t>{0, 1, 1, 0}));
  }
}

} // namespace
} // namespace penstock
