// What the kernel tests share: levels to run on, seeded data, ragged offsets, comparisons.
#pragma once

#include "runtime/device/thread_pool.h"
#include "runtime/kernels/handles.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/reference/reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" const PenstockLevelTable penstockWideTable;

namespace penstock::testing {

struct NamedTable {
  const char *name;
  const PenstockLevelTable *table;
};

/// AVX2's table, the 16-lane code compiled for AVX2, and AVX-512's own where the machine has it.
inline std::vector<NamedTable> tables() {
  std::vector<NamedTable> all = {{"avx2", &penstockAvx2Table}, {"wide", &penstockWideTable}};
  const auto level = machineLevel();
  if (level.ok() && *level != Level::avx2) {
    all.push_back({"avx512", &penstockAvx512Table});
  }
  return all;
}

class Numbers {
public:
  explicit Numbers(unsigned seed) : engine(seed) {}
  float next() { return std::uniform_real_distribution<float>(-1.0f, 1.0f)(engine); }
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(engine); }
  std::vector<float> floats(std::int64_t count) {
    std::vector<float> all(static_cast<std::size_t>(count));
    for (float &x : all) {
      x = next();
    }
    return all;
  }

private:
  std::mt19937 engine;
};

inline std::vector<std::int32_t> offsetsOf(const std::vector<int> &lengths) {
  std::vector<std::int32_t> offsets = {0};
  for (const int length : lengths) {
    offsets.push_back(offsets.back() + length);
  }
  return offsets;
}

inline std::unique_ptr<ThreadPool> makePool(int threads) {
  auto made = ThreadPool::create(threads);
  return made.ok() ? std::move(made).value() : nullptr;
}

inline std::vector<float> scratch() { return std::vector<float>(PENSTOCK_SCRATCH_FLOATS, NAN); }

/// |a - b| <= tolerance * (1 + |b|), every element; names the first that is not.
inline ::testing::AssertionResult near(const std::vector<float> &actual, const std::vector<float> &expected, double tolerance) {
  if (actual.size() != expected.size()) {
    return ::testing::AssertionFailure() << actual.size() << " numbers instead of " << expected.size();
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double a = actual[i], b = expected[i];
    if (!(std::fabs(a - b) <= tolerance * (1 + std::fabs(b)))) {
      return ::testing::AssertionFailure() << "element " << i << " is " << a << " instead of " << b;
    }
  }
  return ::testing::AssertionSuccess();
}

inline ::testing::AssertionResult sameBits(const std::vector<float> &a, const std::vector<float> &b) {
  if (a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0)) {
    return ::testing::AssertionSuccess();
  }
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return ::testing::AssertionFailure() << "element " << i << ": " << a[i] << " against " << b[i];
    }
  }
  return ::testing::AssertionFailure() << "sizes differ";
}

} // namespace penstock::testing
