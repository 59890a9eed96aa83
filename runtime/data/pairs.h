// Where two texts are cut so that both fit into one record.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace penstock {

/// Which of two texts gives way. As Hugging Face's `truncation`: longest_first, only_first, only_second.
enum class Truncation { longestFirst, first, second };

/// By its name in the language: `longest_first`, `first`, `second`.
std::optional<Truncation> truncationOf(std::string_view name);

/// How many tokens of two texts of `first` and `second` tokens stay, so that both together have at most `room`. Nothing where the one
/// text that may be cut is too short for it: at least one of its tokens stays.
///
/// longestFirst: the longer one is cut to what the shorter one leaves, or both to half, the odd token going to the longer one (of
/// equally long ones the second).
std::optional<std::pair<std::int64_t, std::int64_t>> cutPair(Truncation truncation, std::int64_t first, std::int64_t second,
                                                             std::int64_t room);

} // namespace penstock
