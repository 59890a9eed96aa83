// Records in the order of their scores, for metrics of rankings: one ranking a class or label ("one against the rest"), averaged as
// scikit-learn averages.
#pragma once

#include <penstock/sdk/class_counts.h>
#include <penstock/sdk/table_text.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>

namespace penstock::sdk {

/// One threshold: weights of the records whose score reaches it. Records with equal scores pass together.
struct Threshold {
  double truePositives = 0, falsePositives = 0;
};

/// The thresholds from the highest score down, one a distinct score. Records without weight count nowhere.
class Ranking {
public:
  struct Record {
    double score, weight;
    bool positive;
  };
  explicit Ranking(std::vector<Record> records) {
    std::sort(records.begin(), records.end(), [](const Record &a, const Record &b) { return a.score > b.score; });
    Threshold sum;
    for (std::size_t i = 0; i < records.size(); ++i) {
      (records[i].positive ? sum.truePositives : sum.falsePositives) += records[i].weight;
      if (i + 1 == records.size() || records[i + 1].score != records[i].score) {
        thresholds.push_back(sum);
      }
    }
  }
  double positives() const { return thresholds.empty() ? 0 : thresholds.back().truePositives; }
  double negatives() const { return thresholds.empty() ? 0 : thresholds.back().falsePositives; }

  std::vector<Threshold> thresholds;
};

/// What a metric of one ranking gives, and why it is not defined where it is not.
struct RankingValue {
  double value = 0;
  bool defined = true;
};

/// The state of a metric of rankings. It keeps every record: 8 bytes a class or label, and 12 more.
///
/// The columns are those of the classes or labels; a target of two classes has one, that of the second class.
class ScoredRecords {
public:
  ScoredRecords(std::string metric, const Parameters &parameters, std::vector<std::string> classes)
      : metric(std::move(metric)), average(parameters.text("average")), names(std::move(classes)) {}

  void add(const Predictions &batch) {
    if (batch.records == 0) {
      return;
    }
    if (!batch.hasScores()) {
      throw Failure("`" + metric + "` needs scores: the probability of each class, for each record");
    }
    const bool sets = batch.goldSets != nullptr;
    if (!weights.empty() && sets != ofSets) {
      throw Failure("`" + metric + "` got classes and sets of labels");
    }
    ofSets = sets;
    const bool positiveOnly = !sets && names.size() == 2 && batch.width == 1;
    if (!positiveOnly && batch.width != names.size()) {
      throw Failure("`" + metric + "` needs a score for each of the " + std::to_string(names.size()) + " classes, there are " +
                    std::to_string(batch.width));
    }
    const std::size_t first = positiveOnly ? 0 : firstColumn();
    for (std::size_t i = 0; i < batch.records; ++i) {
      for (std::size_t c = 0; c < columns(); ++c) {
        const double score = batch.score(i, first + c);
        finite = finite && std::isfinite(score);
        scores.push_back(score);
        if (sets) {
          labels.push_back(batch.goldSets[i * names.size() + c] != 0);
        }
      }
      if (!sets) {
        gold.push_back(batch.gold[i]);
      }
      weights.push_back(batch.weight(i));
    }
  }

  void merge(const ScoredRecords &other) {
    if (other.weights.empty()) {
      return;
    }
    if (!weights.empty() && ofSets != other.ofSets) {
      throw Failure("`" + metric + "` got classes and sets of labels");
    }
    ofSets = other.ofSets;
    finite = finite && other.finite;
    scores.insert(scores.end(), other.scores.begin(), other.scores.end());
    gold.insert(gold.end(), other.gold.begin(), other.gold.end());
    labels.insert(labels.end(), other.labels.begin(), other.labels.end());
    weights.insert(weights.end(), other.weights.begin(), other.weights.end());
  }

  /// Gives `metric`, and `metric[name]` of each class where there are several columns. `of` takes a Ranking and gives a
  /// RankingValue. The text says why a value is not defined.
  template <typename Of> void result(Results &results, Of &&of) const {
    if (std::none_of(weights.begin(), weights.end(), [](double weight) { return weight > 0; })) {
      throw Failure("there are no records to judge");
    }
    if (!finite) {
      results.value(metric, std::numeric_limits<double>::quiet_NaN());
      results.text("`" + metric + "` is not defined: a score is not a finite number\n");
      return;
    }
    std::string reasons;
    std::vector<double> values(columns()), supports(columns());
    for (std::size_t c = 0; c < columns(); ++c) {
      const Ranking ranking(column(c));
      const RankingValue found = of(ranking);
      values[c] = found.value;
      supports[c] = ranking.positives();
      if (!found.defined) {
        const std::string &name = names[firstColumn() + c];
        reasons += "`" + metric + "` " + (std::isnan(found.value) ? "is not defined" : "counts as " + plain(found.value)) + " for " +
                   (ofSets ? "label" : "class") + " `" + name + "`: " + (ranking.positives() > 0 ? "every" : "no") + " record has it\n";
      }
    }
    results.value(metric, averaged(values, supports, of));
    if (columns() > 1) {
      for (std::size_t c = 0; c < columns(); ++c) {
        results.value(metric + "[" + names[c] + "]", values[c]);
      }
    }
    if (!reasons.empty()) {
      results.text(reasons);
    }
  }

private:
  std::size_t columns() const { return !ofSets && names.size() == 2 ? 1 : names.size(); }
  std::size_t firstColumn() const { return !ofSets && names.size() == 2 ? 1 : 0; }

  void append(std::vector<Ranking::Record> &records, std::size_t c) const {
    const auto wanted = static_cast<std::int32_t>(firstColumn() + c);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] != 0) {
        const std::size_t at = i * columns() + c;
        records.push_back({scores[at], weights[i], ofSets ? labels[at] : gold[i] == wanted});
      }
    }
  }
  std::vector<Ranking::Record> column(std::size_t c) const {
    std::vector<Ranking::Record> records;
    records.reserve(weights.size());
    append(records, c);
    return records;
  }

  template <typename Of> double averaged(const std::vector<double> &values, const std::vector<double> &supports, Of &&of) const {
    if (columns() == 1) {
      return values[0];
    }
    if (average == "micro") {
      std::vector<Ranking::Record> records;
      for (std::size_t c = 0; c < columns(); ++c) {
        append(records, c);
      }
      return of(Ranking(std::move(records))).value;
    }
    if (average == "macro") {
      return pairwiseSum(values) / static_cast<double>(values.size());
    }
    std::vector<double> weighted; // a class without records counts with weight 0, even where its value is not defined
    for (std::size_t c = 0; c < columns(); ++c) {
      weighted.push_back(supports[c] > 0 ? values[c] * supports[c] : 0);
    }
    const double sum = pairwiseSum(supports);
    return sum > 0 ? pairwiseSum(weighted) / sum : 0.0;
  }

  std::string metric, average;
  std::vector<std::string> names;
  bool ofSets = false, finite = true;
  std::vector<double> scores;     // records x columns
  std::vector<std::int32_t> gold; // of classes
  std::vector<bool> labels;       // of sets: records x columns
  std::vector<double> weights;
};

} // namespace penstock::sdk
