#include "runtime/base/kernel_choices.h"

#include "runtime/base/level_names.h"

#include <algorithm>
#include <sstream>

namespace penstock {
namespace {

// A row is written for what was measured, never for what is expected: shapes and levels without one take ours.
constexpr const char *avx2 =
    "blocks of 32 to 128 rows, oneDNN 2.6.3, GFLOP/s of a core. Zen 3, of 104: ours 96 to 99, oneDNN 39 to 45, since it "
    "packs the weight in every call; Zen 5, of 155: ours 128 to 133, oneDNN 70 to 128 "
    "(docs/design/kernels.md; bench/kernels_bench matmul)";
constexpr const char *avx512 = "Zen 5, oneDNN 2.6.3, GFLOP/s of a core at 64 rows: ours 246 to 261, oneDNN 211 to 251 "
                               "(docs/design/kernels.md; bench/kernels_bench matmul)";
constexpr const char *avx512Large =
    "Zen 5, oneDNN 2.6.3, GFLOP/s of a core: at 6 rows ours 238 to 245, oneDNN 93 to 94; at 64 rows ours 244 to "
    "252, oneDNN 251 to 253 (docs/design/kernels.md; bench/kernels_bench matmul)";

constexpr ShapeClass shapes[] = {ShapeClass::small, ShapeClass::medium, ShapeClass::large};

} // namespace

ShapeClass shapeClassOf(const KernelHandleKind &kind, std::span<const std::int64_t> numbers) {
  double bytes = sizeof(float);
  for (int i = 0; i < kind.sizes; ++i) {
    bytes *= static_cast<double>(numbers[static_cast<std::size_t>(i)]);
  }
  return bytes <= 32 << 10 ? ShapeClass::small : bytes <= 512 << 10 ? ShapeClass::medium : ShapeClass::large;
}

std::string_view shapeClassName(ShapeClass shape) {
  return shape == ShapeClass::small ? "small" : shape == ShapeClass::medium ? "medium" : "large";
}

std::string KernelChoice::text() const { return kind + " " + level + " " + std::string(shapeClassName(shape)) + " " + implementation; }

std::optional<KernelChoice> kernelChoiceOf(std::string_view text) {
  std::istringstream words{std::string(text)};
  KernelChoice choice;
  std::string shape, more;
  if (!(words >> choice.kind >> choice.level >> shape >> choice.implementation) || words >> more) {
    return std::nullopt;
  }
  const auto found = std::find_if(std::begin(shapes), std::end(shapes), [&](ShapeClass one) { return shapeClassName(one) == shape; });
  if (found == std::end(shapes) || std::find(levelNames.begin(), levelNames.end(), choice.level) == levelNames.end() ||
      findKernelHandleKind(choice.kind) == nullptr) {
    return std::nullopt;
  }
  choice.shape = *found;
  return choice;
}

std::span<const KernelChoice> kernelChoices() {
  static const std::vector<KernelChoice> rows = {
      {"matmul", "avx2", ShapeClass::small, "packed", avx2},      {"matmul", "avx2", ShapeClass::medium, "packed", avx2},
      {"matmul", "avx2", ShapeClass::large, "packed", avx2},      {"matmul", "avx512", ShapeClass::small, "packed", avx512},
      {"matmul", "avx512", ShapeClass::medium, "packed", avx512}, {"matmul", "avx512", ShapeClass::large, "packed", avx512Large},
  };
  return rows;
}

std::vector<KernelChoice> oneDnnChoices() {
  std::vector<KernelChoice> rows;
  for (const char *level : levelNames) {
    for (const ShapeClass shape : shapes) {
      rows.push_back({"matmul", level, shape, "onednn", "asked for"});
    }
  }
  return rows;
}

std::string_view chooseKernel(std::span<const KernelChoice> rows, const KernelHandleKind &kind, std::string_view level,
                              std::span<const std::int64_t> numbers) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (std::string_view(kind.numbers[i]) == "precision" ? numbers[i] != 0 : static_cast<int>(i) < kind.sizes && numbers[i] == 0) {
      return ownKernels;
    }
  }
  const ShapeClass shape = shapeClassOf(kind, numbers);
  for (const KernelChoice &choice : rows) {
    if (choice.kind == kind.name && choice.level == level && choice.shape == shape) {
      return choice.implementation;
    }
  }
  return ownKernels;
}

} // namespace penstock
