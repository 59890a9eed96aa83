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

/// What a metric of one ranking gives. Not `defined`: no record has the class, or, where the value is not a number, every one does.
struct RankingValue {
  double value = 0;
  bool defined = true;
};

/// The state of a metric of rankings. It keeps every record: 8 bytes a class or label, and 12 more.
///
/// The columns are those of the classes or labels of train; a target of two classes has one, that of the second class. A record of
/// another class counts against all of them. `labels: present` averages over the columns whose value is defined, `labels: train` over all.
class ScoredRecords {
public:
  ScoredRecords(std::string metric, const Parameters &parameters, Classes classes)
      : metric(std::move(metric)), average(parameters.text("average")), ofTrain(parameters.text("labels") == "train"),
        names(std::move(classes.names)), trained(classes.trained), occurs(names.size()) {}

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
    if (batch.width != trained) {
      throw Failure("`" + metric + "` needs a score for each of the " + std::to_string(trained) + " classes, there are " +
                    std::to_string(batch.width));
    }
    for (std::size_t i = 0; i < batch.records; ++i) {
      for (std::size_t c = 0; c < columns(); ++c) {
        const double score = batch.score(i, firstColumn() + c);
        finite = finite && std::isfinite(score);
        scores.push_back(score);
        if (sets) {
          labels.push_back(batch.goldSets[i * names.size() + c] != 0);
        }
      }
      for (std::size_t c = trained; sets && c < names.size(); ++c) {
        occurs[c] = occurs[c] || batch.goldSets[i * names.size() + c] != 0;
      }
      if (!sets) {
        gold.push_back(batch.gold[i]);
        if (batch.gold[i] >= 0) {
          occurs[static_cast<std::size_t>(batch.gold[i])] = true;
        }
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
    for (std::size_t c = 0; c < names.size(); ++c) {
      occurs[c] = occurs[c] || other.occurs[c];
    }
  }

  template <typename Archive> void state(Archive &archive) {
    archive(occurs, ofSets, finite, scores, gold, labels, weights);
    const std::size_t cells = weights.size() * columns();
    archive.require(occurs.size() == names.size() && scores.size() == cells && labels.size() == (ofSets ? cells : 0) &&
                    gold.size() == (ofSets ? 0 : weights.size()));
  }

  /// Gives `metric`, and `metric[name]` of each class where there are several columns. `of` takes a Ranking and gives a
  /// RankingValue. The text says what is left out, and why a value is not defined.
  template <typename Of> void result(Results &results, Of &&of) const {
    if (std::none_of(weights.begin(), weights.end(), [](double weight) { return weight > 0; })) {
      throw Failure("there are no records to judge");
    }
    if (!finite) {
      results.value(metric, std::numeric_limits<double>::quiet_NaN());
      results.text("`" + metric + "` is not defined: a score is not a finite number\n");
      return;
    }
    std::vector<Column> judged;
    for (std::size_t c = 0; c < columns(); ++c) {
      const Ranking ranking(column(c));
      judged.push_back({of(ranking), ranking.positives()});
    }
    const double value = averaged(judged, of);
    results.value(metric, value);
    if (columns() > 1) {
      for (std::size_t c = 0; c < columns(); ++c) {
        results.value(metric + "[" + names[c] + "]", judged[c].found.value);
      }
    }
    if (const std::string text = remarks(judged, value); !text.empty()) {
      results.text(text);
    }
  }

private:
  struct Column {
    RankingValue found;
    double positives = 0;
  };
  std::size_t columns() const { return !ofSets && trained == 2 ? 1 : trained; }
  std::size_t firstColumn() const { return !ofSets && trained == 2 ? 1 : 0; }

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

  template <typename Of> double averaged(const std::vector<Column> &judged, Of &&of) const {
    if (columns() == 1) {
      return judged[0].found.value;
    }
    if (average == "micro") {
      std::vector<Ranking::Record> records;
      for (std::size_t c = 0; c < columns(); ++c) {
        append(records, c);
      }
      return of(Ranking(std::move(records))).value;
    }
    std::vector<double> values, shares;
    for (const Column &one : judged) {
      if (!ofTrain && !one.found.defined) {
        continue;
      }
      shares.push_back(average == "macro" ? 1 : one.positives);
      values.push_back(shares.back() > 0 ? one.found.value * shares.back() : 0); // of no weight even where it is not defined
    }
    if (values.empty()) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    const double sum = pairwiseSum(shares);
    return sum > 0 ? pairwiseSum(values) / sum : 0.0;
  }

  /// "`roc_auc` leaves out 2 labels that no record has: `a`, `b`".
  std::string remark(const std::string &does, const char *why, const std::vector<std::size_t> &indices) const {
    constexpr std::size_t most = 10;
    if (indices.empty()) {
      return "";
    }
    const std::string one = ofSets ? "label" : "class", many = ofSets ? "labels" : "classes";
    std::string text = "`" + metric + "` " + does + " " + std::to_string(indices.size()) + " " + (indices.size() == 1 ? one : many) +
                       " that " + why + ": ";
    for (std::size_t i = 0; i < std::min(most, indices.size()); ++i) {
      text += (i == 0 ? "`" : ", `") + names[indices[i]] + "`";
    }
    return text + (indices.size() > most ? " and others\n" : "\n");
  }

  std::string remarks(const std::vector<Column> &judged, double value) const {
    std::vector<std::size_t> none, every, lacking;
    for (std::size_t c = 0; c < judged.size(); ++c) {
      if (!judged[c].found.defined) {
        (judged[c].positives > 0 ? every : none).push_back(firstColumn() + c);
      }
    }
    for (std::size_t c = trained; c < names.size(); ++c) {
      if (occurs[c]) {
        lacking.push_back(c);
      }
    }
    const bool all = none.size() + every.size() == judged.size() && average != "micro";
    const bool leavesOut = columns() > 1 && !ofTrain && !all && average != "micro";
    const double counts = none.empty() ? 0 : judged[none[0] - firstColumn()].found.value;
    const std::string does = leavesOut ? "leaves out" : std::isnan(counts) ? "is not defined for" : "counts as " + plain(counts) + " for";
    std::string text = remark(does, "no record has", none) + remark(leavesOut ? does : "is not defined for", "every record has", every) +
                       remark("leaves out", "train lacks", lacking);
    if (std::isnan(value) && text.empty()) {
      text = "`" + metric + "` is not defined: every pair, or none, is of a record and its " + (ofSets ? "label\n" : "class\n");
    }
    return text;
  }

  std::string metric, average;
  bool ofTrain;
  std::vector<std::string> names;
  std::size_t trained;
  std::vector<bool> occurs; // one a name: in gold
  bool ofSets = false, finite = true;
  std::vector<double> scores;     // records x columns
  std::vector<std::int32_t> gold; // of classes
  std::vector<bool> labels;       // of sets: records x columns
  std::vector<double> weights;
};

} // namespace penstock::sdk
