// Where two texts are cut so that both fit into one record.
#pragma once

#include "runtime/base/pipeline_value.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace penstock {

/// How many tokens of two texts of `first` and `second` tokens stay, so that both together have at most `room`. Nothing where the one
/// text that may be cut is too short for it: at least one of its tokens stays.
///
/// longestFirst: the longer one is cut to what the shorter one leaves, or both to half, the odd token going to the longer one (of
/// equally long ones the second).
std::optional<std::pair<std::int64_t, std::int64_t>> cutPair(Truncation truncation, std::int64_t first, std::int64_t second,
                                                             std::int64_t room);

} // namespace penstock
