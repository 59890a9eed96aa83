// Conditional random fields against the sum over every chain of tags, one by one.
#include "runtime/kernels/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace {

struct Field {
  std::int64_t tags;
  std::vector<std::int32_t> offsets, target;
  std::vector<float> logits, transitions;

  Field(std::int64_t count, const std::vector<std::int32_t> &lengths, unsigned seed) : tags(count), offsets{0} {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 2);
    for (const std::int32_t length : lengths) {
      offsets.push_back(offsets.back() + length);
    }
    for (std::int32_t row = 0; row < offsets.back(); ++row) {
      target.push_back(row % 3 == 2 ? -1 : static_cast<std::int32_t>(random() % static_cast<unsigned>(tags)));
    }
    for (std::int64_t k = 0; k < offsets.back() * tags; ++k) {
      logits.push_back(normal(random));
    }
    for (std::int64_t k = 0; k < (tags + 2) * tags; ++k) {
      transitions.push_back(normal(random));
    }
  }
  std::int64_t records() const { return static_cast<std::int64_t>(offsets.size()) - 1; }

  double score(const std::vector<std::int32_t> &rows, const std::vector<std::int64_t> &chain) const {
    const auto k = [](std::int64_t at) { return static_cast<std::size_t>(at); };
    double sum = 0;
    for (std::size_t t = 0; t < rows.size(); ++t) {
      sum += logits[k(rows[t] * tags + chain[t])];
      sum += t == 0 ? transitions[k(tags * tags + chain[0])] : transitions[k(chain[t - 1] * tags + chain[t])];
    }
    return rows.empty() ? 0 : sum + transitions[k(tags * tags + tags + chain.back())];
  }
  template <typename Each> void eachChain(std::size_t length, Each each) const {
    std::vector<std::int64_t> chain(length, 0);
    for (;;) {
      each(chain);
      std::size_t at = 0;
      while (at < length && ++chain[at] == tags) {
        chain[at++] = 0;
      }
      if (at == length) {
        return;
      }
    }
  }
  std::vector<std::int32_t> rowsOf(std::int64_t record) const {
    std::vector<std::int32_t> rows;
    for (std::int32_t row = offsets[static_cast<std::size_t>(record)]; row < offsets[static_cast<std::size_t>(record) + 1]; ++row) {
      if (target[static_cast<std::size_t>(row)] >= 0) {
        rows.push_back(row);
      }
    }
    return rows;
  }
};

const std::vector<std::vector<std::int32_t>> lengths = {{1}, {7, 1, 2, 4}, {3, 5}};

