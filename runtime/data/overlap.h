// Which records occur in more than one split: 128-bit hashes, sorted, spilled to sorted runs on
// disk above a limit.
#pragma once

#include "runtime/base/disk_cache.h"
#include "runtime/base/hash.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace penstock {

class OverlapFinder {
public:
  /// `folder`: where runs go ("" for the system's temporary folder). `limit`: entries of 32 bytes
  /// held in memory.
  explicit OverlapFinder(std::string folder, std::size_t limit = std::size_t{2} << 20);

  /// `record` is the number of the record's row in its file, for the example.
  Status add(const Hash128 &hash, int split, std::int64_t record);

  struct Pair {
    std::int64_t records = 0;  // of split b that occur in split a
    std::int64_t example = -1; // number of the first such row of split b
  };
  /// Pairs [a][b], a < b.
  using Pairs = std::array<std::array<Pair, 3>, 3>;
  Result<Pairs> finish();

private:
  struct Entry {
    Hash128 hash;
    std::int64_t split, record;
    friend auto operator<=>(const Entry &, const Entry &) = default;
  };
  Status spill();

  std::string folder;
  std::size_t limit;
  std::vector<Entry> entries;
  std::vector<std::unique_ptr<ScratchFile>> runs;
};

} // namespace penstock
