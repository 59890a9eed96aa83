// A learner outside of the tree with a target, in one form for classes (the class whose mean is nearest) and one for numbers (NUMBER: the
// value of the nearest record, the first of equals).
#include <penstock/sdk/archive.h>
#include <penstock/sdk/learner.h>

#include <algorithm>
#include <limits>

namespace {

using namespace penstock;

/// Points with what they stand for: sums of records of a class, or records.
struct Points {
  std::vector<std::vector<double>> places;
  std::vector<double> weights, values;
  template <typename Archive> void state(Archive &archive) { archive(places, weights, values); }
};

class MeansFit {
public:
  MeansFit(const sdk::Parameters &, const sdk::Learning &learning) {
    points.places.resize(learning.classes.size(), std::vector<double>(learning.width));
    points.weights.resize(learning.classes.size());
  }
  void add(const sdk::Example &example) {
#ifdef NUMBER
    points.places.emplace_back(example.row.begin(), example.row.end());
    points.weights.push_back(1);
    points.values.push_back(example.value);
#else
    const auto label = static_cast<std::size_t>(example.label);
    for (std::size_t i = 0; i < example.row.size(); ++i) {
      points.places[label][i] += example.weight * static_cast<double>(example.row[i]);
    }
    points.weights[label] += example.weight;
#endif
  }
  std::string end() {
    sdk::StateWriter writer;
    writer(points);
    return writer.bytes;
  }

private:
  Points points;
};

class Means {
public:
  Means(const sdk::Parameters &, const sdk::Learning &learning, std::string_view state) : classes(learning.classes) {
    sdk::StateReader reader(state);
    reader(points);
    reader.end();
    const bool sound = points.places.size() == points.weights.size() &&
                       points.values.size() == (classes.empty() ? points.places.size() : 0) &&
                       (classes.empty() || classes.size() == points.places.size());
    if (!sound || std::any_of(points.places.begin(), points.places.end(), [&](const auto &one) { return one.size() != learning.width; })) {
      throw sdk::Failure("the fitted state is damaged; train again");
    }
  }

  std::vector<sdk::Field> describe() const {
#ifdef NUMBER
    return {sdk::Field::f64("value").means("number")};
#else
    return {sdk::Field::ofClass("label", classes).means("class"), sdk::Field::f64("distance").means("score")};
#endif
  }

  void answer(std::span<const float> row, sdk::ColumnWriter &out) const {
    std::size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t p = 0; p < points.places.size(); ++p) {
      double distance = 0;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const double away = static_cast<double>(row[i]) - points.places[p][i] / points.weights[p];
        distance += away * away;
      }
      if (distance < least) {
        least = distance;
        best = p;
      }
    }
#ifdef NUMBER
    out[0].add(points.values.empty() ? 0 : points.values[best]);
#else
    out[0].add(best);
    out[1].add(std::min(least, 1e300));
#endif
  }

private:
  Points points;
  std::vector<std::string> classes;
};

} // namespace

#ifdef NUMBER
PENSTOCK_FITTED_LEARNER(Means, MeansFit, "value_of_nearest", "1.0.0")
#else
PENSTOCK_FITTED_LEARNER(Means, MeansFit, "nearest_mean", "1.0.0")
#endif
