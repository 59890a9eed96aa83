#include "runtime/exec/initialize.h"

#include "runtime/base/hash.h"
#include "runtime/base/philox.h"

#include <algorithm>

namespace penstock {

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
    std::fill_n(out, count, static_cast<float>(tensor.init_scale));
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
  for (std::int64_t at = begin; at < end; at += 4) {
    const std::uint64_t block = static_cast<std::uint64_t>(at) / 4;
    counter[0] = static_cast<std::uint32_t>(block);
    counter[1] = static_cast<std::uint32_t>(block >> 32);
    philox(counter, key, bits);
    float values[4];
    if (tensor.initializer == PENSTOCK_INIT_UNIFORM) {
      for (int i = 0; i < 4; ++i) {
        values[i] = static_cast<float>((2 * unitOf(bits[i]) - 1) * tensor.init_scale);
      }
    } else {
      double normals[4];
      normalsOf(bits, normals);
      std::transform(normals, normals + 4, values, [&](double one) { return static_cast<float>(one * tensor.init_scale); });
    }
    std::copy_n(values, std::min<std::int64_t>(4, end - at), out + (at - begin));
  }
}

} // namespace penstock
