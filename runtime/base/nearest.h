// "Did you mean": the names closest to one that does not exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Up to three of the first 2000 of `names` that are not `name`, nearest first, then in their order: equal but for ASCII case, or
/// within an edit distance of a third of its length in bytes (at least 2, at least 1 below 4 bytes). Insertions, deletions, changes and
/// swaps of neighbours cost one each.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string> &names);

} // namespace penstock
