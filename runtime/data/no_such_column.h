// What is said of a file whose header lacks a column.
#pragma once

#include "runtime/base/status.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace penstock {

/// "file:1: the header has no column `name`; it has `a`, `b`", with at most eight of its names.
inline Status noSuchColumn(const std::string &file, const std::string &name, const std::vector<std::string> &header) {
  std::string names;
  for (std::size_t i = 0; i < header.size() && i < 8; ++i) {
    names += fmt::format("{}`{}`", i == 0 ? "" : ", ", header[i]);
  }
  return invalidInput(fmt::format("{}:1: the header has no column `{}`; it has {}{}", file, name, names,
                                  header.size() > 8 ? fmt::format(" and {} more", header.size() - 8) : ""));
}

} // namespace penstock
