// 1 - residual squares / total squares. As scikit-learn with `force_finite`: where all true numbers are the same, 1 for perfect
// predictions and 0 for others; NaN for fewer than two records, of which no variance is known.
#include <penstock/sdk/moments.h>

#include <limits>

namespace {

using namespace penstock;

class R2 {
public:
  R2(const sdk::Parameters &, const sdk::Classes &) {}
  void add(const sdk::Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double difference = batch.goldNumbers[i] - batch.predictedNumbers[i];
      residual.add(batch.weight(i) * difference * difference);
      total.add(batch.goldNumbers[i], batch.weight(i));
    }
    records += batch.records;
  }
  void merge(const R2 &other) {
    residual.merge(other.residual);
    total.merge(other.total);
    records += other.records;
  }
  void result(sdk::Results &results) const {
    if (records == 0) {
      throw sdk::Failure("there are no records to judge");
    }
    const double value = records < 2             ? std::numeric_limits<double>::quiet_NaN()
                         : total.value() != 0    ? 1 - residual.value() / total.value()
                         : residual.value() == 0 ? 1.0
                                                 : 0.0;
    results.value("r2", value);
  }
  template <typename Archive> void state(Archive &archive) { archive(residual, total, records); }

private:
  sdk::ExactSum residual;
  sdk::Spread total;
  std::size_t records = 0;
};

} // namespace

PENSTOCK_METRIC(R2, "r2", "1.0.0")
