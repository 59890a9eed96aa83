// Compiled programs on disk: FOLDER/programs/<key>.so, each a sealed shared library
// (runtime/base/program_seal.h) whose seal names the key.
#pragma once

#include "runtime/base/status.h"

#include <cstdint>
#include <string>

namespace penstock {

/// Safe for processes side by side: entries appear and are replaced by a rename, and a mapped one
/// that is evicted stays mapped.
class ProgramCache {
public:
  /// Makes the folder (0700). Fails where it cannot be made or is not the user's own.
  static Result<ProgramCache> open(const std::string &cacheFolder, std::uint64_t limit);

  /// The path of the entry, or "" where there is none that is whole; marks it as used. A damaged
  /// one is removed.
  std::string find(const std::string &key) const;

  /// A fresh path in the folder, for the caller to write a library to.
  std::string scratchPath() const;

  /// Seals the library at `scratch` for the key and puts it in place; removes the entries used longest ago
  /// where all exceed the limit.
  Result<std::string> adopt(const std::string &scratch, const std::string &key) const;

private:
  ProgramCache(std::string folder, std::uint64_t limit) : folder(std::move(folder)), limit(limit) {}
  void evict(const std::string &keep) const;

  std::string folder;
  std::uint64_t limit;
};

} // namespace penstock
