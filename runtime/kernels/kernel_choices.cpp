#include "runtime/kernels/kernel_choices.h"

namespace penstock {
namespace {

// A row is written for what was measured, never for what is expected: shapes and levels without one take ours.
constexpr std::string_view zen3 =
    "Zen 3, oneDNN 2.6.3, blocks of 32 to 128 rows: ours 96 to 99 GFLOP/s of 104, oneDNN 39 to 45, since it packs the "
    "weight in every call (docs/design/kernels.md; bench/kernels_bench matmul)";
constexpr KernelChoice choices[] = {
    {"matmul", Level::avx2, ShapeClass::small, "packed", zen3},
    {"matmul", Level::avx2, ShapeClass::medium, "packed", zen3},
    {"matmul", Level::avx2, ShapeClass::large, "packed", zen3},
};

} // namespace

ShapeClass shapeClassOf(const KernelHandleKind &kind, const std::int64_t *numbers) {
  double bytes = sizeof(float);
  for (int i = 0; i < kind.sizes; ++i) {
    bytes *= static_cast<double>(numbers[i]);
  }
  return bytes <= 32 << 10 ? ShapeClass::small : bytes <= 512 << 10 ? ShapeClass::medium : ShapeClass::large;
}

std::string_view shapeClassName(ShapeClass shape) {
  return shape == ShapeClass::small ? "small" : shape == ShapeClass::medium ? "medium" : "large";
}

std::span<const KernelChoice> kernelChoices() { return choices; }

std::string_view chooseKernel(const KernelHandleKind &kind, Level level, const std::int64_t *numbers) {
  const ShapeClass shape = shapeClassOf(kind, numbers);
  for (const KernelChoice &choice : choices) {
    if (choice.kind == kind.name && choice.level == level && choice.shape == shape) {
      return choice.implementation;
    }
  }
  return "packed";
}

} // namespace penstock
