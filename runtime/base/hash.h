// XXH64 (Yann Collet, xxHash specification 0.1.1), streaming: finds damage in files and keys caches. Not for secrets.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace penstock {

class Hash64 {
public:
  explicit Hash64(std::uint64_t seed = 0) : lanes{seed + prime1 + prime2, seed + prime2, seed, seed - prime1}, seed(seed) {}

  void add(const void *bytes, std::size_t size) {
    const auto *at = static_cast<const unsigned char *>(bytes);
    total += size;
    if (held + size < sizeof(hold)) {
      if (size > 0) {
        std::memcpy(hold + held, at, size);
      }
      held += size;
      return;
    }
    if (held > 0) {
      const std::size_t fill = sizeof(hold) - held;
      std::memcpy(hold + held, at, fill);
      at += fill;
      size -= fill;
      stripe(hold);
      held = 0;
    }
    for (; size >= sizeof(hold); at += sizeof(hold), size -= sizeof(hold)) {
      stripe(at);
    }
    if (size > 0) {
      std::memcpy(hold, at, size);
    }
    held = size;
  }
  void add(std::string_view text) { add(text.data(), text.size()); }

  /// The hash of everything added so far.
  std::uint64_t value() const {
    std::uint64_t h;
    if (total >= sizeof(hold)) {
      h = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
      for (const std::uint64_t lane : lanes) {
        h = (h ^ round(0, lane)) * prime1 + prime4;
      }
    } else {
      h = seed + prime5;
    }
    h += total;
    const unsigned char *at = hold;
    std::size_t left = held;
    for (; left >= 8; at += 8, left -= 8) {
      h = rotate(h ^ round(0, read64(at)), 27) * prime1 + prime4;
    }
    if (left >= 4) {
      std::uint32_t word;
      std::memcpy(&word, at, 4);
      h = rotate(h ^ (word * prime1), 23) * prime2 + prime3;
      at += 4;
      left -= 4;
    }
    for (; left > 0; ++at, --left) {
      h = rotate(h ^ (*at * prime5), 11) * prime1;
    }
    h = (h ^ (h >> 33)) * prime2;
    h = (h ^ (h >> 29)) * prime3;
    return h ^ (h >> 32);
  }
  /// 16 lower-case hexadecimal digits.
  std::string hex() const {
    std::string text(16, '0');
    std::uint64_t rest = value();
    for (int i = 15; i >= 0; --i, rest >>= 4) {
      text[static_cast<std::size_t>(i)] = "0123456789abcdef"[rest & 15];
    }
    return text;
  }

private:
  static constexpr std::uint64_t prime1 = 0x9E3779B185EBCA87, prime2 = 0xC2B2AE3D27D4EB4F, prime3 = 0x165667B19E3779F9,
                                 prime4 = 0x85EBCA77C2B2AE63, prime5 = 0x27D4EB2F165667C5;
  static std::uint64_t rotate(std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }
  static std::uint64_t round(std::uint64_t lane, std::uint64_t input) { return rotate(lane + input * prime2, 31) * prime1; }
  static std::uint64_t read64(const unsigned char *at) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    return word;
  }
  void stripe(const unsigned char *at) {
    for (int i = 0; i < 4; ++i) {
      lanes[i] = round(lanes[i], read64(at + 8 * i));
    }
  }

  std::uint64_t lanes[4];
  std::uint64_t seed;
  std::uint64_t total = 0;
  unsigned char hold[32] = {};
  std::size_t held = 0;
};

/// The hash of a whole text as 16 hexadecimal digits.
inline std::string hash64Hex(std::string_view text) {
  Hash64 hash;
  hash.add(text);
  return hash.hex();
}

inline std::uint64_t hash64(std::string_view text, std::uint64_t seed = 0) {
  Hash64 hash(seed);
  hash.add(text);
  return hash.value();
}

} // namespace penstock
