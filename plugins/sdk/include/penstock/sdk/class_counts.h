// Counts by class, from which accuracy, precision, recall and F1 follow, in the order of operations of scikit-learn and NumPy, so
// that the digits are the same.
#pragma once

#include <penstock/sdk/metric.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

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

/// Which classes a metric counts, from its parameters `labels` and `without`.
struct CountedClasses {
  bool ofTrain = false;             // `labels: train`: those of train, else those that occur in gold or prediction
  std::vector<std::string> without; // names that are left out

  CountedClasses() = default;
  explicit CountedClasses(const Parameters &parameters) : ofTrain(parameters.text("labels") == "train") {
    const std::vector<std::string_view> names = parameters.texts("without");
    without.assign(names.begin(), names.end());
  }
  bool leavesOut(const std::string &name) const { return std::find(without.begin(), without.end(), name) != without.end(); }
};

/// Sums of weights by class, or by label where records have sets of labels, and what follows from them for the classes that count:
/// scikit-learn's, which are those of gold and prediction together, and of sets all columns of the matrix; or those that
/// `CountedClasses` says. A gold class without a name counts as one class more.
class ClassCounts {
public:
  /// `samples`: `samples()` will be asked for, which keeps 32 bytes a record.
  explicit ClassCounts(Classes given, CountedClasses counted = {}, bool samples = false)
      : all(std::move(given)), choice(std::move(counted)), correct(all.names.size() + 1), predicted(correct.size()),
        support(correct.size()), occurs(correct.size()), order(all.order()), keepsSamples(samples) {
    order.push_back(all.names.size());
    for (const std::string &name : all.names) {
      leftOut.push_back(choice.leavesOut(name) || (choice.ofTrain && leftOut.size() >= all.trained));
    }
    leftOut.push_back(choice.ofTrain);
  }

