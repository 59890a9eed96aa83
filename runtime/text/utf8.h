// UTF-8 as it comes from outside: checking, decoding, counting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock {

/// Offset of the first byte at which `text` stops being well-formed UTF-8 (Unicode 15, table 3-7:
/// no surrogates, no overlong forms, nothing above U+10FFFF), or npos. A sequence cut off at the
/// end counts as malformed at its first byte.
std::size_t findInvalidUtf8(std::string_view text);

/// Number of Unicode scalars of well-formed `text`.
std::int64_t countScalars(std::string_view text);

/// The scalar that begins at `at` of well-formed `text`; moves `at` behind it. Reads nothing past
/// the end.
char32_t decodeUtf8(std::string_view text, std::size_t &at);

void appendUtf8(std::string &text, char32_t scalar);

/// The property White_Space of Unicode 15.
bool isWhiteSpace(char32_t scalar);

} // namespace penstock
