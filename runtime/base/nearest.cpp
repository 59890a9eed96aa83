#include "runtime/base/nearest.h"

#include <algorithm>
#include <numeric>

namespace penstock {

namespace {

constexpr std::size_t longestCompared = 100, mostCompared = 2000;

char lowered(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte; }

/// Optimal string alignment in bytes, but for ASCII case: insertions, deletions, changes and swaps of neighbours cost one each.
std::size_t editDistance(std::string_view a, std::string_view b) {
  const auto same = [](char one, char other) { return lowered(one) == lowered(other); };
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = std::min({last[j] + (same(a[i], b[j]) ? 0U : 1U), last[j + 1] + 1, row[j] + 1});
      if (i > 0 && j > 0 && same(a[i], b[j - 1]) && same(a[i - 1], b[j])) {
        row[j + 1] = std::min(row[j + 1], before[j - 1] + 1);
      }
    }
  }
  return row[b.size()];
}

} // namespace

std::vector<std::string> nearest(std::string_view name, const std::vector<std::string> &names) {
  const std::string_view wanted = name.substr(0, longestCompared);
  const std::size_t most = std::max<std::size_t>(wanted.size() < 4 ? 1 : 2, wanted.size() / 3);
  std::vector<std::pair<std::size_t, const std::string *>> found;
  for (std::size_t i = 0; i < std::min(names.size(), mostCompared); ++i) {
    const std::string &candidate = names[i];
    if (candidate.size() > longestCompared || candidate == name) {
      continue;
    }
    const std::size_t far = editDistance(wanted, candidate);
    if (far <= most && far < std::max(wanted.size(), candidate.size())) {
      found.emplace_back(far, &candidate);
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
  std::vector<std::string> best;
  for (std::size_t i = 0; i < found.size() && i < 3; ++i) {
    best.push_back(*found[i].second);
  }
  return best;
}

} // namespace penstock
