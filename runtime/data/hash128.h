// 128-bit content hashes (XXH3-128, xxHash 0.8, seed 0): keys of caches, integrity of their
// entries, equality of records.
#pragma once

#include "runtime/base/hash.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock {

struct Hash128 {
  std::uint64_t high = 0, low = 0;
  friend bool operator==(const Hash128 &, const Hash128 &) = default;
  friend auto operator<=>(const Hash128 &, const Hash128 &) = default;
  /// 32 lower-case hexadecimal digits.
  std::string hex() const;
};

Hash128 hash128(const void *bytes, std::size_t size);
inline Hash128 hash128(std::string_view text) { return hash128(text.data(), text.size()); }

class Hasher128 {
public:
  void add(const void *bytes, std::size_t size);
  /// Adds the length, then the bytes, so that parts cannot run into each other.
  void addPart(std::string_view part);
  Hash128 value() const { return {high.value(), low.value()}; }

private:
  Hash64 high{0x9E3779B97F4A7C15}, low{0};
};

/// Hash of a file's bytes, or of a folder's files by relative path.
Result<Hash128> hashPath(const std::string &path);

} // namespace penstock
