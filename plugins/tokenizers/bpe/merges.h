// Merging of byte pairs: of all neighbours the pair of the lowest rank first, the leftmost of equal ones, until none is in the list.
#pragma once

#include <penstock/sdk/common.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <string_view>
#include <vector>

namespace penstock {

struct Merge {
  std::int32_t left, right, result;
};

/// A token and where its bytes end.
struct Symbol {
  std::int32_t id;
  std::uint32_t end;
};

class Merges {
public:
  Merges() = default;
  /// In the order of their ranks; of equal pairs the last one counts.
  explicit Merges(const std::vector<Merge> &merges) {
    const std::size_t slots = std::bit_ceil(merges.size() * 2 + 2);
    shift = 64 - static_cast<unsigned>(std::countr_zero(slots));
    entries.resize(slots);
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const std::uint64_t pair = pairOf(merges[rank].left, merges[rank].right);
      std::size_t slot = slotOf(pair);
      while (entries[slot].pair != none && entries[slot].pair != pair) {
        slot = (slot + 1) & (slots - 1);
      }
      entries[slot] = {pair, static_cast<std::uint32_t>(rank), merges[rank].result};
    }
  }

  struct Scratch {
    std::vector<Symbol> symbols;
    std::vector<const void *> found;
    std::vector<std::uint32_t> before, after;
    std::vector<std::uint64_t> heap;
  };

  /// Merges `symbols` of the scratch, one a byte at first, in place.
  void run(Scratch &scratch) const {
    if (scratch.symbols.size() <= 48) {
      runShort(scratch);
    } else {
      runLong(scratch);
    }
  }

private:
  static constexpr std::uint64_t none = ~std::uint64_t{0};
  struct Entry {
    std::uint64_t pair = none;
    std::uint32_t rank = 0;
    std::int32_t result = 0;
  };

  static std::uint64_t pairOf(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }
  std::size_t slotOf(std::uint64_t pair) const { return static_cast<std::size_t>(((pair ^ pair >> 29) * 0x9E3779B97F4A7C15u) >> shift); }
  const Entry *find(std::int32_t left, std::int32_t right) const {
    if (entries.empty()) {
      return nullptr;
    }
    const std::uint64_t pair = pairOf(left, right);
    for (std::size_t slot = slotOf(pair);; slot = (slot + 1) & (entries.size() - 1)) {
      if (entries[slot].pair == pair) {
        return &entries[slot];
      }
      if (entries[slot].pair == none) {
        return nullptr;
      }
    }
  }

  /// Few symbols: looking at all of them is the fastest.
  void runShort(Scratch &scratch) const {
    std::vector<Symbol> &symbols = scratch.symbols;
    auto &found = scratch.found; // of each symbol and the next one
    found.resize(symbols.size());
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      found[i] = find(symbols[i].id, symbols[i + 1].id);
    }
    for (std::size_t count = symbols.size(); count > 1; --count) {
      std::size_t best = count;
      std::uint32_t rank = std::numeric_limits<std::uint32_t>::max();
      for (std::size_t i = 0; i + 1 < count; ++i) {
        const auto *entry = static_cast<const Entry *>(found[i]);
        if (entry != nullptr && entry->rank < rank) {
          rank = entry->rank;
          best = i;
        }
      }
      if (best == count) {
        break;
      }
      symbols[best] = {static_cast<const Entry *>(found[best])->result, symbols[best + 1].end};
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
      found.erase(found.begin() + static_cast<std::ptrdiff_t>(best) + 1);
      if (best + 2 < count) {
        found[best] = find(symbols[best].id, symbols[best + 1].id);
      }
      if (best > 0) {
        found[best - 1] = find(symbols[best - 1].id, symbols[best].id);
      }
    }
  }

  /// Many: a heap of ranks and places over a linked list. An entry of the heap is old when the pair at its place has another rank.
  void runLong(Scratch &scratch) const {
    constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();
    std::vector<Symbol> &symbols = scratch.symbols;
    const std::size_t size = symbols.size();
    auto &found = scratch.found;
    auto &before = scratch.before, &after = scratch.after;
    auto &heap = scratch.heap;
    found.assign(size, nullptr);
    before.resize(size);
    after.resize(size);
    heap.clear();
    const auto look = [&](std::uint32_t at) {
      const Entry *entry = after[at] == nowhere ? nullptr : find(symbols[at].id, symbols[after[at]].id);
      found[at] = entry;
      if (entry != nullptr) {
        heap.push_back(static_cast<std::uint64_t>(entry->rank) << 32 | at);
        std::push_heap(heap.begin(), heap.end(), std::greater<>());
      }
    };
    for (std::size_t i = 0; i < size; ++i) {
      before[i] = i == 0 ? nowhere : static_cast<std::uint32_t>(i - 1);
      after[i] = i + 1 == size ? nowhere : static_cast<std::uint32_t>(i + 1);
    }
    for (std::size_t i = 0; i < size; ++i) {
      look(static_cast<std::uint32_t>(i));
    }
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      const std::uint64_t top = heap.back();
      heap.pop_back();
      const auto at = static_cast<std::uint32_t>(top);
      const auto *entry = static_cast<const Entry *>(found[at]);
      if (entry == nullptr || entry->rank != static_cast<std::uint32_t>(top >> 32)) {
        continue;
      }
      const std::uint32_t gone = after[at];
      symbols[at] = {entry->result, symbols[gone].end};
      found[gone] = nullptr;
      after[at] = after[gone];
      if (after[at] != nowhere) {
        before[after[at]] = at;
      }
      look(at);
      if (before[at] != nowhere) {
        look(before[at]);
      }
    }
    std::size_t count = 0;
    for (std::uint32_t at = 0; at != nowhere; at = after[at]) {
      symbols[count++] = symbols[at];
    }
    symbols.resize(count);
  }

  std::vector<Entry> entries;
  unsigned shift = 63;
};

} // namespace penstock
