// A permutation of 0..n-1 that is computed, not stored: any place of any epoch in constant time.
#pragma once

#include <bit>
#include <cstdint>

namespace penstock {

/// An 8-round Feistel network over the smallest power of two >= max(n, 256), walked until it lands
/// below n (less than 2 steps on average for n > 256). Round function: the finalizer of SplitMix64
/// (Steele, Lea, Flood 2014) of half + key; keys: SplitMix64 from (seed, epoch). Fixed for ever:
/// which record a step sees depends on it.
class Permutation {
public:
  Permutation(std::uint64_t n, std::uint64_t seed, std::uint64_t epoch) : n(n) {
    const int bits = n <= 256 ? 8 : std::bit_width(n - 1);
    lowBits = bits / 2;
    highBits = bits - lowBits;
    std::uint64_t state = mix(seed + golden) ^ mix(epoch * golden + 1);
    for (std::uint64_t &key : keys) {
      state += golden;
      key = mix(state);
    }
  }

  /// The number at place `at` < n.
  std::uint64_t operator()(std::uint64_t at) const {
    do {
      at = once(at);
    } while (at >= n);
    return at;
  }

private:
  static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15;

  static std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  }
  /// Alternates between the halves, so that unequal ones need no exchange.
  std::uint64_t once(std::uint64_t x) const {
    const std::uint64_t lowMask = (std::uint64_t{1} << lowBits) - 1;
    const std::uint64_t highMask = (std::uint64_t{1} << highBits) - 1;
    std::uint64_t low = x & lowMask, high = x >> lowBits;
    for (int round = 0; round < 8; round += 2) {
      high ^= mix(low + keys[round]) & highMask;
      low ^= mix(high + keys[round + 1]) & lowMask;
    }
    return high << lowBits | low;
  }

  std::uint64_t n;
  int lowBits, highBits;
  std::uint64_t keys[8];
};

} // namespace penstock
