// The expected calibration error (Guo, Pleiss, Sun and Weinberger 2017). A record's confidence is the probability of its predicted
// class, the largest one. Bin k of n holds the confidences in (k / n, (k + 1) / n], 0 being in the first; the error is the sum over
// the bins of |share that is right - mean confidence| times the bin's share of the records. A record of a class that train lacks is
// wrong.
#include <penstock/sdk/metric.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

using namespace penstock;

class CalibrationError {
public:
  CalibrationError(const sdk::Parameters &parameters, const sdk::Classes &given)
      : classes(given.trained), binCount(static_cast<std::size_t>(parameters.integer("bins"))), bins(binCount) {}

  void add(const sdk::Predictions &batch) {
    if (batch.records == 0) {
      return;
    }
    if (!batch.hasScores() || batch.width != classes) {
      throw sdk::Failure("`calibration_error` needs the probability of each of the " + std::to_string(classes) +
                         " classes, for each record");
    }
    for (std::size_t i = 0; i < batch.records; ++i) {
      double confidence = batch.score(i, 0);
      for (std::size_t c = 1; c < batch.width; ++c) {
        confidence = std::max(confidence, batch.score(i, c));
      }
      const double weight = batch.weight(i);
      all += weight;
      if (!(confidence >= 0 && confidence <= 1)) {
        outside = outside || weight > 0;
        continue;
      }
      // By comparison with the edges themselves, so that a confidence on an edge falls where the definition says.
      const double n = static_cast<double>(bins.size());
      auto k = static_cast<std::size_t>(std::clamp(std::ceil(confidence * n) - 1, 0.0, n - 1));
      while (k > 0 && confidence <= static_cast<double>(k) / n) {
        --k;
      }
      while (k + 1 < bins.size() && confidence > static_cast<double>(k + 1) / n) {
        ++k;
      }
      bins[k].confidence += weight * confidence;
      bins[k].right += batch.gold[i] >= 0 && batch.gold[i] == batch.predicted[i] ? weight : 0;
    }
  }

  void merge(const CalibrationError &other) {
    for (std::size_t k = 0; k < bins.size(); ++k) {
      bins[k].confidence += other.bins[k].confidence;
      bins[k].right += other.bins[k].right;
    }
    all += other.all;
    outside = outside || other.outside;
  }

  template <typename Archive> void state(Archive &archive) {
    archive(bins, all, outside);
    archive.require(bins.size() == binCount);
  }

  void result(sdk::Results &results) const {
    if (!(all > 0)) {
      throw sdk::Failure("there are no records to judge");
    }
    double sum = 0;
    for (const Bin &bin : bins) {
      sum += std::fabs(bin.right - bin.confidence);
    }
    results.value("calibration_error", outside ? std::numeric_limits<double>::quiet_NaN() : sum / all);
    if (outside) {
      results.text("`calibration_error` is not defined: a score is not a probability\n");
    }
  }

private:
  struct Bin {
    double confidence = 0, right = 0;
    template <typename Archive> void state(Archive &archive) { archive(confidence, right); }
  };
  std::size_t classes, binCount;
  std::vector<Bin> bins;
  double all = 0;
  bool outside = false;
};

} // namespace

PENSTOCK_METRIC(CalibrationError, "calibration_error", "1.1.0")
