// Mean of -log(probability of the true class), natural logarithm, as scikit-learn's `log_loss`: probabilities are first moved into
// [eps, 1 - eps], where eps is the machine epsilon of the type that they come in (float32 of a model: 1.19e-7). A class that is not
// among the classes has probability 0.
#include <penstock/sdk/moments.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

using namespace penstock;

class LogLoss {
public:
  LogLoss(const sdk::Parameters &, const std::vector<std::string> &classes) : classes(classes.size()) {}

  void add(const sdk::Predictions &batch) {
    if (batch.records == 0) {
      return;
    }
    const bool positiveOnly = classes == 2 && batch.width == 1;
    if (!batch.hasScores() || (!positiveOnly && batch.width != classes)) {
      throw sdk::Failure("`log_loss` needs the probability of each of the " + std::to_string(classes) + " classes, for each record");
    }
    const double epsilon =
        batch.exactScores.empty() ? static_cast<double>(std::numeric_limits<float>::epsilon()) : std::numeric_limits<double>::epsilon();
    for (std::size_t i = 0; i < batch.records; ++i) {
      double probability = 0;
      if (positiveOnly && batch.gold[i] >= 0) {
        probability = batch.gold[i] == 1 ? batch.score(i, 0) : 1 - batch.score(i, 0);
      } else if (batch.gold[i] >= 0) {
        probability = batch.score(i, static_cast<std::size_t>(batch.gold[i]));
      }
      mean.add(-std::log(std::clamp(probability, epsilon, 1 - epsilon)), batch.weight(i));
    }
  }
  void merge(const LogLoss &other) { mean.merge(other.mean); }
  void result(sdk::Results &results) const {
    results.value("log_loss", mean.value());
    if (std::isnan(mean.value())) {
      results.text("`log_loss` is not defined: a score is not a number\n");
    }
  }

private:
  std::size_t classes;
  sdk::Mean mean;
};

} // namespace

PENSTOCK_METRIC(LogLoss, "log_loss", "1.0.0")
