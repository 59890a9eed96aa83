#include "runtime/exec/initialize.h"

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

void initializeTensor(const PenstockTensorInfo &tensor, std::uint64_t seed, float *out) {
  initializeTensor(tensor, seed, 0, tensor.elements, out);
}

void initializeTensor(const PenstockTensorInfo &tensor, std::uint64_t seed, std::int64_t begin, std::int64_t end, float *out) {
  const std::int64_t count = end - begin;
  switch (tensor.initializer) {
  case PENSTOCK_INIT_ONES:
    std::fill_n(out, count, 1.0f);
    return;
  case PENSTOCK_INIT_CONSTANT:
    std::fill_n(out, count, tensor.init_scale);
    return;
  case PENSTOCK_INIT_UNIFORM:
  case PENSTOCK_INIT_NORMAL:
    break;
  default:
    std::fill_n(out, count, 0.0f);
    return;
  }
  const std::uint64_t mixed = hash64(tensor.name, seed);
  const std::uint32_t key[2] = {static_cast<std::uint32_t>(mixed), static_cast<std::uint32_t>(mixed >> 32)};
  // The last word of the counter keeps these numbers apart from those of a step.
  std::uint32_t counter[4] = {0, 0, 0, 0x494e4954}, bits[4];
  const auto unit = [](std::uint32_t word) { return static_cast<double>(word >> 8) * 0x1p-24; };
  for (std::int64_t at = begin; at < end; at += 4) {
    const std::uint64_t block = static_cast<std::uint64_t>(at) / 4;
    counter[0] = static_cast<std::uint32_t>(block);
    counter[1] = static_cast<std::uint32_t>(block >> 32);
    philox(counter, key, bits);
    float values[4];
    if (tensor.initializer == PENSTOCK_INIT_UNIFORM) {
      for (int i = 0; i < 4; ++i) {
        values[i] = static_cast<float>((2 * unit(bits[i]) - 1) * static_cast<double>(tensor.init_scale));
      }
    } else {
      for (int i = 0; i < 4; i += 2) {
        const double radius = std::sqrt(-2 * std::log(1 - unit(bits[i])));
        const double angle = 2 * std::numbers::pi * unit(bits[i + 1]);
        values[i] = static_cast<float>(radius * std::cos(angle) * static_cast<double>(tensor.init_scale));
        values[i + 1] = static_cast<float>(radius * std::sin(angle) * static_cast<double>(tensor.init_scale));
      }
    }
    std::copy_n(values, std::min<std::int64_t>(4, end - at), out + (at - begin));
  }
}

} // namespace penstock
