// What a plugin hands in as fields and columns, judged before it is copied.
#pragma once

#include "runtime/plugin/columns.h"

#include <cstddef>
#include <string>
#include <vector>

namespace penstock {

/// What is wrong with a field that a plugin describes, in words that follow "its field"; "" where it is sound and was copied.
std::string takeField(const PenstockField &given, ColumnField &field, int depth = 0);

/// Appends the records that a plugin gives to `columns`, which are of `schema`. What is wrong, in words that follow "it"; "" where all
/// was sound. Fields that are not `wanted` (empty: all are) are left out. `bytes` counts what is kept.
std::string takeColumns(const PenstockColumns &given, const Schema &schema, const std::vector<bool> &wanted, std::int64_t most,
                        std::vector<Column> &columns, std::size_t &bytes);

} // namespace penstock
