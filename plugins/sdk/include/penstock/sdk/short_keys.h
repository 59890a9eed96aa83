// A table of short pieces of text, at most 16 bytes each, for tokenizers: a key is two numbers, made from the text by one load and a
// mask, and a lookup touches one place of memory, which can be fetched ahead.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace penstock::sdk {

#if defined(__SSE2__)
/// All ones where first <= byte <= last.
inline __m128i between(__m128i bytes, char first, char last) {
  const __m128i place = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
  return _mm_cmpeq_epi8(_mm_min_epu8(place, _mm_set1_epi8(static_cast<char>(last - first))), place);
}
#endif

/// The bytes of a piece, filled up with zeros.
struct ShortKey {
  static constexpr std::size_t mostBytes = 16;
  std::uint64_t low, high; // not set by default: tokenizers keep many on the stack

  bool operator==(const ShortKey &other) const { return ((low ^ other.low) | (high ^ other.high)) == 0; }

  /// Of the first `size` bytes, at most `mostBytes`, A-Z in lower case or not. Reads `mostBytes` bytes.
  static ShortKey of(const char *text, std::size_t size, bool lowercase) {
    ShortKey key;
#if defined(__SSE2__)
    alignas(32) static constexpr std::array<unsigned char, 2 * mostBytes> keep = {255, 255, 255, 255, 255, 255, 255, 255,
                                                                                  255, 255, 255, 255, 255, 255, 255, 255};
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(text));
    const __m128i capital = between(bytes, 'A', 'Z');
    bytes = _mm_or_si128(bytes, _mm_and_si128(capital, _mm_set1_epi8(lowercase ? 0x20 : 0)));
    bytes = _mm_and_si128(bytes, _mm_loadu_si128(reinterpret_cast<const __m128i *>(keep.data() + mostBytes - size)));
    key.low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(bytes));
    key.high = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(bytes, bytes)));
#else
    std::array<char, mostBytes> bytes = {};
    for (std::size_t i = 0; i < size; ++i) {
      bytes[i] = static_cast<char>(lowercase && text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    }
    std::memcpy(&key.low, bytes.data(), 8);
    std::memcpy(&key.high, bytes.data() + 8, 8);
#endif
    return key;
  }
};

class ShortKeyTable {
public:
  static constexpr std::size_t mostProbes = 8;

  ShortKeyTable() : ShortKeyTable(std::vector<std::pair<ShortKey, std::int32_t>>()) {}
  /// Values are at least 0; of equal keys the last one counts. Keys that come early take their own place, so begin with frequent
  /// ones.
  explicit ShortKeyTable(const std::vector<std::pair<ShortKey, std::int32_t>> &items) {
    // A table that is never more than half full has room near every place, unless the keys were made against it.
    for (std::size_t slots = std::bit_ceil(items.size() * 2 + mostProbes); !complete && slots <= 64 * (items.size() + mostProbes);
         slots *= 2) {
      complete = fill(items, slots);
    }
  }

  /// Whether all items are there; if not, only what is found counts.
  bool isComplete() const { return complete; }

  std::uint32_t slotOf(const ShortKey &key) const {
    const std::uint64_t mixed = key.low ^ std::rotl(key.high * 0x9E3779B97F4A7C15u, 29);
    return static_cast<std::uint32_t>((mixed * 0xD6E8FEB86659FD93u) >> shift);
  }
  void prefetch(std::uint32_t slot) const { __builtin_prefetch(entries.data() + slot); }

  /// The value, or -1.
  std::int32_t find(const ShortKey &key, std::uint32_t slot) const {
    const Entry *entry = entries.data() + slot;
    if (entry->key == key) {
      return entry->value;
    }
    for (std::size_t probe = 1; probe < mostProbes && entry->value >= 0; ++probe) {
      if ((++entry)->key == key) {
        return entry->value;
      }
    }
    return -1;
  }
  std::int32_t find(const ShortKey &key) const { return find(key, slotOf(key)); }

private:
  struct Entry {
    ShortKey key = {0, 0};
    std::int32_t value = -1; // -1: nothing is here
  };

  bool fill(const std::vector<std::pair<ShortKey, std::int32_t>> &items, std::size_t slots) {
    shift = 64 - static_cast<unsigned>(std::countr_zero(slots));
    entries.assign(slots + mostProbes, {});
    bool all = true;
    for (const auto &[key, value] : items) {
      const std::uint32_t own = slotOf(key);
      std::size_t probe = 0;
      while (probe < mostProbes && entries[own + probe].value >= 0 && !(entries[own + probe].key == key)) {
        ++probe;
      }
      all = all && probe < mostProbes;
      if (probe < mostProbes) {
        entries[own + probe] = {key, value};
      }
    }
    return all;
  }

  std::vector<Entry> entries;
  unsigned shift = 0;
  bool complete = false;
};

} // namespace penstock::sdk
