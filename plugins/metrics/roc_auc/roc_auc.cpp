// The area under the curve of true positives over false positives, as the share of pairs (positive, negative) in which the positive
// one has the higher score, ties counting half. Equal to scikit-learn's `roc_auc_score(multi_class="ovr")`, which is not
// defined where a class has no record; such a class is left out here.
#include <penstock/sdk/ranking.h>

namespace {

using namespace penstock;

sdk::RankingValue area(const sdk::Ranking &ranking) {
  const double pairs = ranking.positives() * ranking.negatives();
  if (!(pairs > 0)) {
    return {std::numeric_limits<double>::quiet_NaN(), false};
  }
  double sum = 0;
  sdk::Threshold before;
  for (const sdk::Threshold &at : ranking.thresholds) {
    sum += (at.falsePositives - before.falsePositives) * (at.truePositives + before.truePositives) / 2;
    before = at;
  }
  return {sum / pairs, true};
}

class RocAuc {
public:
  RocAuc(const sdk::Parameters &parameters, sdk::Classes classes) : records("roc_auc", parameters, std::move(classes)) {}
  void add(const sdk::Predictions &batch) { records.add(batch); }
  void merge(const RocAuc &other) { records.merge(other.records); }
  template <typename Archive> void state(Archive &archive) { archive(records); }
  void result(sdk::Results &results) const { records.result(results, area); }

private:
  sdk::ScoredRecords records;
};

} // namespace

PENSTOCK_METRIC(RocAuc, "roc_auc", "1.1.0")
