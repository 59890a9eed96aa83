#include "runtime/base/philox.h"

#include "runtime/base/hash.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace penstock {

void philox(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t out[4]) {
  std::uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  std::uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0, p1 = std::uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

void normalsOf(const std::uint32_t words[4], double out[4]) {
  for (int i = 0; i < 4; i += 2) {
    const double radius = std::sqrt(-2 * std::log(1 - unitOf(words[i])));
    const double angle = 2 * std::numbers::pi * unitOf(words[i + 1]);
    out[i] = radius * std::cos(angle);
    out[i + 1] = radius * std::sin(angle);
  }
}

void drawNormals(std::uint64_t key, std::uint64_t step, std::uint64_t record, std::span<float> out) {
  const std::uint64_t mixed = hash64({reinterpret_cast<const char *>(&step), sizeof step}, key);
  const std::uint32_t keys[2] = {static_cast<std::uint32_t>(mixed), static_cast<std::uint32_t>(mixed >> 32)};
  for (std::size_t at = 0; at < out.size(); at += 4) {
    const std::uint32_t counter[4] = {static_cast<std::uint32_t>(record), static_cast<std::uint32_t>(record >> 32),
                                      static_cast<std::uint32_t>(at / 4), 0x4e4f4953};
    std::uint32_t words[4];
    double normals[4];
    philox(counter, keys, words);
    normalsOf(words, normals);
    const auto part = out.subspan(at, std::min<std::size_t>(4, out.size() - at));
    std::transform(normals, normals + part.size(), part.begin(), [](double one) { return static_cast<float>(one); });
  }
}

} // namespace penstock
