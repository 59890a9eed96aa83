// Sums and spreads of numbers that come in batches and parts.
#pragma once

#include <penstock/sdk/metric.h>

#include <cmath>

namespace penstock::sdk {

/// A sum that carries the rounding error of every addition along (Neumaier 1974), so that order and parts hardly matter.
class ExactSum {
public:
  void add(double value) {
    const double next = sum + value;
    lost += std::fabs(sum) >= std::fabs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  void merge(const ExactSum &other) {
    add(other.sum);
    lost += other.lost;
  }
  double value() const { return std::isfinite(sum) ? sum + lost : sum; }
  template <typename Archive> void state(Archive &archive) { archive(sum, lost); }

private:
  double sum = 0, lost = 0;
};

/// Weighted mean of numbers; fails where nothing was added.
class Mean {
public:
  void add(double value, double weight) {
    sum.add(weight * value);
    weights.add(weight);
  }
  void merge(const Mean &other) {
    sum.merge(other.sum);
    weights.merge(other.weights);
  }
  double value() const {
    if (!(weights.value() > 0)) {
      throw Failure("there are no records to judge");
    }
    return sum.value() / weights.value();
  }
  template <typename Archive> void state(Archive &archive) { archive(sum, weights); }

private:
  ExactSum sum, weights;
};

/// Weighted sum of squared distances from the mean (Welford 1962; parts joined as Chan, Golub and LeVeque 1979).
class Spread {
public:
  void add(double value, double weight) {
    if (weight > 0) {
      merge(Spread(weight, value, 0));
    }
  }
  void merge(const Spread &other) {
    if (other.weights == 0) {
      return;
    }
    const double all = weights + other.weights, distance = other.mean - mean;
    squares += other.squares + distance * distance * (weights * other.weights / all);
    mean += distance * (other.weights / all);
    weights = all;
  }
  double value() const { return squares; }
  template <typename Archive> void state(Archive &archive) { archive(weights, mean, squares); }

  Spread() = default;

private:
  Spread(double weights, double mean, double squares) : weights(weights), mean(mean), squares(squares) {}
  double weights = 0, mean = 0, squares = 0;
};

} // namespace penstock::sdk
