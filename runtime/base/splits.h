// The splits of the data.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// The splits there can be, in the order in which everything lists them.
inline constexpr std::array<const char *, 3> splitNames = {"train", "dev", "test"};

/// Stands for the split in the path of files that are one a split.
inline constexpr std::string_view splitMark = "{split}";
inline bool isFileASplit(std::string_view path) { return path.find(splitMark) != std::string_view::npos; }
/// `a.csv` of `a.csv.gz` and `a.csv.zst`: whether a file is packed shows its content.
inline std::string_view withoutPacking(std::string_view path) {
  for (const std::string_view end : {".gz", ".zst", ".GZ", ".ZST"}) {
    if (path.ends_with(end)) {
      return path.substr(0, path.size() - end.size());
    }
  }
  return path;
}
/// What decides how a file is read stays of its path: whether it is one a split, and its extension. `otherwise` stands for other names.
inline std::string withoutName(std::string_view path, std::string_view otherwise) {
  const std::string_view name = withoutPacking(path.substr(path.rfind('/') + 1));
  const std::size_t dot = name.rfind('.');
  std::string kept(isFileASplit(path) ? splitMark : otherwise);
  return kept += dot == std::string_view::npos ? std::string_view() : name.substr(dot);
}
/// What is kept of a source's files where they are not named: `path` with the extension of the first.
inline std::string withoutNames(const std::string &path, const std::vector<std::vector<std::string>> &files, std::string_view otherwise) {
  if (files.empty()) {
    return withoutName(path, otherwise);
  }
  const std::string first = files.front().empty() ? "" : files.front().front();
  return (files.size() > 1 ? std::string(splitMark) : std::string(otherwise)) + withoutName(first, "");
}
/// The file of a split.
inline std::string fileOfSplit(std::string path, std::string_view split) {
  for (std::size_t at = path.find(splitMark); at != std::string::npos; at = path.find(splitMark, at + split.size())) {
    path.replace(at, splitMark.size(), split);
  }
  return path;
}

} // namespace penstock
