// UTF-8, the two character classes of Python's `re` module, which many peers tokenize with, and marks.
#pragma once

#include <penstock/sdk/unicode_tables.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::sdk {

struct Decoded {
  char32_t scalar;
  std::uint32_t size; // bytes
};

/// The character at `at` < text.size(). A byte that begins no valid sequence is U+FFFD of one byte.
inline Decoded decodeUtf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const std::size_t left = text.size() - at;
  const unsigned char b0 = byte(0);
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  if (b0 < 0x80) {
    return {b0, 1};
  }
  if (b0 >= 0xC2 && b0 <= 0xDF && left >= 2 && continues(1)) {
    return {static_cast<char32_t>((b0 & 0x1F) << 6 | (byte(1) & 0x3F)), 2};
  }
  if ((b0 & 0xF0) == 0xE0 && left >= 3 && continues(1) && continues(2)) {
    const char32_t c = (b0 & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    if (c >= 0x800 && (c < 0xD800 || c > 0xDFFF)) {
      return {c, 3};
    }
  }
  if (b0 >= 0xF0 && b0 <= 0xF4 && left >= 4 && continues(1) && continues(2) && continues(3)) {
    const char32_t c = (b0 & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
    if (c >= 0x10000 && c <= 0x10FFFF) {
      return {c, 4};
    }
  }
  return {0xFFFD, 1};
}

/// Whether the whole text is valid UTF-8.
inline bool isUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Decoded decoded = decodeUtf8(text, at);
    if (decoded.scalar == 0xFFFD && decoded.size == 1) {
      return false;
    }
    at += decoded.size;
  }
  return true;
}

/// Letters, digits, other numbers and `_`: Python's `\w`.
inline bool isWordCharacter(char32_t c) {
  return c < 0x110000 && (tables::wordBits[tables::wordIndex[c >> 8] * 32 + ((c & 255) >> 3)] >> (c & 7) & 1) != 0;
}
/// Python's `\s`.
inline bool isSpace(char32_t c) {
  return c < 0x110000 && (tables::spaceBits[tables::spaceIndex[c >> 8] * 32 + ((c & 255) >> 3)] >> (c & 7) & 1) != 0;
}
/// What belongs to the character before it: Unicode's marks (accents, vowel signs, harakat, selectors of variants), U+200C and U+200D.
inline bool isMark(char32_t c) {
  return c < 0x110000 && (tables::markBits[tables::markIndex[c >> 8] * 32 + ((c & 255) >> 3)] >> (c & 7) & 1) != 0;
}

} // namespace penstock::sdk
