// "Did you mean": the names closest to one that does not exist.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Optimal string alignment in bytes, but for ASCII case: insertions, deletions, changes and swaps of neighbours cost one each.
std::size_t editDistance(std::string_view a, std::string_view b);

/// Up to three of `names`, nearest first: equal but for ASCII case, or within an edit distance of a
/// third of the length (at least 2) in bytes.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string> &names);

} // namespace penstock
