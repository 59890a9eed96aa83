// A learner in C++. Write a class
//
//     class Mine {
//     public:
//       Mine(const sdk::Parameters &, std::string_view state); // state: what the fit wrote; empty where there is none
//       // One record's row to a JSON object.
//       void answer(std::span<const float> row, sdk::JsonWriter &json) const;
//     };
//     class MineFit { // where plugin.toml says `fits = true`
//     public:
//       MineFit(const sdk::Parameters &, std::size_t width);
//       void add(std::span<const float> row, std::int64_t number, std::string_view text); // a record of train
//       std::string end();                                                                // the state
//     };
//
// and `PENSTOCK_LEARNER(Mine, "mine", "1.0.0")` or `PENSTOCK_FITTED_LEARNER(Mine, MineFit, "mine", "1.0.0")`. Throw sdk::Failure to
// refuse. A state comes from a file: a constructor must bear any bytes.
#pragma once

#include <penstock/sdk/common.h>
#include <penstock/sdk/json.h>

#include <memory>

namespace penstock::sdk {

template <typename T, typename Fit = NoFit> struct LearnerFunctions {
  static std::int32_t fitAdd(void *fit, const PenstockFitRecords *records, PenstockError *error) {
    return guarded(error, [&] {
      for (std::int64_t i = 0; i < records->records; ++i) {
        static_cast<Fit *>(fit)->add(rowOf(records->values, i, records->width), records->rows[i], view(records->texts[i]));
      }
    });
  }

  static std::int32_t create(const PenstockHost *, const PenstockParameters *parameters, PenstockString state, void **self,
                             PenstockError *error) {
    return guarded(error, [&] { *self = std::make_unique<T>(Parameters(parameters), view(state)).release(); });
  }
  static void destroy(void *self) { destroyed<T>(self); }
  static std::int32_t answer(const void *self, const float *values, std::int64_t records, std::int64_t width,
                             const PenstockAnswerSink *sink, PenstockError *error) {
    return guarded(error, [&] {
      JsonWriter json;
      for (std::int64_t record = 0; record < records; ++record) {
        json.clear();
        static_cast<const T *>(self)->answer(rowOf(values, record, width), json);
        if (sink->answer(sink->context, record, string(json.text())) != 0) {
          throw Failure("the host stopped the plugin");
        }
      }
    });
  }

  static const PenstockLearner *table() {
    static const PenstockLearner functions = [] {
      PenstockLearner f{};
      f.struct_size = sizeof f;
      FitFunctions<Fit, std::int64_t>::template fill<LearnerFunctions>(f);
      f.create = create;
      f.destroy = destroy;
      f.answer = answer;
      return f;
    }();
    return &functions;
  }

private:
  static std::span<const float> rowOf(const float *values, std::int64_t record, std::int64_t width) {
    return {values + record * width, static_cast<std::size_t>(width)};
  }
};

} // namespace penstock::sdk

#define PENSTOCK_LEARNER(CLASS, NAME, VERSION)                                                                                             \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_LEARNER, ::penstock::sdk::LearnerFunctions<CLASS>::table(), NAME, VERSION)
#define PENSTOCK_FITTED_LEARNER(CLASS, FIT, NAME, VERSION)                                                                                 \
  PENSTOCK_PLUGIN_ENTRY(PENSTOCK_LEARNER, (::penstock::sdk::LearnerFunctions<CLASS, FIT>::table()), NAME, VERSION)
