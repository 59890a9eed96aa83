// "Did you mean": the names closest to one that does not exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Up to three of `names`, nearest first: equal but for ASCII case, or within an edit distance of a
/// third of the length (at least 2) in bytes.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string> &names);

} // namespace penstock
