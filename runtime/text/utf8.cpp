#include "runtime/text/utf8.h"

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
  const auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
  const std::size_t size = text.size();
  std::size_t i = 0;
  while (i < size) {
    const unsigned char lead = bytes[i];
    if (lead < 0x80) {
      i += asciiPrefix(text.data() + i, size - i);
      continue;
    }
    std::size_t length;
    unsigned char low = 0x80, high = 0xBF; // bounds of the second byte
    if (lead >= 0xC2 && lead <= 0xDF) {
      length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      length = 3;
      low = lead == 0xE0 ? 0xA0 : 0x80;
      high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      length = 4;
      low = lead == 0xF0 ? 0x90 : 0x80;
      high = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
      return i;
    }
    if (size - i < length || bytes[i + 1] < low || bytes[i + 1] > high) {
      return i;
    }
    for (std::size_t k = 2; k < length; ++k) {
      if ((bytes[i + k] & 0xC0U) != 0x80) {
        return i;
      }
    }
    i += length;
  }
  return std::string_view::npos;
}

std::int64_t countScalars(std::string_view text) {
  std::int64_t count = 0;
  for (const char byte : text) {
    count += (static_cast<unsigned char>(byte) & 0xC0U) != 0x80 ? 1 : 0;
  }
  return count;
}

char32_t decodeUtf8(std::string_view text, std::size_t &at) {
  const auto byte = [&](std::size_t k) -> char32_t { return at + k < text.size() ? static_cast<unsigned char>(text[at + k]) : 0U; };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    at += 1;
    return lead;
  }
  if (lead < 0xE0) {
    const char32_t scalar = (lead & 0x1FU) << 6 | (byte(1) & 0x3FU);
    at += 2;
    return scalar;
  }
  if (lead < 0xF0) {
    const char32_t scalar = (lead & 0x0FU) << 12 | (byte(1) & 0x3FU) << 6 | (byte(2) & 0x3FU);
    at += 3;
    return scalar;
  }
  const char32_t scalar = (lead & 0x07U) << 18 | (byte(1) & 0x3FU) << 12 | (byte(2) & 0x3FU) << 6 | (byte(3) & 0x3FU);
  at += 4;
  return scalar;
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
