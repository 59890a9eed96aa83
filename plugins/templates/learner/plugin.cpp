// A learner: the mean of the records of each class, and the class whose mean is nearest. Replace what is kept and how it answers.
#include <penstock/sdk/archive.h>
#include <penstock/sdk/learner.h>

namespace {

using namespace penstock;

struct Means {
  std::vector<std::vector<double>> sums; // a class
  std::vector<double> weights;
  template <typename Archive> void state(Archive &archive) { archive(sums, weights); }
};

// Is shown the records of train, in their order, when the weights of the model are final.
class Fit {
public:
  Fit(const sdk::Parameters &parameters, const sdk::Learning &learning) {
    means.sums.assign(learning.classes.size(), std::vector<double>(learning.width));
    means.weights.assign(learning.classes.size(), parameters.number("prior"));
  }
  void add(const sdk::Example &example) {
    if (example.label < 0) {
      return;
    }
    const auto label = static_cast<std::size_t>(example.label);
    for (std::size_t i = 0; i < example.row.size(); ++i) {
      means.sums[label][i] += example.weight * static_cast<double>(example.row[i]);
    }
    means.weights[label] += example.weight;
  }
  std::string end() {
    sdk::StateWriter writer;
    writer(means);
    return writer.bytes;
  }

private:
  Means means;
};

class NearestMean {
public:
  // The state comes from a file: bear any bytes.
  NearestMean(const sdk::Parameters &, const sdk::Learning &learning, std::string_view state) : classes(learning.classes) {
    sdk::StateReader reader(state);
    reader(means);
    reader.end();
    reader.require(means.sums.size() == classes.size() && means.weights.size() == classes.size());
    for (const std::vector<double> &sum : means.sums) {
      reader.require(sum.size() == learning.width);
    }
  }

  std::vector<sdk::Field> describe() const {
    return {sdk::Field::ofClass("label", classes).means("class"), sdk::Field::f64("distance").means("score")};
  }

  // One record, by many threads at once; it does not depend on the others.
  void answer(std::span<const float> row, sdk::ColumnWriter &out) const {
    std::int32_t best = -1; // none, where train has no record
    double least = 0;
    for (std::size_t c = 0; c < classes.size(); ++c) {
      double distance = 0;
      for (std::size_t i = 0; means.weights[c] > 0 && i < row.size(); ++i) {
        const double away = static_cast<double>(row[i]) - means.sums[c][i] / means.weights[c];
        distance += away * away;
      }
      if (means.weights[c] > 0 && (best < 0 || distance < least)) {
        best = static_cast<std::int32_t>(c);
        least = distance;
      }
    }
    out[0].add(best);
    out[1].add(least);
  }

private:
  std::vector<std::string> classes;
  Means means;
};

} // namespace

PENSTOCK_FITTED_LEARNER(NearestMean, Fit, "@NAME@", "1.0.0")
