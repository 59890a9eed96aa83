// Matthews' correlation coefficient for any number of classes (Gorodkin 2004), as scikit-learn's `matthews_corrcoef`: 0 where all
// records are of one class or all predictions are.
#include <penstock/sdk/metric.h>

#include <cmath>

namespace {

using namespace penstock;

class Mcc {
public:
  /// Beside the classes there is a place for a gold class without a name, and one for no answer: they are not the same.
  Mcc(const sdk::Parameters &, const sdk::Classes &classes) : places(classes.names.size() + 2), gold(places), predicted(places) {}

  void add(const sdk::Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double weight = batch.weight(i);
      gold[place(batch.gold[i], 2)] += weight;
      predicted[place(batch.predicted[i], 1)] += weight;
      correct += batch.gold[i] >= 0 && batch.gold[i] == batch.predicted[i] ? weight : 0;
      all += weight;
    }
  }

  void merge(const Mcc &other) {
    for (std::size_t i = 0; i < gold.size(); ++i) {
      gold[i] += other.gold[i];
      predicted[i] += other.predicted[i];
    }
    correct += other.correct;
    all += other.all;
  }

  template <typename Archive> void state(Archive &archive) {
    archive(gold, predicted, correct, all);
    archive.require(gold.size() == places && predicted.size() == places);
  }

  void result(sdk::Results &results) const {
    if (!(all > 0)) {
      throw sdk::Failure("there are no records to judge");
    }
    const double spread = (all * all - product(gold, gold)) * (all * all - product(predicted, predicted));
    results.value("mcc", spread > 0 ? (correct * all - product(gold, predicted)) / std::sqrt(spread) : 0.0);
  }

private:
  std::size_t place(std::int32_t index, std::size_t fromEnd) const {
    return index < 0 ? gold.size() - fromEnd : static_cast<std::size_t>(index);
  }
  static double product(const std::vector<double> &a, const std::vector<double> &b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  std::size_t places;
  std::vector<double> gold, predicted;
  double correct = 0, all = 0;
};

} // namespace

PENSTOCK_METRIC(Mcc, "mcc", "1.1.0")
