// A learner in C++. Write a class
//
//     class Mine {
//     public:
//       Mine(const sdk::Parameters &, const sdk::Learning &, std::string_view state); // state: what the fit wrote; empty where there is
//       none std::vector<sdk::Field> describe() const;                                      // the schema of the answer
//       // One record's row: adds to the columns of the schema (columns.h).
//       void answer(std::span<const float> row, sdk::ColumnWriter &out) const;
//     };
//     class MineFit { // where plugin.toml says `fits = true`
//     public:
//       MineFit(const sdk::Parameters &, const sdk::Learning &);
//       void add(const sdk::Example &); // a record of train
//       std::string end();              // the state
//     };
//
// One that needs memory to answer has a `struct Scratch` and takes it, as the last call left it: `answer(row, out, scratch)`.
// And `PENSTOCK_LEARNER(Mine, "mine", "1.0.0")` or `PENSTOCK_FITTED_LEARNER(Mine, MineFit, "mine", "1.0.0")`. Throw sdk::Failure to
// refuse. A state comes from a file: a constructor must bear any bytes.
#pragma once

#include <penstock/sdk/columns.h>

#include <memory>

namespace penstock::sdk {

/// What a learner is bound to.
struct Learning {
  Learning(const PenstockLearning &given) { // NOLINT(google-explicit-constructor): the boundary's form of it
    const PenstockField *const vector = fieldThatMeans(given.features, "vector");
    width = vector == nullptr ? 0 : static_cast<std::size_t>(vector->width);
    if (given.targets.count > 0) {
      const PenstockField &field = rowOf<PenstockField>(given.targets, 0);
      target = view(field.name);
      targetMeaning = view(field.meaning);
      classes = classesOf(field);
    }
  }
  std::size_t width = 0;            // of the vector that flows in
  std::string target;               // column that it predicts; "" where it takes none
  std::string targetMeaning;        // "class" or "number"
  std::vector<std::string> classes; // of such a target
};

/// A record of train.
struct Example {
  std::span<const float> row;
  std::int64_t number = 0; // of its row in the file, from 1, and
  std::string_view text;   // its text: where plugin.toml says `keeps_records`
  std::int32_t label = -1; // of a target of classes; -1: none
  double value = 0;        // of a target that is a number
  double weight = 1;
};

template <typename T, typename Fit = NoFit> struct LearnerFunctions {
  /// What a call to `answer` uses.
  struct Answering {
    ColumnWriter out;
    typename ScratchOf<T>::Type scratch;
  };
  struct Object {
    Object(const Parameters &parameters, const PenstockLearning &learning, std::string_view state)
        : learner(parameters, Learning(learning), state), schema(learner.describe()) {}
    T learner;
    Schema schema;
    mutable Spares<Answering> spares;
  };
  static const Object &of(const void *self) { return *static_cast<const Object *>(self); }

  static std::int32_t fitAdd(void *fit, const PenstockExamples *given, PenstockError *error) {
    return guarded(error, [&] {
      const PenstockColumn &vector = vectorOf(given->features);
      const PenstockColumn *const texts = columnThatMeans(given->features, "text");
      const PenstockColumn *const target = given->targets == nullptr ? nullptr : &rowOf<PenstockColumn>(given->targets->columns, 0);
      for (std::int64_t i = 0; i < given->features->records; ++i) {
        Example example;
        example.row = spanOf(vector, i);
        example.number = given->features->first_rows == nullptr ? 0 : given->features->first_rows[i];
        example.text = texts == nullptr ? std::string_view() : view(static_cast<const PenstockString *>(texts->values)[i]);
        if (target != nullptr && target->field->element == PENSTOCK_CLASS) {
          example.label = static_cast<const std::int32_t *>(target->values)[i];
        } else if (target != nullptr) {
          example.value = numberAt(*target, i);
        }
        example.weight = given->weights == nullptr ? 1 : given->weights[i];
        static_cast<Fit *>(fit)->add(example);
      }
    });
  }

  static std::int32_t create(const PenstockHost *, const PenstockParameters *parameters, const PenstockLearning *learning,
                             PenstockString state, void **self, PenstockError *error) {
    return guarded(error, [&] { *self = std::make_unique<Object>(Parameters(parameters), *learning, view(state)).release(); });
  }
  static void destroy(void *self) { destroyed<Object>(self); }
  static std::int32_t describe(const void *self, const PenstockFieldSink *sink, PenstockError *error) {
    return guarded(error, [&] { sendFields(of(self).schema, sink); });
  }
  static std::int32_t answer(const void *self, const PenstockColumns *features, const PenstockColumnSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      const PenstockColumn &vector = vectorOf(features);
      const auto lent = of(self).spares.borrow([&] { return Answering{ColumnWriter(of(self).schema), {}}; });
      ColumnWriter &out = lent->out;
      out.clear();
      for (std::int64_t record = 0; record < features->records; ++record) {
        withScratch(lent->scratch, [&](auto &...scratch) { of(self).learner.answer(spanOf(vector, record), out, scratch...); });
        out.endRecord();
      }
      out.send(sink);
    });
  }

  static const PenstockLearner *table() {
    static const PenstockLearner functions = [] {
      PenstockLearner f{};
      f.struct_size = sizeof f;
      FitFunctions<Fit, PenstockLearning>::template fill<LearnerFunctions>(f);
      f.create = create;
      f.destroy = destroy;
      f.describe = describe;
      f.answer = answer;
      return f;
    }();
    return &functions;
  }

private:
  static const PenstockColumn &vectorOf(const PenstockColumns *features) {
    const PenstockColumn *const vector = columnThatMeans(features, "vector");
    if (vector == nullptr || vector->field->element != PENSTOCK_F32) {
      throw Failure("there is no vector of numbers to learn from");
    }
    return *vector;
  }
  static std::span<const float> spanOf(const PenstockColumn &vector, std::int64_t record) {
    return {static_cast<const float *>(vector.values) + record * vector.field->width, static_cast<std::size_t>(vector.field->width)};
  }
};

} // namespace penstock::sdk

#define PENSTOCK_LEARNER(CLASS, NAME, VERSION)                                                                                             \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_LEARNER, ::penstock::sdk::LearnerFunctions<CLASS>::table(), NAME, VERSION)
#define PENSTOCK_FITTED_LEARNER(CLASS, FIT, NAME, VERSION)                                                                                 \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_LEARNER, (::penstock::sdk::LearnerFunctions<CLASS, FIT>::table()), NAME, VERSION)
