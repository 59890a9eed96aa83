// The splits of the data.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace penstock {

/// The splits there can be, in the order in which everything lists them.
inline constexpr std::array<const char *, 3> splitNames = {"train", "dev", "test"};

/// Stands for the split in the path of files that are one a split.
inline constexpr std::string_view splitMark = "{split}";
inline bool isFileASplit(std::string_view path) { return path.find(splitMark) != std::string_view::npos; }
/// What decides how a file is read stays of its path: whether it is one a split, and its extension. `otherwise` stands for other names.
inline std::string withoutName(std::string_view path, std::string_view otherwise) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  std::string kept(isFileASplit(path) ? splitMark : otherwise);
  return kept += dot == std::string_view::npos ? std::string_view() : name.substr(dot);
}
/// The file of a split.
inline std::string fileOfSplit(std::string path, std::string_view split) {
  for (std::size_t at = path.find(splitMark); at != std::string::npos; at = path.find(splitMark, at + split.size())) {
    path.replace(at, splitMark.size(), split);
  }
  return path;
}

} // namespace penstock
