#include "runtime/base/utf8.h"

#include <algorithm>
#include <cstring>

namespace penstock {

namespace {

constexpr std::uint64_t highBits = 0x8080808080808080U;

std::size_t asciiPrefix(const char *bytes, std::size_t size) {
  std::size_t i = 0;
  for (; i + 32 <= size; i += 32) {
    std::uint64_t words[4];
    std::memcpy(words, bytes + i, 32);
    if (((words[0] | words[1] | words[2] | words[3]) & highBits) != 0) {
      break;
    }
  }
  while (i < size && (static_cast<unsigned char>(bytes[i]) & 0x80U) == 0) {
    ++i;
  }
  return i;
}

} // namespace

std::size_t findInvalidUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      at += asciiPrefix(text.data() + at, text.size() - at);
      continue;
    }
    const std::size_t bytes = decodeUtf8(text, at).bytes;
    if (bytes == 0) {
      return at;
    }
    at += bytes;
  }
  return std::string_view::npos;
}

std::int64_t countScalars(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return !continuesUtf8(byte); });
}

void appendUtf8(std::string &text, char32_t scalar) {
  if (scalar < 0x80) {
    text += static_cast<char>(scalar);
  } else if (scalar < 0x800) {
    text += static_cast<char>(0xC0U | scalar >> 6);
    text += static_cast<char>(0x80U | (scalar & 0x3FU));
  } else if (scalar < 0x10000) {
    text += static_cast<char>(0xE0U | scalar >> 12);
    text += static_cast<char>(0x80U | (scalar >> 6 & 0x3FU));
    text += static_cast<char>(0x80U | (scalar & 0x3FU));
  } else {
    text += static_cast<char>(0xF0U | scalar >> 18);
    text += static_cast<char>(0x80U | (scalar >> 12 & 0x3FU));
    text += static_cast<char>(0x80U | (scalar >> 6 & 0x3FU));
    text += static_cast<char>(0x80U | (scalar & 0x3FU));
  }
}

bool isWhiteSpace(char32_t scalar) {
  if (scalar < 0x80) {
    return scalar == ' ' || (scalar >= 9 && scalar <= 13);
  }
  return scalar == 0x85 || scalar == 0xA0 || scalar == 0x1680 || (scalar >= 0x2000 && scalar <= 0x200A) || scalar == 0x2028 ||
         scalar == 0x2029 || scalar == 0x202F || scalar == 0x205F || scalar == 0x3000;
}

} // namespace penstock
