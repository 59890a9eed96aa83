#include "runtime/base/printable.h"

#include "runtime/base/utf8.h"

namespace penstock {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

bool steers(char32_t scalar) {
  return (scalar < 0x20 && scalar != '\t') || (scalar >= 0x7F && scalar < 0xA0) || scalar == 0x061C || scalar == 0x200E ||
         scalar == 0x200F || (scalar >= 0x2028 && scalar <= 0x202E) || (scalar >= 0x2066 && scalar <= 0x2069);
}

/// Appends the character at `at`, or what stands for it; the bytes that were read.
std::size_t show(std::string_view text, std::size_t at, std::string &out) {
  const Utf8Scalar scalar = decodeUtf8(text, at);
  if (scalar.bytes == 0 || steers(scalar.value)) {
    out += replacement;
  } else {
    out += text.substr(at, scalar.bytes);
  }
  return scalar.bytes == 0 ? 1 : scalar.bytes;
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
      at += show(text, at, out);
    }
  }
  return out;
}

std::string printable(std::string_view text) { return printable(text, std::string_view::npos); }

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  std::size_t shown = 0;
  for (std::size_t at = 0; at < text.size(); ++shown) {
    if (shown == limit) {
      return out + "...";
    }
    at += show(text, at, out);
  }
  return out;
}

} // namespace penstock
