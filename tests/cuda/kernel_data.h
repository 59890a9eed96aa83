// Seeded data of tests of kernels, and how results are compared.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace penstock::cuda {

inline std::vector<float> normal(std::int64_t count, unsigned seed, float deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> numbers(0, deviation);
  std::vector<float> made(static_cast<std::size_t>(count));
  for (float &number : made) {
    number = numbers(random);
  }
  return made;
}

/// What stands where nobody has written.
constexpr float untouched = -12345.75f;
inline std::vector<float> unwritten(std::int64_t count) { return std::vector<float>(static_cast<std::size_t>(count), untouched); }

/// The same behind `shift` others.
inline std::vector<float> shifted(std::vector<float> of, std::int64_t shift) {
  of.insert(of.begin(), static_cast<std::size_t>(shift), untouched);
  return of;
}

inline std::vector<double> wide(const std::vector<float> &from) { return {from.begin(), from.end()}; }

/// |a - b| / |b|, of the whole.
inline double relative(const std::vector<float> &a, const std::vector<double> &b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / size);
}

template <class T> bool sameBits(const std::vector<T> &a, const std::vector<T> &b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Offsets of records of these lengths.
inline std::vector<std::int32_t> offsetsOf(const std::vector<int> &lengths) {
  std::vector<std::int32_t> made = {0};
  for (const int length : lengths) {
    made.push_back(made.back() + length);
  }
  return made;
}

} // namespace penstock::cuda
