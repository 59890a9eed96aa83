// What a shared library asks of the machine that loads it.
#pragma once

#include "runtime/base/status.h"

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

struct LibraryNeeds {
  std::vector<std::string> libraries; // by name, as the loader looks for them
  /// The newest version of glibc among those of its symbols: {2, 36}; empty where it needs none.
  std::vector<int> glibc;
};

/// Of the bytes of a library for x86-64. An error (invalid input) where they are none, or have no table of sections.
Result<LibraryNeeds> needsOf(std::string_view library, const std::string &path);

} // namespace penstock
