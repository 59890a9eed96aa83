#include "runtime/data/overlap.h"

#include <algorithm>
#include <queue>

namespace penstock {

OverlapFinder::OverlapFinder(std::string folder, std::size_t limit) : folder(std::move(folder)), limit(limit) {}

Status OverlapFinder::add(const Hash128 &hash, int split, std::int64_t record) {
  entries.push_back({hash, split, record});
  return entries.size() >= limit ? spill() : Status::success();
}

Status OverlapFinder::spill() {
  std::sort(entries.begin(), entries.end());
  PENSTOCK_ASSIGN(std::unique_ptr<ScratchFile> run, ScratchFile::create(folder));
  PENSTOCK_TRY(run->append(entries.data(), entries.size() * sizeof(Entry)));
  runs.push_back(std::move(run));
  entries.clear();
  return Status::success();
}

Result<OverlapFinder::Pairs> OverlapFinder::finish() {
  std::sort(entries.begin(), entries.end());
  struct Range {
    const Entry *at, *end;
  };
  std::vector<Range> ranges;
  std::vector<std::shared_ptr<MappedFile>> mapped;
  for (const std::unique_ptr<ScratchFile> &run : runs) {
    PENSTOCK_ASSIGN(std::shared_ptr<MappedFile> file, run->map());
    const auto *begin = reinterpret_cast<const Entry *>(file->data());
    ranges.push_back({begin, begin + file->size() / sizeof(Entry)});
    mapped.push_back(std::move(file));
  }
  ranges.push_back({entries.data(), entries.data() + entries.size()});

  const auto later = [](const Range &a, const Range &b) { return *b.at < *a.at; };
  std::priority_queue<Range, std::vector<Range>, decltype(later)> heap(later);
  for (const Range &range : ranges) {
    if (range.at != range.end) {
      heap.push(range);
    }
  }
  Pairs pairs;
  Hash128 current;
  std::array<std::int64_t, 3> counts = {}, firsts = {};
  const auto close = [&] {
    for (std::size_t a = 0; a < 3; ++a) {
      for (std::size_t b = a + 1; b < 3; ++b) {
        if (counts[a] > 0 && counts[b] > 0) {
          Pair &pair = pairs[a][b];
          pair.records += counts[b];
          pair.example = pair.example < 0 ? firsts[b] : std::min(pair.example, firsts[b]);
        }
      }
    }
    counts = {};
  };
  while (!heap.empty()) {
    Range range = heap.top();
    heap.pop();
    const Entry &entry = *range.at++;
    if (entry.hash != current) {
      close();
      current = entry.hash;
    }
    const auto split = static_cast<std::size_t>(entry.split);
    if (counts[split]++ == 0) {
      firsts[split] = entry.record;
    }
    if (range.at != range.end) {
      heap.push(range);
    }
  }
  close();
  return pairs;
}

} // namespace penstock
