// Philox4x32-10 (Salmon et al., SC 2011), one counter at a time.
#include "tests/conformance/interpreter.h"

#include <array>

namespace penstock::conformance {

namespace {

std::uint64_t splitMix(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t seed, std::uint64_t step, std::uint64_t key) {
  std::uint64_t mixed = splitMix(splitMix(splitMix(seed) ^ step) ^ key);
  std::uint32_t k0 = static_cast<std::uint32_t>(mixed), k1 = static_cast<std::uint32_t>(mixed >> 32);
  for (int round = 0; round < 10; ++round) {
    std::uint64_t a = std::uint64_t(counter[0]) * 0xD2511F53U, b = std::uint64_t(counter[2]) * 0xCD9E8D57U;
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ k0, static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ k1, static_cast<std::uint32_t>(a)};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return counter;
}

} // namespace

double dropoutFactor(double p, std::uint64_t seed, std::uint64_t step, std::uint64_t key, std::uint64_t record, std::int64_t position,
                     std::int64_t element) {
  auto words = philox({static_cast<std::uint32_t>(element / 4), static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(record),
                       static_cast<std::uint32_t>(record >> 32)},
                      seed, step, key);
  // The compiled step has p as float32.
  float p32 = static_cast<float>(p);
  auto threshold = static_cast<std::uint32_t>(static_cast<double>(p32) * 4294967296.0);
  return words[static_cast<std::size_t>(element % 4)] >= threshold ? 1.0 / (1.0 - static_cast<double>(p32)) : 0.0;
}

double attentionFactor(double p, std::uint64_t seed, std::uint64_t step, std::uint64_t key, std::uint64_t record, std::int64_t element) {
  std::int64_t within = element % 128;
  std::uint64_t counter = static_cast<std::uint64_t>(element / 128) * 16 + static_cast<std::uint64_t>(within % 16);
  auto words = philox({static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), static_cast<std::uint32_t>(record),
                       static_cast<std::uint32_t>(record >> 32)},
                      seed, step, key);
  std::uint32_t word = words[static_cast<std::size_t>(within / 32)];
  std::uint32_t half = within / 16 % 2 == 0 ? word & 0xFFFFU : word >> 16;
  auto threshold = static_cast<std::uint32_t>(static_cast<double>(static_cast<float>(p)) * 65536.0 + 0.5);
  return half >= threshold ? 65536.0 / (65536.0 - static_cast<double>(threshold)) : 0.0;
}

} // namespace penstock::conformance
