// `merge(rare: N)`: one class for those of which train has few (docs/design/rows_and_cells.md).
#pragma once

#include "runtime/base/pipeline_value.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock {

/// What `merge` of a column asks for.
struct ClassMerge {
  std::int64_t rare = 0; // 0: the column merges nothing
  std::string into;

  bool any() const { return rare > 0; }
};
ClassMerge mergeOf(const ColumnSpec &column);

/// What is counted, and kept or merged as one: a class or label; of a tag with a scheme its type, "" of the tag without one.
std::string_view mergedWhole(const ColumnSpec &column, std::string_view name);
/// What a class, label or tag becomes that is merged: `into`; of a tag with a scheme that type, with its prefix.
std::string mergedName(const ColumnSpec &column, const ClassMerge &merge, std::string_view name);

} // namespace penstock
