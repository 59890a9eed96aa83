// Mean of -log(probability of the true class), natural logarithm, as scikit-learn's `log_loss`: probabilities are first moved into
// [eps, 1 - eps], where eps is the machine epsilon of the type that they come in (float32 of a model: 1.19e-7). A class that is not
// among the classes has probability 0.
#include <penstock/sdk/moments.h>
#include <penstock/sdk/table_text.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

using namespace penstock;

class LogLoss {
public:
  LogLoss(const sdk::Parameters &, const sdk::Classes &given) : classes(given.trained) {}

  void add(const sdk::Predictions &batch) {
    if (batch.records == 0) {
      return;
    }
    if (!batch.hasScores() || batch.width != classes) {
      throw sdk::Failure("`log_loss` needs the probability of each of the " + std::to_string(classes) + " classes, for each record");
    }
    const double epsilon =
        batch.exactScores.empty() ? static_cast<double>(std::numeric_limits<float>::epsilon()) : std::numeric_limits<double>::epsilon();
    for (std::size_t i = 0; i < batch.records; ++i) {
      double probability = 0;
      const auto gold = static_cast<std::size_t>(batch.gold[i]);
      if (batch.gold[i] < 0 || gold >= classes) {
        unknown += batch.weight(i);
      } else {
        probability = batch.score(i, gold);
      }
      mean.add(-std::log(std::clamp(probability, epsilon, 1 - epsilon)), batch.weight(i));
    }
  }
  void merge(const LogLoss &other) {
    mean.merge(other.mean);
    unknown += other.unknown;
  }
  template <typename Archive> void state(Archive &archive) { archive(mean, unknown); }
  void result(sdk::Results &results) const {
    results.value("log_loss", mean.value());
    if (std::isnan(mean.value())) {
      results.text("`log_loss` is not defined: a score is not a number\n");
    } else if (unknown > 0) {
      results.text("`log_loss` counts a probability of 0 for the records of classes that train lacks (" + sdk::plain(unknown) + ")\n");
    }
  }

private:
  std::size_t classes; // that have a probability
  sdk::Mean mean;
  double unknown = 0; // records of other classes
};

} // namespace

PENSTOCK_METRIC(LogLoss, "log_loss", "1.1.0")
