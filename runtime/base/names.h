// Tables by name, of what is looked up and never listed: their order means nothing, and a look-up reads one place of memory where a
// sorted tree of thousands of names reads a dozen.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace penstock {

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};

/// Is looked up with any kind of text.
template <typename T> using NameMap = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

} // namespace penstock
