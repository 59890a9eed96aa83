// UTF-8 as it comes from outside: checking, decoding, counting. Well-formed is what Unicode 15, table 3-7 says: no surrogates, no overlong
// forms, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock {

/// Whether a byte only continues a scalar.
inline bool continuesUtf8(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80; }

/// A scalar and how many bytes it has; none where no well-formed one begins.
struct Utf8Scalar {
  char32_t value = 0;
  std::size_t bytes = 0;
};

/// What begins at `at`, which lies in `text`.
inline Utf8Scalar decodeUtf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t k) -> char32_t { return static_cast<unsigned char>(text[at + k]); };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1};
  }
  const std::size_t bytes = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (bytes == 0 || bytes > text.size() - at) {
    return {};
  }
  char32_t value = lead & (0x7FU >> bytes);
  for (std::size_t k = 1; k < bytes; ++k) {
    if (!continuesUtf8(text[at + k])) {
      return {};
    }
    value = value << 6 | (byte(k) & 0x3FU);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return value < least[bytes] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000) ? Utf8Scalar{} : Utf8Scalar{value, bytes};
}

/// The scalar that begins at `at`, which lies in `text`; moves `at` behind it. U+FFFD for a byte at which none begins.
inline char32_t nextScalar(std::string_view text, std::size_t &at) {
  const Utf8Scalar scalar = decodeUtf8(text, at);
  at += scalar.bytes == 0 ? 1 : scalar.bytes;
  return scalar.bytes == 0 ? U'\uFFFD' : scalar.value;
}

/// Offset of the first byte at which `text` stops being well-formed, or npos. A scalar cut off at the end counts as malformed at its
/// first byte.
std::size_t findInvalidUtf8(std::string_view text);
inline bool isUtf8(std::string_view text) { return findInvalidUtf8(text) == std::string_view::npos; }

/// Number of scalars of well-formed `text`.
std::int64_t countScalars(std::string_view text);

void appendUtf8(std::string &text, char32_t scalar);

/// The property White_Space of Unicode 15.
bool isWhiteSpace(char32_t scalar);

} // namespace penstock
