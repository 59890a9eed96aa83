// How everything is called that is still being written, so that what a killed process left can be told from what is somebody's.
#pragma once

#include <string>
#include <string_view>

#include <unistd.h>

namespace penstock {

inline constexpr std::string_view temporaryPrefix = ".penstock-tmp-";

/// The name under which this process writes what will be renamed to `path`: in the same folder, of the same file system.
inline std::string temporaryName(const std::string &path) {
  const std::size_t slash = path.rfind('/');
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  return path.substr(0, begin) + std::string(temporaryPrefix) + std::to_string(::getpid()) + "-" + path.substr(begin);
}

/// Whether a name in a folder is such a one, of any process.
inline bool isTemporaryName(std::string_view name) { return name.starts_with(temporaryPrefix); }

} // namespace penstock
