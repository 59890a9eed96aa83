#include "runtime/data/pairs.h"

#include <algorithm>

namespace penstock {

std::optional<std::pair<std::int64_t, std::int64_t>> cutPair(Truncation truncation, std::int64_t first, std::int64_t second,
                                                             std::int64_t room) {
  if (first <= room - second) {
    return std::pair(first, second);
  }
  if (truncation != Truncation::longestFirst) {
    std::int64_t &cut = truncation == Truncation::first ? first : second;
    const std::int64_t other = truncation == Truncation::first ? second : first;
    if (other >= room) {
      return std::nullopt;
    }
    cut = room - other;
    return std::pair(first, second);
  }
  const bool swapped = first > second;
  std::int64_t shorter = std::min(first, second);
  std::int64_t longer = std::max(shorter, room - shorter);
  if (shorter > room - longer) {
    shorter = room / 2;
    longer = room - shorter;
  }
  return swapped ? std::pair(longer, shorter) : std::pair(shorter, longer);
}

} // namespace penstock
