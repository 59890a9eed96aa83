// A metric in C++. Write a class
//
//     class Mine {
//     public:
//       Mine(const sdk::Parameters &, sdk::Classes classes);  // no classes: a number
//       void add(const sdk::Predictions &);                   // a batch of records
//       void merge(const Mine &);
//       void result(sdk::Results &) const;                    // every name that plugin.toml declares
//       template <typename Archive> void state(Archive &archive) { archive(counts, total); } // all that `add` changes
//     };
//
// and `PENSTOCK_METRIC(Mine, "mine", "1.0.0")`. Throw sdk::Failure to refuse. `state` is read and written by one function
// (archive.h). A constructor with `sdk::Judging` in place of the classes is told all fields that it is shown.
#pragma once

#include <penstock/sdk/archive.h>
#include <penstock/sdk/columns.h>

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

/// What a metric is bound to: the boundary's form, which lives as long as the constructor runs.
struct Judging {
  explicit Judging(const PenstockJudging &given) : answers(given.answers), features(given.features), gold(*given.gold) {}
  PenstockTable answers, features; // PenstockField
  const PenstockField &gold;
  Classes classes() const { return {classesOf(gold), static_cast<std::size_t>(gold.trained)}; }
};

/// A batch of records to judge, as most metrics want it. Spans are empty where something does not apply. Of tags a record is a word.
class Predictions {
public:
  explicit Predictions(const PenstockJudged &given) : columns(given) {
    const PenstockField &target = *given.gold->field;
    const std::string_view meaning = view(target.meaning);
    const PenstockColumn *const answer = columnThatMeans(given.answers, meaning);
    if (answer == nullptr) {
      throw Failure("the answer has nothing that means `" + std::string(meaning) + "`");
    }
    records = static_cast<std::size_t>(given.gold->rows);
    if (given.weights != nullptr) {
      weights = {given.weights, records};
    }
    if (meaning == "number") {
      readNumbers(*given.gold, goldValues, goldNumbers);
      readNumbers(*answer, predictedValues, predictedNumbers);
    } else if (meaning == "set") {
      goldBits = bitsOf(*given.gold, target.class_count);
      predictedBits = bitsOf(*answer, target.class_count);
      goldSets = goldBits.data();
      predictedSets = predictedBits.data();
    } else {
      if (given.gold->offsets != nullptr) {
        readSequences(given);
      }
      gold = {static_cast<const std::int32_t *>(given.gold->values), records};
      predicted = {static_cast<const std::int32_t *>(answer->values), records};
    }
    if (const PenstockColumn *const scored = columnThatMeans(given.answers, "probabilities")) {
      width = static_cast<std::size_t>(scored->field->width);
      if (scored->field->element == PENSTOCK_F64) {
        exactScores = {static_cast<const double *>(scored->values), records * width};
      } else {
        scores = {static_cast<const float *>(scored->values), records * width};
      }
    }
  }
  Predictions(const Predictions &) = delete;
  Predictions &operator=(const Predictions &) = delete;

  const PenstockJudged &columns; // all that is shown
  std::size_t records = 0, width = 0;
  std::span<const std::int32_t> gold, predicted; // -1: a class without a name here, or, predicted, none at all
  std::span<const float> scores;                 // records x width: a probability a class of train
  std::span<const double> exactScores;           // the scores, where the host has them in double precision
  std::span<const double> goldNumbers, predictedNumbers;
  std::span<const double> weights;
  const std::uint8_t *goldSets = nullptr, *predictedSets = nullptr; // records x classes, 1 for the labels of a record; or null
  std::span<const std::int64_t> offsets; // of tags: sequence s is the records (words) [offsets[s], offsets[s + 1])

  bool hasScores() const { return !scores.empty() || !exactScores.empty(); }
  double score(std::size_t record, std::size_t column) const {
    const std::size_t at = record * width + column;
    return exactScores.empty() ? static_cast<double>(scores[at]) : exactScores[at];
  }
  double weight(std::size_t record) const { return weights.empty() ? 1.0 : weights[record]; }

private:
  static void readNumbers(const PenstockColumn &column, std::vector<double> &held, std::span<const double> &numbers) {
    if (column.field->element == PENSTOCK_F64) {
      numbers = {static_cast<const double *>(column.values), static_cast<std::size_t>(column.rows)};
      return;
    }
    for (std::int64_t i = 0; i < column.rows; ++i) {
      held.push_back(numberAt(column, i));
    }
    numbers = held;
  }
  static std::vector<std::uint8_t> bitsOf(const PenstockColumn &column, std::int64_t classes) {
    std::vector<std::uint8_t> bits(static_cast<std::size_t>(column.rows * classes));
    const auto *const labels = static_cast<const std::int32_t *>(column.values);
    for (std::int64_t r = 0; r < column.rows; ++r) {
      for (std::int64_t i = column.offsets[r]; i < column.offsets[r + 1]; ++i) {
        if (labels[i] >= 0 && labels[i] < classes) {
          bits[static_cast<std::size_t>(r * classes + labels[i])] = 1;
        }
      }
    }
    return bits;
  }
  /// The weight of a record is that of each of its words.
  void readSequences(const PenstockJudged &given) {
    offsets = {given.gold->offsets, records + 1};
    if (given.weights != nullptr) {
      for (std::size_t s = 0; s < records; ++s) {
        wordWeights.insert(wordWeights.end(), static_cast<std::size_t>(offsets[s + 1] - offsets[s]), given.weights[s]);
      }
      weights = wordWeights;
    }
    records = static_cast<std::size_t>(offsets.back());
  }

  std::vector<double> goldValues, predictedValues, wordWeights;
  std::vector<std::uint8_t> goldBits, predictedBits;
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
  static std::int32_t create(const PenstockHost *, const PenstockParameters *parameters, const PenstockJudging *judging, void **self,
                             PenstockError *error) {
    return guarded(error, [&] {
      const Judging given(*judging);
      if constexpr (std::is_constructible_v<T, Parameters, Judging>) {
        *self = std::make_unique<T>(Parameters(parameters), given).release();
      } else {
        *self = std::make_unique<T>(Parameters(parameters), given.classes()).release();
      }
    });
  }
  static void destroy(void *self) { destroyed<T>(self); }
  static std::int32_t add(void *self, const PenstockJudged *given, PenstockError *error) {
    return guarded(error, [&] {
      const Predictions batch(*given);
      static_cast<T *>(self)->add(batch);
    });
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
  static std::int32_t save(const void *self, const PenstockByteSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      StateWriter writer;
      writer(*const_cast<T *>(static_cast<const T *>(self))); // which a writer does not change
      writeAll(sink, writer.bytes);
    });
  }
  static std::int32_t load(void *self, PenstockString state, PenstockError *error) {
    return guarded(error, [&] {
      StateReader reader(view(state));
      reader(*static_cast<T *>(self));
      reader.end();
    });
  }
  static const PenstockMetric *table() {
    static const PenstockMetric functions = {sizeof(PenstockMetric), create, destroy, add, merge, result, save, load};
    return &functions;
  }
};

} // namespace penstock::sdk

#define PENSTOCK_METRIC(CLASS, NAME, VERSION)                                                                                              \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_METRIC, ::penstock::sdk::MetricFunctions<CLASS>::table(), NAME, VERSION)
