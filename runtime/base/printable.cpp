#include "runtime/base/printable.h"

#include <cstdint>

namespace penstock {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Length of the well-formed UTF-8 sequence at the begin of `text` and its scalar; 0 where there is none.
std::size_t decode(std::string_view text, std::uint32_t &scalar) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length == 0 || length > text.size()) {
    return 0;
  }
  scalar = length == 1 ? first : first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return 0;
    }
    scalar = scalar << 6 | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return scalar < least[length] || scalar > 0x10FFFF || (scalar >= 0xD800 && scalar < 0xE000) ? 0 : length;
}

bool steers(std::uint32_t scalar) {
  return (scalar < 0x20 && scalar != '\t') || (scalar >= 0x7F && scalar < 0xA0) || scalar == 0x061C || scalar == 0x200E ||
         scalar == 0x200F || (scalar >= 0x2028 && scalar <= 0x202E) || (scalar >= 0x2066 && scalar <= 0x2069);
}

/// Appends one character, or what stands for it; the bytes that were read.
std::size_t show(std::string_view text, std::string &out) {
  std::uint32_t scalar = 0;
  const std::size_t length = decode(text, scalar);
  if (length == 0 || steers(scalar)) {
    out += replacement;
  } else {
    out += text.substr(0, length);
  }
  return length == 0 ? 1 : length;
}

} // namespace

std::string printableLines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\n') {
      out += '\n';
      ++at;
    } else {
      at += show(text.substr(at), out);
    }
  }
  return out;
}

std::size_t utf8Length(std::string_view text) {
  std::uint32_t scalar = 0;
  return decode(text, scalar);
}

bool isUtf8(std::string_view text) {
  std::uint32_t scalar = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = static_cast<unsigned char>(text[at]) < 0x80 ? 1 : decode(text.substr(at), scalar);
    if (length == 0) {
      return false;
    }
    at += length;
  }
  return true;
}

std::string printable(std::string_view text) { return printable(text, std::string_view::npos); }

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  std::size_t shown = 0;
  for (std::size_t at = 0; at < text.size(); ++shown) {
    if (shown == limit) {
      return out + "...";
    }
    at += show(text.substr(at), out);
  }
  return out;
}

} // namespace penstock
