// Pieces of ASCII letters and digits, and marks, of at most 16 bytes, found without the trie. 64 bytes of the text at once give
// where words and marks stand. Words that are one token are found at once in a table, the pieces of others by trying the longest
// first; longer words take the trie.
#pragma once

#include <penstock/sdk/short_keys.h>

#include <string_view>

namespace penstock {

/// A bit for each of 64 bytes: letters and digits; visible marks; everything else but the space. What is none of them is a space.
struct AsciiBlock {
  static constexpr std::size_t bytes = 64;
  std::uint64_t letters = 0, marks = 0, others = 0;

  static AsciiBlock of(const char *text) {
    AsciiBlock block;
#if defined(__SSE2__)
    for (unsigned part = 0; part < 4; ++part) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(text + 16 * part));
      const auto bits = [&](__m128i found) {
        return static_cast<std::uint64_t>(static_cast<std::uint16_t>(_mm_movemask_epi8(found))) << (16 * part);
      };
      const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
      const std::uint64_t words = bits(_mm_or_si128(sdk::between(lower, 'a', 'z'), sdk::between(bytes, '0', '9')));
      const std::uint64_t visible = bits(sdk::between(bytes, '!', '~'));
      block.letters |= words;
      block.marks |= visible & ~words;
      block.others |= (std::uint64_t{0xFFFF} << (16 * part)) & ~(visible | bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '))));
    }
#else
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      const bool word = static_cast<unsigned char>((c | 0x20) - 'a') < 26 || static_cast<unsigned char>(c - '0') < 10;
      const bool visible = c > ' ' && c < 0x7F;
      block.letters |= std::uint64_t{word} << i;
      block.marks |= std::uint64_t{visible && !word} << i;
      block.others |= std::uint64_t{!visible && c != ' '} << i;
    }
#endif
    return block;
  }
};

/// The key of a piece that stands inside of a word: ASCII leaves the bit free.
inline sdk::ShortKey asContinuation(const sdk::ShortKey &key) { return {key.low | 0x80, key.high}; }

/// All tokens that a word of at most 16 bytes of ASCII can have, or a mark.
inline sdk::ShortKeyTable shortPieces(const std::vector<std::string_view> &tokens, bool lowercase) {
  constexpr std::string_view continuation = "##";
  std::vector<std::pair<sdk::ShortKey, std::int32_t>> pieces;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    std::string_view token = tokens[id];
    const bool inside = token.starts_with(continuation) && token.size() > continuation.size();
    token.remove_prefix(inside ? continuation.size() : 0);
    if (token.empty() || token.size() > sdk::ShortKey::mostBytes) {
      continue;
    }
    std::array<char, AsciiBlock::bytes> bytes = {};
    token.copy(bytes.data(), token.size());
    const AsciiBlock block = AsciiBlock::of(bytes.data());
    const sdk::ShortKey key = sdk::ShortKey::of(bytes.data(), token.size(), lowercase);
    const bool isWord = static_cast<std::size_t>(std::countr_one(block.letters)) == token.size();
    const bool isMark = token.size() == 1 && block.marks == 1 && !inside;
    if ((isWord || isMark) && key == sdk::ShortKey::of(bytes.data(), token.size(), false)) {
      pieces.emplace_back(inside ? asContinuation(key) : key, static_cast<std::int32_t>(id));
    }
  }
  return sdk::ShortKeyTable(pieces);
}

} // namespace penstock
