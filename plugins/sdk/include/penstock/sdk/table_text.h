// Columns of text, measured in characters rather than bytes.
#pragma once

#include <penstock/sdk/unicode.h>

#include <charconv>
#include <cstdio>

namespace penstock::sdk {

/// Number of Unicode characters.
inline std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += decodeUtf8(text, at).size) {
    ++count;
  }
  return count;
}

/// Padded with spaces on the left to `width` characters.
inline std::string alignRight(std::string_view text, std::size_t width) {
  const std::size_t count = characters(text);
  return std::string(count < width ? width - count : 0, ' ') + std::string(text);
}

/// Padded with spaces on the right to `width` characters.
inline std::string alignLeft(std::string_view text, std::size_t width) {
  const std::size_t count = characters(text);
  return std::string(text) + std::string(count < width ? width - count : 0, ' ');
}

/// `value` with that many digits after the point, rounded correctly.
inline std::string fixed(double value, int digits) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

/// The shortest fixed-point text (no exponent) that reads back the same; for sums of weights.
inline std::string plain(double value) {
  char buffer[400];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr};
}

} // namespace penstock::sdk
