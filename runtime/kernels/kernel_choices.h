// Which implementation serves a handle where nothing is forced: a table in the source, so that a program computes the same bits on every
// machine of a level.
#pragma once

#include "runtime/base/kernel_rows.h"
#include "runtime/kernels/kernel_table.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace penstock {

/// Shapes that an implementation serves alike: by the bytes of the weight in float32, against the caches of a core.
enum class ShapeClass { small, medium, large }; // up to 32 KiB, up to 512 KiB, above
ShapeClass shapeClassOf(const KernelHandleKind &kind, const std::int64_t *numbers);
std::string_view shapeClassName(ShapeClass shape);

struct KernelChoice {
  std::string_view kind;
  Level level;
  ShapeClass shape;
  std::string_view implementation; // of `kernelImplementations`
  std::string_view measured;       // what decided it
};
std::span<const KernelChoice> kernelChoices();

/// The implementation of the table; "packed", ours, where it has no row.
std::string_view chooseKernel(const KernelHandleKind &kind, Level level, const std::int64_t *numbers);

} // namespace penstock
