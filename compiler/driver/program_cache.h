// Compiled programs on disk: <cache folder>/programs/<key>.so, each a sealed shared library
// (runtime/base/program_seal.h) whose seal names the key.
#pragma once

#include "runtime/base/disk_cache.h"

#include <string>

namespace penstock {

class ProgramCache {
public:
  explicit ProgramCache(DiskCache cache) : cache(std::move(cache)) {}

  /// The path of the entry, or "" where there is none that is whole and the user's own; marks it as used. A damaged
  /// one is removed.
  std::string find(const std::string &key) const;

  /// A fresh path for the caller to write a library to.
  Result<std::string> scratchPath() const { return cache.scratchPath(); }

  /// Seals the library at `scratch` for the key and puts it in place; its path. A failure removes it.
  Result<std::string> adopt(const std::string &scratch, const std::string &key) const;

private:
  DiskCache cache;
};

} // namespace penstock
