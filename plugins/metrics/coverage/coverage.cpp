// Of all records: how many are answered, and how many of those rightly. Where none is answered the second is not defined.
#include <penstock/sdk/metric.h>

#include <limits>

namespace {

using namespace penstock;

class Coverage {
public:
  Coverage(const sdk::Parameters &, sdk::Classes) {}
  void add(const sdk::Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      const double weight = batch.weight(i);
      records += weight;
      answered += batch.predicted[i] >= 0 ? weight : 0;
      right += batch.predicted[i] >= 0 && batch.predicted[i] == batch.gold[i] ? weight : 0;
    }
  }
  void merge(const Coverage &other) {
    records += other.records;
    answered += other.answered;
    right += other.right;
  }
  template <typename Archive> void state(Archive &archive) { archive(records, answered, right); }
  void result(sdk::Results &results) const {
    if (!(records > 0)) {
      throw sdk::Failure("there are no records to judge");
    }
    results.value("coverage", answered / records);
    results.value("accuracy_answered", answered > 0 ? right / answered : std::numeric_limits<double>::quiet_NaN());
    if (!(answered > 0)) {
      results.text("`accuracy_answered` is not defined: no record has an answer\n");
    }
  }

private:
  double records = 0, answered = 0, right = 0;
};

} // namespace

PENSTOCK_METRIC(Coverage, "coverage", "1.0.0")
