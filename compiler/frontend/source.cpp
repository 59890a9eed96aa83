#include "compiler/frontend/source.h"

#include "runtime/base/utf8.h"

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
    scalars += !continuesUtf8(bytes[i]);
  }
  scalarsBefore.push_back(scalars);
}

std::uint32_t SourceFile::scalarsUpTo(std::uint32_t offset) const {
  std::uint32_t scalars = scalarsBefore[offset / blockSize];
  for (std::uint32_t i = offset - offset % blockSize; i < offset; ++i) {
    scalars += !continuesUtf8(bytes[i]);
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

} // namespace penstock::frontend