  void add(const Predictions &batch) {
    if (batch.goldSets != nullptr) {
      addSets(batch);
      return;
    }
    const auto nameless = static_cast<std::int32_t>(all.names.size());
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double weight = batch.weight(i);
      const std::int32_t gold = batch.gold[i] < 0 ? nameless : batch.gold[i], guess = batch.predicted[i];
      total += weight;
      support[static_cast<std::size_t>(gold)] += weight;
      occurs[static_cast<std::size_t>(gold)] = true;
      if (guess < 0) {
        answersAll = false;
        continue;
      }
      predicted[static_cast<std::size_t>(guess)] += weight;
      occurs[static_cast<std::size_t>(guess)] = true;
      correct[static_cast<std::size_t>(gold)] += gold == guess ? weight : 0;
    }
  }

  void merge(const ClassCounts &other) {
    for (std::size_t i = 0; i < correct.size(); ++i) {
      correct[i] += other.correct[i];
      predicted[i] += other.predicted[i];
      support[i] += other.support[i];
      occurs[i] = occurs[i] || other.occurs[i];
    }
    total += other.total;
    exact += other.exact;
    sets = sets || other.sets;
    for (const auto part : {&Samples::precisions, &Samples::recalls, &Samples::f1s, &Samples::weights}) {
      (sampled.*part).insert((sampled.*part).end(), (other.sampled.*part).begin(), (other.sampled.*part).end());
    }
    answersAll = answersAll && other.answersAll;
  }

  template <typename Archive> void state(Archive &archive) {
    archive(correct, predicted, support, occurs, total, exact, sampled, answersAll, sets);
    for (const std::size_t size : {correct.size(), predicted.size(), support.size(), occurs.size()}) {
      archive.require(size == leftOut.size());
    }
  }

  /// Of all records judged; fails where there is none.
  double records() const {
    if (!(total > 0)) {
      throw Failure("there are no records to judge");
    }
    return total;
  }
  /// The share of all records whose class, or whose whole set, is right.
  double accuracy() const { return (sets ? exact : pairwiseSum(correct)) / records(); }
  /// Whether records have sets of labels.
  bool ofSets() const { return sets; }

  /// The classes that count, in the order of reports.
  std::vector<std::size_t> counted() const {
    std::vector<std::size_t> found = order;
    std::erase_if(found, [&](std::size_t index) { return leftOut[index] || !(occurs[index] || isColumn(index)); });
    return found;
  }
  /// Whether no record of classes is right.
  bool noneIsRight() const {
    return !sets && std::all_of(correct.begin(), correct.end(), [](double sum) { return sum == 0; });
  }
  /// Whether no class that occurs is left out, and every record has an answer: the share of right records is then one of these numbers.
  bool countsAll() const {
    for (std::size_t i = 0; i < occurs.size(); ++i) {
      if (occurs[i] && leftOut[i]) {
        return false;
      }
    }
    return answersAll;
  }
  /// Says which names of `without` mean no class here; empty where all do.
  std::string remarks() const {
    std::string text;
    for (const std::string &name : choice.without) {
      if (std::find(all.names.begin(), all.names.end(), name) == all.names.end()) {
        text += "`without` names `" + name + "`, which is no class here\n";
      }
    }
    return text;
  }

  /// The class of that name, or, where it is empty, the second of two; a failure where there is none.
  std::size_t indexOf(std::string_view wanted) const {
    const auto found =
        wanted.empty() && all.names.size() == 2 ? all.names.begin() + 1 : std::find(all.names.begin(), all.names.end(), wanted);
    if (found == all.names.end()) {
      throw Failure(wanted.empty() ? "the average `binary` is of one of two classes, and here are " + std::to_string(all.names.size()) +
                                         "; say which with `positive`"
                                   : "no class here is called `" + std::string(wanted) + "`");
    }
    return static_cast<std::size_t>(found - all.names.begin());
  }
  std::string_view name(std::size_t index) const { return index < all.names.size() ? std::string_view(all.names[index]) : "(other)"; }
  double supportOf(std::size_t index) const { return support[index]; }
  double supportSum() const { return pairwiseSum(ofCounted(support)); }
  Scores of(std::size_t index) const { return Scores::of(correct[index], predicted[index], support[index]); }
  Scores micro() const {
    records();
    if (counted().empty()) {
      return undefined();
    }
    return Scores::of(pairwiseSum(ofCounted(correct)), pairwiseSum(ofCounted(predicted)), supportSum());
  }
  Scores macro() const {
    return average([](const std::vector<double> &values) { return pairwiseSum(values) / static_cast<double>(values.size()); });
  }
  /// Where no record has a class that counts, all weigh the same, as in scikit-learn.
  Scores weighted() const {
    const std::vector<double> weights = ofCounted(support);
    const double sum = pairwiseSum(weights);
    if (sum == 0) {
      return macro();
    }
    return average([&](std::vector<double> values) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] *= weights[i];
      }
      return pairwiseSum(values) / sum;
    });
  }
  /// The mean over the records of each record's own scores; only of sets.
  Scores samples() const {
    if (!sets) {
      throw Failure("the average `samples` is over records with sets of labels; for classes use `micro`");
    }
    records();
    if (counted().empty()) {
      return undefined();
    }
    const double weights = pairwiseSum(sampled.weights);
    return {pairwiseSum(sampled.precisions) / weights, pairwiseSum(sampled.recalls) / weights, pairwiseSum(sampled.f1s) / weights};
  }
  /// `name`: micro, macro, weighted or samples. Not a number where no class counts.
  Scores averaged(std::string_view name) const {
    return name == "micro" ? micro() : name == "weighted" ? weighted() : name == "samples" ? samples() : macro();
  }

