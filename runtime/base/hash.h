// Hashes of content (libxxhash): XXH64 finds damage in files and decides the split of a record, XXH3 in 128 bits keys caches and tells
// equal texts. Their values are fixed by xxHash's specification. Not for secrets.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock {

/// XXH64 of bytes that come in pieces.
class Hash64 {
public:
  explicit Hash64(std::uint64_t seed = 0);
  void add(const void *bytes, std::size_t size);
  void add(std::string_view text) { add(text.data(), text.size()); }
  /// The hash of everything added so far.
  std::uint64_t value() const;
  /// 16 lower-case hexadecimal digits.
  std::string hex() const;

private:
  alignas(8) unsigned char state[88]; // the library's, whose header stays out of this one
};

std::uint64_t hash64(std::string_view text, std::uint64_t seed = 0);
/// The hash of a whole text as 16 hexadecimal digits.
std::string hash64Hex(std::string_view text);

struct Hash128 {
  std::uint64_t high = 0, low = 0;
  friend bool operator==(const Hash128 &, const Hash128 &) = default;
  friend auto operator<=>(const Hash128 &, const Hash128 &) = default;
  /// 32 lower-case hexadecimal digits.
  std::string hex() const;
};

/// XXH3 in 128 bits, seed 0.
Hash128 hash128(std::string_view text);

/// The same of bytes that come in pieces.
class Hasher128 {
public:
  Hasher128();
  void add(const void *bytes, std::size_t size);
  /// Adds the length, then the bytes, so that parts cannot run into each other.
  void addPart(std::string_view part);
  Hash128 value() const;

private:
  alignas(64) unsigned char state[576];
};

/// Hash of a file's bytes, or of a folder's files by relative path.
Result<Hash128> hashPath(const std::string &path);

} // namespace penstock
