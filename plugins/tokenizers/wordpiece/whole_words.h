// The words of ASCII letters and digits that are one token, found without the trie: 16 bytes of the text at once give the word's
// end and its lower case, and a table of 16-byte keys its id. What is not in the table takes the trie, which knows everything.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace penstock {

/// The letters and digits at the start of 16 bytes: how many, and the word in lower case or as it is, filled up with zeros.
struct LoadedWord {
  std::uint64_t low = 0, high = 0;
  unsigned size = 0;
};

class WholeWords {
public:
  static constexpr unsigned window = 16;
  static constexpr std::size_t mostProbes = 8;

  /// Reads `window` bytes.
  static LoadedWord load(const char *text, bool lowercase) {
    LoadedWord word;
#if defined(__SSE2__)
    alignas(32) static constexpr std::array<unsigned char, 32> keep = {255, 255, 255, 255, 255, 255, 255, 255,
                                                                       255, 255, 255, 255, 255, 255, 255, 255};
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(text));
    const __m128i bit = _mm_set1_epi8(0x20);
    const __m128i lower = _mm_or_si128(bytes, bit); // of digits they are themselves
    const __m128i letter = _mm_sub_epi8(lower, _mm_set1_epi8('a'));
    const __m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i isLetter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    const __m128i isDigit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(isLetter, isDigit)));
    word.size = static_cast<unsigned>(std::countr_one(mask));
    const __m128i kept = _mm_and_si128(lowercase ? lower : bytes, _mm_loadu_si128(reinterpret_cast<const __m128i *>(
                                                                      keep.data() + window - word.size)));
    word.low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(kept));
    word.high = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(kept, kept)));
#else
    std::array<char, window> kept = {};
    for (; word.size < window && isWordByte(static_cast<unsigned char>(text[word.size])); ++word.size) {
      kept[word.size] = static_cast<char>(lowercase ? text[word.size] | 0x20 : text[word.size]);
    }
    std::memcpy(&word.low, kept.data(), 8);
    std::memcpy(&word.high, kept.data() + 8, 8);
#endif
    return word;
  }

  /// Of equal tokens the last one counts. Tokens of more than `mostBytes` are left out, and those that find no place near their
  /// own: so making the table and looking up take bounded time whatever the vocabulary.
  WholeWords(const std::vector<std::string_view> &tokens, bool lowercase, std::size_t mostBytes) {
    std::vector<std::pair<LoadedWord, std::int32_t>> words;
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      const std::string_view token = tokens[id];
      if (token.empty() || token.size() >= window || token.size() > mostBytes) {
        continue;
      }
      std::array<char, window> bytes = {};
      std::memcpy(bytes.data(), token.data(), token.size());
      const LoadedWord word = load(bytes.data(), lowercase), same = load(bytes.data(), false);
      if (word.size == token.size() && word.low == same.low && word.high == same.high) {
        words.emplace_back(word, static_cast<std::int32_t>(id));
      }
    }
    const std::size_t slots = std::bit_ceil(words.size() * 2 + mostProbes);
    shift = 64 - static_cast<unsigned>(std::countr_zero(slots));
    entries.resize(slots + mostProbes);
    for (const auto &[word, id] : words) {
      for (std::size_t slot = slotOf(word), last = slot + mostProbes; slot < last; ++slot) {
        Entry &entry = entries[slot];
        if (entry.low == 0 || (entry.low == word.low && entry.high == word.high)) {
          entry = {word.low, word.high, id};
          break;
        }
      }
    }
  }

  /// The token that is this word of 1 to 15 bytes, or -1.
  std::int32_t find(const LoadedWord &word) const {
    const Entry *entry = entries.data() + slotOf(word);
    for (std::size_t probe = 0; probe < mostProbes; ++probe, ++entry) {
      if (entry->low == word.low && entry->high == word.high) {
        return entry->id;
      }
      if (entry->low == 0) {
        break;
      }
    }
    return -1;
  }

private:
  struct Entry {
    std::uint64_t low = 0, high = 0; // the word; no word is 0
    std::int32_t id = -1;
  };

  static bool isWordByte(unsigned char c) {
    return static_cast<unsigned char>((c | 0x20) - 'a') < 26 || static_cast<unsigned char>(c - '0') < 10;
  }
  std::size_t slotOf(const LoadedWord &word) const {
    return static_cast<std::size_t>(((word.low ^ std::rotl(word.high * 0x9E3779B97F4A7C15u, 29)) * 0xD6E8FEB86659FD93u) >> shift);
  }

  std::vector<Entry> entries;
  unsigned shift = 0;
};

} // namespace penstock
