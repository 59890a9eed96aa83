// Which implementation computes a handle: rows (kind of handle, level, class of shape) -> implementation. The compiler writes what they say
// into the program, so that a program computes the same bits on every machine of its level (docs/design/kernels.md).
#pragma once

#include "runtime/base/kernel_rows.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Shapes that an implementation serves alike: by the bytes of the weight in float32, against the caches of a core.
enum class ShapeClass { small, medium, large }; // up to 32 KiB, up to 512 KiB, above
ShapeClass shapeClassOf(const KernelHandleKind &kind, std::span<const std::int64_t> numbers);
std::string_view shapeClassName(ShapeClass shape);

/// Ours, which serves every kind, level and shape.
inline constexpr std::string_view ownKernels = "packed";

struct KernelChoice {
  std::string kind, level;
  ShapeClass shape;
  std::string implementation; // of `kernelImplementations`
  std::string measured;       // what decided it

  /// "matmul avx512 large onednn"
  std::string text() const;
};
/// The row of such a text; nothing where it is none.
std::optional<KernelChoice> kernelChoiceOf(std::string_view text);

/// The rows in the source, of `kernels: auto`.
std::span<const KernelChoice> kernelChoices();
/// The rows of `kernels: onednn`: all that it has.
std::vector<KernelChoice> oneDnnChoices();

/// The implementation that the rows name; ours where they have none, and for what others do not have: precisions but float32, weights
/// without elements.
std::string_view chooseKernel(std::span<const KernelChoice> rows, const KernelHandleKind &kind, std::string_view level,
                              std::span<const std::int64_t> numbers);

} // namespace penstock
