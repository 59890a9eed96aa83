// What is fitted on dev, against the best of many numbers that are tried; and what is said of a loss that does not fall.
#include "runtime/exec/decisions.h"
#include "runtime/exec/loss_curves.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace penstock {
namespace {

/// Logits of `records`, from which the right class or labels are drawn, and probabilities of the logits times `sharp`.
JudgedProbabilities drawn(bool sets, std::size_t records, std::size_t width, double sharp) {
  std::mt19937 source(7);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  JudgedProbabilities made;
  made.width = width;
  made.sets = sets;
  for (std::size_t i = 0; i < records; ++i) {
    std::vector<double> logits(width), weights(width);
    std::generate(logits.begin(), logits.end(), [&] { return normal(source); });
    if (sets) {
      for (const double logit : logits) {
        made.labels.push_back(uniform(source) < 1 / (1 + std::exp(-logit)) ? 1 : 0);
        made.probabilities.push_back(static_cast<float>(1 / (1 + std::exp(-sharp * logit))));
      }
      continue;
    }
    std::transform(logits.begin(), logits.end(), weights.begin(), [](double logit) { return std::exp(logit); });
    std::discrete_distribution<std::int32_t> draw(weights.begin(), weights.end());
    made.gold.push_back(i % 37 == 5 ? -1 : draw(source));
    double total = 0;
    for (const double logit : logits) {
      total += std::exp(sharp * logit);
    }
    for (const double logit : logits) {
      made.probabilities.push_back(static_cast<float>(std::exp(sharp * logit) / total));
    }
  }
  return made;
}

double logLoss(const JudgedProbabilities &judged, double temperature) {
  double sum = 0;
  for (std::size_t i = 0; i < judged.records(); ++i) {
    const float *const row = &judged.probabilities[i * judged.width];
    double total = 0;
    for (std::size_t c = 0; c < judged.width; ++c) {
      const double p = row[c], logit = (std::log(p) - std::log1p(-p)) / temperature;
      sum += judged.sets ? std::log1p(std::exp(judged.labels[i * judged.width + c] != 0 ? -logit : logit)) : 0;
      total += std::pow(p, 1 / temperature);
    }
    if (!judged.sets && judged.gold[i] >= 0) {
      sum -= std::log(std::pow(static_cast<double>(row[judged.gold[i]]), 1 / temperature) / total);
    }
  }
  return sum;
}

double f1At(const JudgedProbabilities &judged, std::size_t column, double threshold) {
  double right = 0, predicted = 0, support = 0;
  for (std::size_t i = 0; i < judged.records(); ++i) {
    const bool is = judged.sets ? judged.labels[i * judged.width + column] != 0 : judged.gold[i] == static_cast<std::int32_t>(column);
    const bool answered = static_cast<double>(judged.probabilities[i * judged.width + column]) >= threshold;
    right += is && answered ? 1 : 0;
    predicted += answered ? 1 : 0;
    support += is ? 1 : 0;
  }
  return 2 * right / (predicted + support);
}

TEST(Decisions, TheTemperatureHasTheLeastLogLoss) {
  for (const bool sets : {false, true}) {
    for (const double sharp : {0.3, 1.0, 3.0}) {
      const JudgedProbabilities judged = drawn(sets, 211, 5, sharp);
      const double found = fitTemperature(judged), loss = logLoss(judged, found);
      for (double other = 0.05; other <= 20; other *= 1.05) {
        EXPECT_LE(loss, logLoss(judged, other) * (1 + 1e-12)) << sets << " " << sharp << " " << found << " " << other;
      }
      EXPECT_NEAR(found, sharp, 0.35 * sharp); // what the logits were multiplied by
    }
  }
}

TEST(Decisions, TheTemperatureStaysWithinItsBounds) {
  JudgedProbabilities judged;
  judged.width = 2;
  EXPECT_EQ(fitTemperature(judged), 1);
  judged.probabilities = {0.1F, 0.9F};
  judged.gold = {-1};
  EXPECT_EQ(fitTemperature(judged), 1);
  judged.gold = {1};
  EXPECT_DOUBLE_EQ(fitTemperature(judged), 0.05);
  judged.gold = {0};
  EXPECT_DOUBLE_EQ(fitTemperature(judged), 20);
}

TEST(Decisions, AThresholdHasTheBestF1) {
  for (const bool sets : {false, true}) {
    const JudgedProbabilities judged = drawn(sets, 223, 4, 2);
    for (std::size_t column = 0; column < judged.width; ++column) {
      double f1 = 0, best = 0;
      const std::optional<double> found = fitThreshold(judged, column, &f1);
      ASSERT_TRUE(found);
      for (std::size_t i = 0; i < judged.records(); ++i) {
        best = std::max(best, f1At(judged, column, judged.probabilities[i * judged.width + column]));
      }
      EXPECT_DOUBLE_EQ(f1, best);
      EXPECT_DOUBLE_EQ(f1At(judged, column, *found), best);
    }
  }
}

TEST(Decisions, EqualProbabilitiesAreAnsweredTogetherAndAnAbsentClassHasNoThreshold) {
  JudgedProbabilities judged;
  judged.width = 2;
  judged.probabilities = {0.5F, 0.5F, 0.5F, 0.5F, 0.25F, 0.75F, 0.5F, 0.5F};
  judged.gold = {1, 0, 0, 1};
  double f1 = 0;
  EXPECT_EQ(fitThreshold(judged, 1, &f1), 0.25); // all four
  EXPECT_DOUBLE_EQ(f1, 2.0 * 2 / (4 + 2));
  judged.gold = {0, 0, 0, 0};
  EXPECT_FALSE(fitThreshold(judged, 1, &f1));
}

LossCurves curve(std::size_t points, double begin, double step) {
  LossCurves made;
  for (std::size_t i = 0; i < points; ++i) {
    made.train.push_back({static_cast<double>(i + 1), begin + step * static_cast<double>(i)});
  }
  return made;
}

TEST(LossCurves, ALossThatDoesNotFallIsTold) {
  EXPECT_NE(standstillOf(curve(40, 0.7, 0)).find("stood still"), std::string::npos);
  EXPECT_NE(standstillOf(curve(31, 0.7, 0.01)).find("rose"), std::string::npos);
  EXPECT_EQ(standstillOf(curve(40, 0.7, -0.001)), "");
  EXPECT_EQ(standstillOf(curve(29, 0.7, 0)), ""); // too few
  EXPECT_EQ(standstillOf(curve(40, 0, 0)), "");   // nothing to learn
  EXPECT_EQ(standstillOf({}), "");
}

} // namespace
} // namespace penstock