private:
  static Scores undefined() {
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    return {none, none, none};
  }
  /// Of sets a label counts that no record has: it is a column of the matrix.
  bool isColumn(std::size_t index) const { return index < all.names.size() && (sets || choice.ofTrain); }

  void addSets(const Predictions &batch) {
    sets = true;
    const std::size_t width = all.names.size();
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double weight = batch.weight(i);
      total += weight;
      double both = 0, guessed = 0, given = 0;
      bool right = true;
      for (std::size_t c = 0; c < width; ++c) {
        const bool gold = batch.goldSets[i * width + c] != 0, guess = batch.predictedSets[i * width + c] != 0;
        right = right && gold == guess;
        support[c] += gold ? weight : 0;
        predicted[c] += guess ? weight : 0;
        correct[c] += gold && guess ? weight : 0;
        occurs[c] = occurs[c] || gold || guess;
        if (!leftOut[c]) {
          given += gold;
          guessed += guess;
          both += gold && guess;
        }
      }
      exact += right ? weight : 0;
      if (!keepsSamples) {
        continue;
      }
      const Scores own = Scores::of(both, guessed, given);
      sampled.precisions.push_back(weight * own.precision);
      sampled.recalls.push_back(weight * own.recall);
      sampled.f1s.push_back(weight * own.f1);
      sampled.weights.push_back(weight);
    }
  }

  std::vector<double> ofCounted(const std::vector<double> &values) const {
    std::vector<double> some;
    for (const std::size_t index : counted()) {
      some.push_back(values[index]);
    }
    return some;
  }

  template <typename Average> Scores average(Average &&mean) const {
    records();
    std::vector<double> precisions, recalls, f1s;
    for (const std::size_t index : counted()) {
      const Scores scores = of(index);
      precisions.push_back(scores.precision);
      recalls.push_back(scores.recall);
      f1s.push_back(scores.f1);
    }
    return precisions.empty() ? undefined() : Scores{mean(precisions), mean(recalls), mean(f1s)};
  }

  Classes all;
  CountedClasses choice;
  std::vector<double> correct, predicted, support; // one a class, and one for what has no name
  std::vector<bool> occurs, leftOut;               // likewise; `occurs`: in gold or prediction, with any weight
  std::vector<std::size_t> order;                  // of reports
  double total = 0, exact = 0;
  /// Of sets: the weighted scores of each record, which are summed in the end, because the order of a sum decides its last digit.
  struct Samples {
    std::vector<double> precisions, recalls, f1s, weights;
    template <typename Archive> void state(Archive &archive) { archive(precisions, recalls, f1s, weights); }
  } sampled;
  bool answersAll = true, sets = false, keepsSamples;
};

/// What `f1`, `precision` and `recall` have in common: NAME_AVERAGE of the classes that count, NAME_binary of `positive`, or NAME[CLASS] of
/// the class that `class` names.
class AveragedMetric {
public:
  AveragedMetric(const Parameters &parameters, Classes classes, std::string name, double Scores::*part)
      : name(std::move(name)), average(parameters.text("average")), part(part),
        counts(std::move(classes), CountedClasses(parameters), average == "samples") {
    if (parameters.has("class")) {
      one = counts.indexOf(parameters.text("class"));
      suffix = "[" + std::string(parameters.text("class")) + "]";
    } else if (average == "binary") {
      one = counts.indexOf(parameters.has("positive") ? parameters.text("positive") : std::string_view());
      suffix = "_binary";
    } else {
      suffix = "_" + average;
    }
  }
  void add(const Predictions &batch) { counts.add(batch); }
  void merge(const AveragedMetric &other) { counts.merge(other.counts); }
  template <typename Archive> void state(Archive &archive) { archive(counts); }
  void result(Results &results) const {
    counts.records();
    const double value = (one ? counts.of(*one) : counts.averaged(average)).*part;
    results.value(name + suffix, value);
    std::string text = counts.remarks();
    if (std::isnan(value)) {
      text += "`" + name + "` is not defined: `without` leaves no class\n";
    }
    if (!text.empty()) {
      results.text(text);
    }
  }

private:
  std::string name, average, suffix;
  double Scores::*part;
  std::optional<std::size_t> one; // a class alone
  ClassCounts counts;
};

} // namespace penstock::sdk
