// A metric in C++. Write a class
//
//     class Mine {
//     public:
//       Mine(const sdk::Parameters &, std::vector<std::string> classes);  // no classes: a number
//       void add(const sdk::Predictions &);                               // a batch of records
//       void merge(const Mine &);
//       void result(sdk::Results &) const;                                // every name that plugin.toml declares
//     };
//
// and `PENSTOCK_METRIC(Mine, "mine", "1.0.0")`. Throw sdk::Failure to refuse. A constructor with `sdk::Classes` in place of the names
// is told the classes of the judged data that train lacks; with the names alone those are -1.
#pragma once

#include <penstock/sdk/common.h>

#include <algorithm>
#include <memory>
#include <numeric>

namespace penstock::sdk {

/// The classes, labels or tags that a batch's indices mean: first those that train has, then those that only the judged data have.
struct Classes {
  std::vector<std::string> names;
  std::size_t trained = 0; // scores have a column for each of these

  /// All indices as reports list them: by name where those of train are in that order, as scikit-learn has them; else in train's
  /// order, the others by name behind.
  std::vector<std::size_t> order() const {
    std::vector<std::size_t> indices(names.size());
    std::iota(indices.begin(), indices.end(), std::size_t{0});
    const auto mid = names.begin() + static_cast<std::ptrdiff_t>(trained);
    const auto first = indices.begin() + (std::is_sorted(names.begin(), mid) ? 0 : static_cast<std::ptrdiff_t>(trained));
    std::sort(first, indices.end(), [&](std::size_t a, std::size_t b) { return names[a] < names[b]; });
    return indices;
  }
};

/// A batch of records to judge. Spans are empty where a member does not apply.
struct Predictions {
  explicit Predictions(const PenstockPredictions &given)
      : records(static_cast<std::size_t>(given.records)), width(static_cast<std::size_t>(given.width)), gold(span(given.gold, records)),
        predicted(span(given.predicted, records)), scores(span(given.scores, records * width)),
        goldNumbers(span(given.gold_numbers, records)), predictedNumbers(span(given.predicted_numbers, records)),
        weights(span(given.weights, records)) {
    if (PENSTOCK_HAS(&given, PenstockPredictions, offsets)) { // of a host of minor 1
      exactScores = span(given.exact_scores, records * width);
      goldSets = given.gold_sets;
      predictedSets = given.predicted_sets;
      if (given.offsets != nullptr) {
        offsets = std::span<const std::int64_t>(given.offsets, static_cast<std::size_t>(given.sequences) + 1);
      }
    }
  }

  std::size_t records, width;
  std::span<const std::int32_t> gold, predicted; // -1: a class without a name here, or, predicted, none at all
  std::span<const float> scores;                 // records x width
  std::span<const double> goldNumbers, predictedNumbers;
  std::span<const double> weights;
  std::span<const double> exactScores;                              // the scores, where the host has them in double precision
  const std::uint8_t *goldSets = nullptr, *predictedSets = nullptr; // records x classes, 1 for the labels of a record; or null
  std::span<const std::int64_t> offsets; // of tags: sequence s is the records (words) [offsets[s], offsets[s + 1])

  bool hasScores() const { return !scores.empty() || !exactScores.empty(); }
  double score(std::size_t record, std::size_t column) const {
    const std::size_t at = record * width + column;
    return exactScores.empty() ? static_cast<double>(scores[at]) : exactScores[at];
  }
  double weight(std::size_t record) const { return weights.empty() ? 1.0 : weights[record]; }

private:
  template <typename T> static std::span<const T> span(const T *data, std::size_t count) {
    return data == nullptr ? std::span<const T>() : std::span<const T>(data, count);
  }
};

class Results {
public:
  explicit Results(const PenstockMetricSink *sink) : sink(sink) {}
  void value(std::string_view name, double number) { check(sink->value(sink->context, string(name), number)); }
  void text(std::string_view report) { check(sink->text(sink->context, string(report))); }

private:
  static void check(std::int32_t failed) {
    if (failed != 0) {
      throw Failure("the host stopped the plugin");
    }
  }
  const PenstockMetricSink *sink;
};

template <typename T> struct MetricFunctions {
  static constexpr bool namesAll = std::is_constructible_v<T, Parameters, Classes>;
  static std::int32_t create(const PenstockHost *, const PenstockParameters *parameters, const PenstockString *classes,
                             std::int64_t classCount, void **self, PenstockError *error) {
    return createFor(nullptr, parameters, classes, classCount, classCount, self, error);
  }
  static std::int32_t createFor(const PenstockHost *, const PenstockParameters *parameters, const PenstockString *classes,
                                std::int64_t classCount, std::int64_t trained, void **self, PenstockError *error) {
    return guarded(error, [&] {
      if constexpr (namesAll) {
        *self =
            std::make_unique<T>(Parameters(parameters), Classes{strings(classes, classCount), static_cast<std::size_t>(trained)}).release();
      } else {
        *self = std::make_unique<T>(Parameters(parameters), strings(classes, trained)).release();
      }
    });
  }
  static void destroy(void *self) { destroyed<T>(self); }
  static std::int32_t add(void *self, const PenstockPredictions *given, PenstockError *error) {
    return guarded(error, [&] { static_cast<T *>(self)->add(Predictions(*given)); });
  }
  static std::int32_t merge(void *self, const void *other, PenstockError *error) {
    return guarded(error, [&] { static_cast<T *>(self)->merge(*static_cast<const T *>(other)); });
  }
  static std::int32_t result(const void *self, const PenstockMetricSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      Results results(sink);
      static_cast<const T *>(self)->result(results);
    });
  }
  static const PenstockMetric *table() {
    static const PenstockMetric functions = {sizeof(PenstockMetric), create, destroy, add, merge, result, namesAll ? createFor : nullptr};
    return &functions;
  }
};

} // namespace penstock::sdk

#define PENSTOCK_METRIC(CLASS, NAME, VERSION)                                                                                              \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_METRIC, ::penstock::sdk::MetricFunctions<CLASS>::table(), NAME, VERSION)
