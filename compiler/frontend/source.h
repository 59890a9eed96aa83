// The text of one `.pipe` file (or of one value of the command line) and the places in it.
#pragma once

#include "compiler/frontend/typed_pipeline.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::frontend {

class SourceFile {
public:
  static constexpr std::size_t largest = 4u << 20; // bytes

  SourceFile(std::string path, std::string text);

  const std::string &path() const { return name.text(); }
  std::string_view text() const { return bytes; }
  /// The range of bytes [begin, end), clamped to the file.
  SourceRange range(std::uint32_t begin, std::uint32_t end) const;

private:
  void place(std::uint32_t offset, std::uint32_t &line, std::uint32_t &column) const;
  std::uint32_t scalarsUpTo(std::uint32_t offset) const;

  static constexpr std::uint32_t blockSize = 256;
  FileName name;
  std::string bytes;
  std::vector<std::uint32_t> lineStarts;
  std::vector<std::uint32_t> scalarsBefore; // each block, so that a column of a long line is found quickly
};

/// A range of a file that stays cheap until somebody reads it.
struct Span {
  const SourceFile *file = nullptr;
  std::uint32_t begin = 0, end = 0;

  SourceRange range() const { return file != nullptr ? file->range(begin, end) : SourceRange{}; }
  std::string_view text() const { return file != nullptr ? file->text().substr(begin, end - begin) : std::string_view{}; }
};

} // namespace penstock::frontend
