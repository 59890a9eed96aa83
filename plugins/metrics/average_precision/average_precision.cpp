// The mean of the precisions at all thresholds, each weighted by the recall that it adds; no interpolation. Equal to scikit-learn's
// `average_precision_score`, which gives 0 where no record is positive.
#include <penstock/sdk/ranking.h>

namespace {

using namespace penstock;

sdk::RankingValue precision(const sdk::Ranking &ranking) {
  const double positives = ranking.positives();
  if (!(positives > 0)) {
    return {0, false};
  }
  double sum = 0, before = 0;
  for (const sdk::Threshold &at : ranking.thresholds) {
    sum += (at.truePositives - before) / positives * (at.truePositives / (at.truePositives + at.falsePositives));
    before = at.truePositives;
  }
  return {sum, true};
}

class AveragePrecision {
public:
  AveragePrecision(const sdk::Parameters &parameters, sdk::Classes classes)
      : records("average_precision", parameters, std::move(classes)) {}
  void add(const sdk::Predictions &batch) { records.add(batch); }
  void merge(const AveragePrecision &other) { records.merge(other.records); }
  template <typename Archive> void state(Archive &archive) { archive(records); }
  void result(sdk::Results &results) const { records.result(results, precision); }

private:
  sdk::ScoredRecords records;
};

} // namespace

PENSTOCK_METRIC(AveragePrecision, "average_precision", "1.1.0")
