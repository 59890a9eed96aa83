// Bytes as the readers of rows want them: unpacked, and in UTF-8.
#pragma once

#include "runtime/data/bytes.h"

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace penstock {

/// How a file in text is written. utf16 is in the order of bytes that its mark says; without a mark the first character tells, where it is
/// of Latin, and else it is little-endian, as Windows writes it. cp1252 as browsers read it: the five bytes without a character are those
/// of latin1.
enum class Encoding { utf8, utf16, latin1, cp1252 };
constexpr auto wordsOf(Encoding) { return std::array{"utf8", "utf16", "latin1", "cp1252"}; }

/// The bytes of what gzip or zstd packed, several members one after the other too; any other bytes as they are. The first bytes decide, not
/// the name. What is damaged, or cut off, is an invalid input that names it: `name` is for people.
std::unique_ptr<ByteSource> unpacked(std::unique_ptr<ByteSource> bytes, std::string name);

/// In UTF-8. Half a character of utf16 becomes bytes that are none of UTF-8, so that its row is told. A file with the mark of UTF-8 that is
/// said to be of another encoding is an invalid input.
std::unique_ptr<ByteSource> decoded(std::unique_ptr<ByteSource> bytes, Encoding encoding, std::string name);

/// Which encoding other than UTF-8 a text fits whose bytes are none: cp1252, or latin1 where it has a byte without a character there.
Encoding likelyEncoding(std::string_view text);

} // namespace penstock
