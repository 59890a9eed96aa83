#include "compiler/frontend/source.h"

#include <algorithm>

namespace penstock::frontend {

SourceFile::SourceFile(std::string path, std::string text) : name(std::move(path)), bytes(std::move(text)) {
  lineStarts.push_back(0);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\n') {
      lineStarts.push_back(static_cast<std::uint32_t>(i + 1));
    }
  }
  std::uint32_t scalars = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % blockSize == 0) {
      scalarsBefore.push_back(scalars);
    }
    scalars += (static_cast<unsigned char>(bytes[i]) & 0xC0) != 0x80;
  }
  scalarsBefore.push_back(scalars);
}

std::uint32_t SourceFile::scalarsUpTo(std::uint32_t offset) const {
  std::uint32_t scalars = scalarsBefore[offset / blockSize];
  for (std::uint32_t i = offset - offset % blockSize; i < offset; ++i) {
    scalars += (static_cast<unsigned char>(bytes[i]) & 0xC0) != 0x80;
  }
  return scalars;
}

void SourceFile::place(std::uint32_t offset, std::uint32_t &line, std::uint32_t &column) const {
  const auto after = std::upper_bound(lineStarts.begin(), lineStarts.end(), offset);
  line = static_cast<std::uint32_t>(after - lineStarts.begin());
  column = 1 + scalarsUpTo(offset) - scalarsUpTo(lineStarts[line - 1]);
}

SourceRange SourceFile::range(std::uint32_t begin, std::uint32_t end) const {
  SourceRange range;
  range.file = name;
  range.begin = std::min<std::uint32_t>(begin, static_cast<std::uint32_t>(bytes.size()));
  range.end = std::clamp<std::uint32_t>(end, range.begin, static_cast<std::uint32_t>(bytes.size()));
  place(range.begin, range.line, range.column);
  place(range.end, range.endLine, range.endColumn);
  return range;
}

std::size_t utf8Length(std::string_view text, std::size_t offset) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const std::size_t left = text.size() - offset;
  const unsigned char first = at(0);
  const auto more = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF && left >= 2 && more(1)) {
    return 2;
  }
  if (first >= 0xE0 && first <= 0xEF && left >= 3 && more(1) && more(2) && !(first == 0xE0 && at(1) < 0xA0) &&
      !(first == 0xED && at(1) > 0x9F)) {
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && left >= 4 && more(1) && more(2) && more(3) && !(first == 0xF0 && at(1) < 0x90) &&
      !(first == 0xF4 && at(1) > 0x8F)) {
    return 4;
  }
  return 0;
}

} // namespace penstock::frontend
