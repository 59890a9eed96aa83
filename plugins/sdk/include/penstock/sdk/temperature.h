// Probabilities as if their logits had been divided by a number, in double precision: what `calibrate` of heads does.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace penstock::sdk {

/// Of probabilities that add up to 1. What is 0 stays 0.
inline void scaleSoftmax(std::vector<float> &row, double temperature) {
  const double greatest = *std::max_element(row.begin(), row.end());
  if (!(greatest > 0)) {
    return; // nothing that is a number
  }
  double total = 0;
  const auto scaled = [&](float p) { return p > 0 ? std::exp(std::log(static_cast<double>(p) / greatest) / temperature) : 0.0; };
  for (const float p : row) {
    total += scaled(p);
  }
  for (float &p : row) {
    p = static_cast<float>(scaled(p) / total);
  }
}

/// Of probabilities each by itself. 0 and 1 stay.
inline void scaleSigmoid(std::vector<float> &row, double temperature) {
  for (float &p : row) {
    const double wide = p;
    if (wide > 0 && wide < 1) {
      p = static_cast<float>(1 / (1 + std::exp((std::log1p(-wide) - std::log(wide)) / temperature)));
    }
  }
}

} // namespace penstock::sdk
