// Byte-level texts as GPT-2 has them: bytes spelled as characters, and the pattern that cuts a text before pieces are merged,
//
//     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// written out as a scanner.
#pragma once

#include "byte_level_tables.h"

#include <penstock/sdk/unicode.h>

#include <array>
#include <vector>

namespace penstock {

class ByteLevel {
public:
  enum Kind : std::uint8_t { other, letter, number, space };

  static const ByteLevel &get() {
    static const ByteLevel one;
    return one;
  }

  /// Of the character at `at`; `size`: its bytes.
  Kind kindAt(std::string_view text, std::size_t at, std::size_t &size) const {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      size = 1;
      return ascii[byte];
    }
    const sdk::Decoded decoded = sdk::decodeUtf8(text, at);
    size = decoded.size;
    return kinds[static_cast<std::size_t>(index[decoded.scalar >> 8]) * 256 + (decoded.scalar & 255)];
  }

  /// Where the piece that begins at `at` ends.
  std::size_t pieceEnd(std::string_view text, std::size_t at) const {
    if (text[at] == '\'') {
      if (const std::size_t size = contraction(text.substr(at + 1)); size > 0) {
        return at + 1 + size;
      }
    }
    std::size_t size = 0;
    Kind kind = kindAt(text, at, size);
    if (text[at] == ' ' && at + 1 < text.size()) {
      std::size_t more = 0;
      if (const Kind next = kindAt(text, at + 1, more); next != space) {
        return runEnd(text, at + 1 + more, next);
      }
    }
    if (kind != space) {
      return runEnd(text, at + size, kind);
    }
    // All spaces at the end of the text; before something else all but the last, which that may take.
    std::size_t end = at, last = at;
    while (end < text.size() && kindAt(text, end, size) == space) {
      last = end;
      end += size;
    }
    return end == text.size() || last == at ? end : last;
  }

  /// Where the characters of one kind end.
  std::size_t runEnd(std::string_view text, std::size_t at, Kind kind) const {
    std::size_t size = 0;
    while (at < text.size() && kindAt(text, at, size) == kind) {
      at += size;
    }
    return at;
  }

  /// The character that stands for a byte in vocabularies, as UTF-8.
  static std::string spelled(unsigned char byte) {
    const char32_t c = visible(byte) ? byte : 0x100 + hiddenBefore(byte);
    if (c < 0x80) {
      return {static_cast<char>(c)};
    }
    return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
  }

  /// The bytes that a token spells; false where it holds another character.
  bool bytesOf(std::string_view token, std::string &bytes) const {
    bytes.clear();
    for (std::size_t at = 0; at < token.size();) {
      const sdk::Decoded decoded = sdk::decodeUtf8(token, at);
      if (decoded.scalar >= byteOf.size() || byteOf[decoded.scalar] < 0) {
        return false;
      }
      bytes += static_cast<char>(byteOf[decoded.scalar]);
      at += decoded.size;
    }
    return true;
  }

private:
  ByteLevel() : index(0x110000 / 256), kinds(256) {
    const auto set = [&](const byte_level_tables::Range &range, Kind kind) {
      for (char32_t c = range.first; c <= range.last; ++c) {
        if (index[c >> 8] == 0) {
          index[c >> 8] = static_cast<std::uint16_t>(kinds.size() / 256);
          kinds.resize(kinds.size() + 256);
        }
        kinds[static_cast<std::size_t>(index[c >> 8]) * 256 + (c & 255)] = kind;
      }
    };
    for (const auto &range : byte_level_tables::letters) {
      set(range, letter);
    }
    for (const auto &range : byte_level_tables::numbers) {
      set(range, number);
    }
    for (const auto &range : byte_level_tables::spaces) {
      set(range, space);
    }
    for (std::size_t c = 0; c < ascii.size(); ++c) {
      ascii[c] = kinds[static_cast<std::size_t>(index[0]) * 256 + c];
    }
    byteOf.fill(-1);
    for (unsigned byte = 0; byte < 256; ++byte) {
      byteOf[visible(static_cast<unsigned char>(byte)) ? byte : 0x100 + hiddenBefore(byte)] = static_cast<std::int16_t>(byte);
    }
  }

  static bool visible(unsigned byte) { return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE; }
  static unsigned hiddenBefore(unsigned byte) {
    unsigned count = 0;
    for (unsigned b = 0; b < byte; ++b) {
      count += visible(b) ? 0 : 1;
    }
    return count;
  }

  static std::size_t contraction(std::string_view rest) {
    if (rest.empty()) {
      return 0;
    }
    switch (rest[0]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 1;
    case 'r':
    case 'v':
      return rest.size() > 1 && rest[1] == 'e' ? 2 : 0;
    case 'l':
      return rest.size() > 1 && rest[1] == 'l' ? 2 : 0;
    default:
      return 0;
    }
  }

  std::vector<std::uint16_t> index; // block of every 256 characters; block 0 until a range sets one is `other`
  std::vector<Kind> kinds;
  std::array<Kind, 128> ascii = {};
  std::array<std::int16_t, 0x180> byteOf = {};
};

} // namespace penstock