TEST(ConditionalRandomField, EqualsTheSumOverAllChains) {
  for (const std::int64_t tags : {1, 2, 5}) {
    for (const auto &each : lengths) {
      const Field field(tags, each, static_cast<unsigned>(tags * 100) + static_cast<unsigned>(each.size()));
      const auto rows = static_cast<std::size_t>(field.offsets.back());
      const auto records = static_cast<std::size_t>(field.records());
      const auto width = static_cast<std::size_t>(tags), size = (width + 2) * width;
      std::vector<float> loss(records), alpha(rows * width), dlogits(rows * width, 9), dtransitions(records * size, 9),
          decoded(rows * width, 9);
      std::vector<std::int32_t> back(rows * width);
      alignas(64) static float scratch[64];
      const std::vector<float> cotangent(records, 2.0F);
      penstock_crf_loss(field.logits.data(), field.target.data(), field.transitions.data(), field.offsets.data(), 0, field.records(), tags,
                        loss.data(), alpha.data(), scratch);
      penstock_crf_loss_grad(field.logits.data(), field.target.data(), field.transitions.data(), alpha.data(), cotangent.data(),
                             field.offsets.data(), 0, field.records(), tags, dlogits.data(), dtransitions.data(), scratch);
      // The words are the rows with a target.
      penstock_crf_decode(field.logits.data(), field.transitions.data(), field.offsets.data(), field.target.data(), 0, field.records(),
                          tags, decoded.data(), alpha.data(), back.data(), scratch);
      std::vector<double> expectedLogits(rows * width), expectedTransitions(records * size), expectedDecoded(rows * width);
      for (std::int64_t record = 0; record < field.records(); ++record) {
        const std::vector<std::int32_t> chainRows = field.rowsOf(record);
        if (chainRows.empty()) {
          EXPECT_EQ(loss[static_cast<std::size_t>(record)], 0);
          continue;
        }
        std::vector<std::int64_t> gold, best;
        for (const std::int32_t row : chainRows) {
          gold.push_back(field.target[static_cast<std::size_t>(row)]);
        }
        double all = 0, most = -INFINITY;
        field.eachChain(chainRows.size(), [&](const auto &chain) {
          const double score = field.score(chainRows, chain);
          all += std::exp(score);
          if (score > most) {
            most = score;
            best = chain;
          }
        });
        EXPECT_NEAR(loss[static_cast<std::size_t>(record)], std::log(all) - field.score(chainRows, gold),
                    2e-6 * std::max(1.0, std::log(all)));
        const auto count = [&](const std::vector<std::int64_t> &chain, double weight) {
          double *of = expectedTransitions.data() + static_cast<std::size_t>(record) * size;
          for (std::size_t t = 0; t < chain.size(); ++t) {
            expectedLogits[static_cast<std::size_t>(chainRows[t] * tags + chain[t])] += weight;
            of[t == 0 ? tags * tags + chain[0] : chain[t - 1] * tags + chain[t]] += weight;
          }
          of[tags * tags + tags + chain.back()] += weight;
        };
        field.eachChain(chainRows.size(), [&](const auto &chain) {
          const double share = std::exp(field.score(chainRows, chain)) / all;
          count(chain, 2 * share);
          for (std::size_t t = 0; t < chain.size(); ++t) {
            expectedDecoded[static_cast<std::size_t>(chainRows[t] * tags + chain[t])] += chain[t] == best[t] ? share : 0;
          }
        });
        count(gold, -2);
      }
      for (std::size_t k = 0; k < expectedLogits.size(); ++k) {
        EXPECT_NEAR(dlogits[k], expectedLogits[k], 2e-6);
        EXPECT_NEAR(decoded[k], expectedDecoded[k], 2e-6);
      }
      for (std::size_t k = 0; k < expectedTransitions.size(); ++k) {
        EXPECT_NEAR(dtransitions[k], expectedTransitions[k], 1e-5);
      }
    }
  }
}

TEST(ConditionalRandomField, StaysFiniteWhereScoresAreFarApart) {
  Field field(3, {40}, 5);
  for (float &score : field.logits) {
    score *= 1000;
  }
  std::vector<float> loss(1), alpha(120), dlogits(120), dtransitions(15), decoded(120);
  std::vector<std::int32_t> back(120);
  alignas(64) float scratch[32];
  const float one = 1;
  penstock_crf_loss(field.logits.data(), field.target.data(), field.transitions.data(), field.offsets.data(), 0, 1, 3, loss.data(),
                    alpha.data(), scratch);
  penstock_crf_loss_grad(field.logits.data(), field.target.data(), field.transitions.data(), alpha.data(), &one, field.offsets.data(), 0, 1,
                         3, dlogits.data(), dtransitions.data(), scratch);
  penstock_crf_decode(field.logits.data(), field.transitions.data(), field.offsets.data(), nullptr, 0, 1, 3, decoded.data(), alpha.data(),
                      back.data(), scratch);
  EXPECT_TRUE(std::isfinite(loss[0]));
  for (std::size_t row = 0; row < 40; ++row) {
    double sum = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      EXPECT_TRUE(std::isfinite(dlogits[row * 3 + j]));
      sum += decoded[row * 3 + j];
    }
    EXPECT_GT(sum, 0);
  }
}

} // namespace
