// What a number by which a head decides may be fitted to, on dev, when the weights are final: the front end reads how it is written, the
// runtime fits it (runtime/exec/decisions.h).
#pragma once

#include <string>
#include <string_view>

namespace penstock {

enum class DecisionFit {
  temperature, // the number that the logits are divided by, of the least log loss
  f1           // the least probability of a class at which it is answered, of the best F1 of that class
};

struct DecisionFitRow {
  const char *name; // as it is written in place of the number
  DecisionFit fit;
};

/// In the order in which they are fitted: each sees what those before have changed.
inline constexpr DecisionFitRow decisionFits[] = {{"temperature", DecisionFit::temperature}, {"fit(f1)", DecisionFit::f1}};

inline const DecisionFitRow *findDecisionFit(std::string_view name) {
  for (const DecisionFitRow &row : decisionFits) {
    if (name == row.name) {
      return &row;
    }
  }
  return nullptr;
}

/// "temperature, fit(f1)"
inline std::string decisionFitNames() {
  std::string names;
  for (const DecisionFitRow &row : decisionFits) {
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  return names;
}

} // namespace penstock
