// Counts by class, from which accuracy, precision, recall and F1 follow, in the order of operations of scikit-learn and NumPy, so
// that the digits are the same.
#pragma once

#include <penstock/sdk/metric.h>

#include <algorithm>

namespace penstock::sdk {

/// The sum as NumPy computes it: blocks of eight accumulators, halves above 128 numbers.
inline double pairwiseSum(const double *values, std::size_t count) {
  if (count < 8) {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      sum += values[i];
    }
    return sum;
  }
  if (count <= 128) {
    double r[8];
    std::copy(values, values + 8, r);
    std::size_t i = 8;
    for (; i + 8 <= count; i += 8) {
      for (std::size_t k = 0; k < 8; ++k) {
        r[k] += values[i + k];
      }
    }
    double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < count; ++i) {
      sum += values[i];
    }
    return sum;
  }
  const std::size_t half = count / 2 - count / 2 % 8;
  return pairwiseSum(values, half) + pairwiseSum(values + half, count - half);
}
inline double pairwiseSum(const std::vector<double> &values) { return pairwiseSum(values.data(), values.size()); }

/// precision = correct / predicted, recall = correct / support, f1 = 2 correct / (predicted + support); 0 where the
/// denominator is 0.
struct Scores {
  double precision = 0, recall = 0, f1 = 0;
  static Scores of(double correct, double predicted, double support) {
    const auto ratio = [](double a, double b) { return b == 0 ? 0.0 : a / b; };
    return {ratio(correct, predicted), ratio(correct, support), ratio(2 * correct, predicted + support)};
  }
};

/// Sums of weights by class, or by label where records have sets of labels. Averages are over all classes of the target, those that did not
/// occur included, as scikit-learn with `labels` given.
class ClassCounts {
public:
  explicit ClassCounts(std::size_t classes) : correct(classes), predicted(classes), support(classes) {}

  void add(const Predictions &batch) {
    if (batch.goldSets != nullptr) {
      addSets(batch);
      return;
    }
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double weight = batch.weight(i);
      const std::int32_t gold = batch.gold[i], guess = batch.predicted[i];
      whole = whole && weight == static_cast<double>(static_cast<std::int64_t>(weight));
      total += weight;
      if (gold >= 0) {
        support[static_cast<std::size_t>(gold)] += weight;
      }
      if (guess >= 0) {
        predicted[static_cast<std::size_t>(guess)] += weight;
      }
      if (gold >= 0 && gold == guess) {
        correct[static_cast<std::size_t>(gold)] += weight;
        exact += weight;
      }
      allKnown = allKnown && gold >= 0 && guess >= 0;
    }
  }

  void merge(const ClassCounts &other) {
    for (std::size_t i = 0; i < correct.size(); ++i) {
      correct[i] += other.correct[i];
      predicted[i] += other.predicted[i];
      support[i] += other.support[i];
    }
    total += other.total;
    exact += other.exact;
    sets = sets || other.sets;
    sampled.precision += other.sampled.precision;
    sampled.recall += other.sampled.recall;
    sampled.f1 += other.sampled.f1;
    whole = whole && other.whole;
    allKnown = allKnown && other.allKnown;
  }

  std::size_t classes() const { return correct.size(); }
  /// Of all records judged; fails where there is none.
  double records() const {
    if (!(total > 0)) {
      throw Failure("there are no records to judge");
    }
    return total;
  }
  double supportOf(std::size_t index) const { return support[index]; }
  double supportSum() const { return pairwiseSum(support); }
  /// The share of the records whose class, or whose whole set, is right.
  double accuracy() const { return (sets ? exact : pairwiseSum(correct)) / records(); }
  /// Whether records have sets of labels.
  bool ofSets() const { return sets; }
  /// False where a record's class, gold or predicted, is not among the classes.
  bool knowsAll() const { return allKnown; }
  /// Whether all weights were whole numbers: supports are then printed without a point.
  bool wholeWeights() const { return whole; }

  Scores of(std::size_t index) const { return Scores::of(correct[index], predicted[index], support[index]); }
  Scores micro() const {
    records();
    return Scores::of(pairwiseSum(correct), pairwiseSum(predicted), pairwiseSum(support));
  }
  Scores macro() const {
    records();
    return average([](const std::vector<double> &values) { return pairwiseSum(values) / static_cast<double>(values.size()); });
  }
  Scores weighted() const {
    records();
    const double sum = pairwiseSum(support);
    return average([&](std::vector<double> values) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] *= support[i];
      }
      return sum == 0 ? 0.0 : pairwiseSum(values) / sum;
    });
  }
  /// The mean over the records of each record's own scores; only of sets.
  Scores samples() const {
    if (!sets) {
      throw Failure("the average `samples` is over records with sets of labels; for classes use `micro`");
    }
    const double all = records();
    return {sampled.precision / all, sampled.recall / all, sampled.f1 / all};
  }
  /// `name`: micro, macro, weighted or samples.
  Scores averaged(std::string_view name) const {
    return name == "micro" ? micro() : name == "weighted" ? weighted() : name == "samples" ? samples() : macro();
  }

private:
  void addSets(const Predictions &batch) {
    sets = true;
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double weight = batch.weight(i);
      whole = whole && weight == static_cast<double>(static_cast<std::int64_t>(weight));
      total += weight;
      double both = 0, guessed = 0, given = 0;
      for (std::size_t c = 0; c < classes(); ++c) {
        const bool gold = batch.goldSets[i * classes() + c] != 0, guess = batch.predictedSets[i * classes() + c] != 0;
        support[c] += gold ? weight : 0;
        predicted[c] += guess ? weight : 0;
        correct[c] += gold && guess ? weight : 0;
        given += gold;
        guessed += guess;
        both += gold && guess;
      }
      const Scores own = Scores::of(both, guessed, given);
      sampled.precision += weight * own.precision;
      sampled.recall += weight * own.recall;
      sampled.f1 += weight * own.f1;
      exact += both == given && both == guessed ? weight : 0;
    }
  }

  template <typename Average> Scores average(Average &&mean) const {
    std::vector<double> precisions, recalls, f1s;
    for (std::size_t i = 0; i < classes(); ++i) {
      const Scores scores = of(i);
      precisions.push_back(scores.precision);
      recalls.push_back(scores.recall);
      f1s.push_back(scores.f1);
    }
    return {mean(precisions), mean(recalls), mean(f1s)};
  }

  std::vector<double> correct, predicted, support;
  double total = 0, exact = 0;
  Scores sampled; // sums over the records
  bool whole = true, allKnown = true, sets = false;
};

} // namespace penstock::sdk
