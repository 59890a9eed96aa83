// 128-bit content hashes (XXH3-128, xxHash 0.8, seed 0): keys of caches, integrity of their
// entries, equality of records.
#pragma once

#include "runtime/base/status.h"

#include <cstdint>
#include <memory>
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
  Hasher128();
  ~Hasher128();
  Hasher128(const Hasher128 &) = delete;
  Hasher128 &operator=(const Hasher128 &) = delete;
  void add(const void *bytes, std::size_t size);
  /// Adds the length, then the bytes, so that parts cannot run into each other.
  void addPart(std::string_view part);
  Hash128 value() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

/// Hash of a file's bytes, or of a folder's files by relative path.
Result<Hash128> hashPath(const std::string &path);

} // namespace penstock
