#include "runtime/data/derived.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace penstock {

#define NUMBER_OPERATOR(NAME, ...)                                                                                                         \
  namespace operators::NAME {                                                                                                              \
  extern const OperatorFunctions functions;                                                                                                \
  }
#include "runtime/base/feature_operators.def"

const OperatorFunctions *functionsOf(const FeatureOperator &row) {
  const std::string_view name = row.name;
#define NUMBER_OPERATOR(NAME, ...)                                                                                                         \
  if (name == #NAME) {                                                                                                                     \
    return &operators::NAME::functions;                                                                                                    \
  }
#include "runtime/base/feature_operators.def"
  return nullptr;
}

bool DerivedFeature::refuses() const {
  return std::any_of(steps.begin(), steps.end(), [](const DerivedStep &step) { return step.functions->takes != nullptr; });
}

namespace {

void applyStep(const DerivedStep &step, const std::vector<OperatorState> &states, const ColumnValues &values, ColumnValues &made) {
  const auto each = static_cast<std::size_t>(step.row->each(step.parameters));
  made.resize(values.size() * each);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::span<std::vector<double>> results(made.data() + i * each, each);
    for (std::vector<double> &result : results) {
      result.resize(values[i].size());
    }
    static const OperatorState none;
    step.functions->apply(step.parameters, i < states.size() ? states[i] : none, values[i], results);
  }
}

} // namespace

DerivedStates fitSteps(const DerivedFeature &feature, ColumnValues train) {
  DerivedStates states;
  for (const DerivedStep &step : feature.steps) {
    std::vector<OperatorState> &ofStep = states.emplace_back();
    for (std::size_t i = 0; step.functions->fit != nullptr && i < train.size(); ++i) {
      std::vector<double> there;
      there.reserve(train[i].size());
      std::copy_if(train[i].begin(), train[i].end(), std::back_inserter(there), [](double value) { return !std::isnan(value); });
      ofStep.push_back(step.functions->fit(step.parameters, std::move(there)));
    }
    if (&step != &feature.steps.back()) {
      ColumnValues made;
      applyStep(step, ofStep, train, made);
      train = std::move(made);
    }
  }
  return states;
}

bool fitsSteps(const DerivedFeature &feature, const DerivedStates &states) {
  // What no record of train would give has the right shape.
  const DerivedStates shape = fitSteps(feature, ColumnValues(feature.columns.size()));
  return states.size() == shape.size() && std::equal(states.begin(), states.end(), shape.begin(), [](const auto &step, const auto &wanted) {
           return std::equal(step.begin(), step.end(), wanted.begin(), wanted.end(),
                             [](const OperatorState &a, const OperatorState &b) { return a.size() == b.size(); });
         });
}

std::optional<Refusal> applySteps(const DerivedFeature &feature, const DerivedStates &states, std::vector<ColumnValues> &all) {
  for (std::size_t s = 0; s < feature.steps.size(); ++s) {
    const DerivedStep &step = feature.steps[s];
    const ColumnValues &values = all[s];
    if (step.functions->takes != nullptr) {
      std::optional<Refusal> first;
      for (std::size_t i = 0; i < values.size(); ++i) {
        for (std::size_t r = 0; r < values[i].size(); ++r) {
          if (!step.functions->takes(step.parameters, values[i][r])) {
            first = first ? first : Refusal{s, i * feature.columns.size() / values.size(), r, values[i][r], 0};
            ++first->records;
          }
        }
      }
      if (first) {
        return first;
      }
    }
    applyStep(step, states[s], values, all[s + 1]);
  }
  return std::nullopt;
}

std::string refusalSentence(const DerivedFeature &feature, const Refusal &refusal, const std::string &column) {
  const DerivedStep &step = feature.steps[refusal.step];
  return fmt::format("`{}` does not take {}, of column `{}`: it takes {}", step.row->name, refusal.value, column, step.functions->rule);
}

void appendRows(const ColumnValues &values, std::vector<float> &rows) {
  for (std::size_t record = 0; !values.empty() && record < values.front().size(); ++record) {
    for (const std::vector<double> &one : values) {
      rows.push_back(static_cast<float>(one[record]));
    }
  }
}

double invertSteps(const DerivedFeature &feature, const DerivedStates &states, double result) {
  for (std::size_t s = feature.steps.size(); s-- > 0;) {
    const DerivedStep &step = feature.steps[s];
    static const OperatorState none;
    result = step.functions->invert(step.parameters, states[s].empty() ? none : states[s].front(), result);
  }
  return result;
}

} // namespace penstock
