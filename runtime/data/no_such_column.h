// What is said of a file whose header lacks a column.
#pragma once

#include "runtime/base/nearest.h"
#include "runtime/base/printable.h"
#include "runtime/base/status.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace penstock {

/// "no column `name`; it has `a`, `b`; did you mean `a`?", with at most eight of the names.
inline std::string noColumn(const std::string &name, const std::vector<std::string> &header) {
  std::string names;
  for (std::size_t i = 0; i < header.size() && i < 8; ++i) {
    names += fmt::format("{}`{}`", i == 0 ? "" : ", ", printable(header[i], 60));
  }
  const std::vector<std::string> meant = nearest(name, header);
  return fmt::format("no column `{}`; it has {}{}{}", printable(name, 60), names,
                     header.size() > 8 ? fmt::format(" and {} more", header.size() - 8) : "",
                     meant.empty() ? "" : fmt::format("; did you mean `{}`?", printable(meant[0], 60)));
}

/// "file:1: the header has no column `name`; it has ...".
inline Status noSuchColumn(const std::string &file, const std::string &name, const std::vector<std::string> &header) {
  return invalidInput(fmt::format("{}:1: the header has {}", printable(file), noColumn(name, header)));
}

} // namespace penstock
