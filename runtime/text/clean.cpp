#include "runtime/text/clean.h"

#include "runtime/base/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace penstock {

namespace {

/// True when `scalar` is a starter that normalization never changes and never joins to what stands
/// before it. Only ranges worth asking about; the unit test compares them with utf8proc.
bool isInert(char32_t scalar, CleanOptions::Unicode form) {
  if (scalar < 0x80) {
    return true;
  }
  if ((scalar >= 0x4E00 && scalar <= 0x9FFF) || (scalar >= 0x3400 && scalar <= 0x4DBF) || (scalar >= 0x3001 && scalar <= 0x3029) ||
      (scalar >= 0x3041 && scalar <= 0x3096) || (scalar >= 0x30A1 && scalar <= 0x30FA) || (scalar >= 0xAC00 && scalar <= 0xD7A3)) {
    return true;
  }
  if (form != CleanOptions::Unicode::nfc) {
    return false;
  }
  return scalar < 0x300 || (scalar >= 0x2002 && scalar <= 0x20CF) || (scalar >= 0xFF01 && scalar <= 0xFF60);
}

bool isNormalized(std::string_view text, CleanOptions::Unicode form) {
  for (std::size_t at = 0; at < text.size();) {
    if (!isInert(nextScalar(text, at), form)) {
      return false;
    }
  }
  return true;
}

std::string_view normalize(std::string_view text, CleanOptions::Unicode form, CleanScratch &scratch) {
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) || isNormalized(text, form)) {
    return text;
  }
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | (form == CleanOptions::Unicode::nfkc ? UTF8PROC_COMPAT : 0));
  std::vector<int> &scalars = scratch.scalars;
  if (scalars.size() < text.size() + 16) {
    scalars.resize(text.size() + 16);
  }
  const auto *bytes = reinterpret_cast<const utf8proc_uint8_t *>(text.data());
  const auto size = static_cast<utf8proc_ssize_t>(text.size());
  utf8proc_ssize_t count = utf8proc_decompose(bytes, size, scalars.data(), static_cast<utf8proc_ssize_t>(scalars.size()), options);
  if (count > static_cast<utf8proc_ssize_t>(scalars.size())) {
    scalars.resize(static_cast<std::size_t>(count));
    count = utf8proc_decompose(bytes, size, scalars.data(), count, options);
  }
  if (count >= 0) {
    count = utf8proc_normalize_utf32(scalars.data(), count, options);
  }
  if (count < 0) {
    return text;
  }
  scratch.first.clear();
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    appendUtf8(scratch.first, static_cast<char32_t>(scalars[static_cast<std::size_t>(i)]));
  }
  return scratch.first;
}

std::string_view stripped(std::string_view text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t next = begin;
    if (!isWhiteSpace(nextScalar(text, next))) {
      break;
    }
    begin = next;
  }
  std::size_t end = text.size();
  while (end > begin) {
    std::size_t last = end - 1;
    while (last > begin && continuesUtf8(text[last])) {
      --last;
    }
    std::size_t next = last;
    if (!isWhiteSpace(nextScalar(text, next))) {
      break;
    }
    end = last;
  }
  return text.substr(begin, end - begin);
}

void lowerAndCollapse(std::string_view text, const CleanOptions &options, std::string &out) {
  out.clear();
  out.reserve(text.size());
  bool inSpace = false;
  for (std::size_t at = 0; at < text.size();) {
    char32_t scalar = nextScalar(text, at);
    if (options.collapse && isWhiteSpace(scalar)) {
      if (!inSpace) {
        out += ' ';
      }
      inSpace = true;
      continue;
    }
    inSpace = false;
    if (options.lowercase) {
      if (scalar < 0x80) {
        scalar = scalar >= 'A' && scalar <= 'Z' ? scalar + 32 : scalar;
      } else {
        scalar = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(scalar)));
      }
    }
    if (scalar < 0x80) {
      out += static_cast<char>(scalar);
    } else {
      appendUtf8(out, scalar);
    }
  }
}

} // namespace

std::string_view cleanText(std::string_view text, const CleanOptions &options, CleanScratch &scratch) {
  if (options.unicode != CleanOptions::Unicode::none) {
    text = normalize(text, options.unicode, scratch);
  }
  if (options.lowercase || options.collapse) {
    lowerAndCollapse(text, options, scratch.second);
    text = scratch.second;
  }
  return options.strip ? stripped(text) : text;
}

std::string_view foldCase(std::string_view text, CleanScratch &scratch) {
  scratch.first.clear();
  for (std::size_t at = 0; at < text.size();) {
    const char32_t scalar = nextScalar(text, at);
    if (scalar < 0x80) {
      scratch.first += static_cast<char>(scalar >= 'A' && scalar <= 'Z' ? scalar + 32 : scalar);
      continue;
    }
    constexpr utf8proc_ssize_t most = 8; // a scalar becomes at most three
    utf8proc_int32_t folded[most];
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(scalar), folded, most, UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t i = 0; i < std::min(count, most); ++i) {
      appendUtf8(scratch.first, static_cast<char32_t>(folded[i]));
    }
    if (count <= 0) {
      appendUtf8(scratch.first, scalar);
    }
  }
  return scratch.first;
}

} // namespace penstock
