#include "runtime/data/ordered_split.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <numeric>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

namespace penstock {

namespace {

constexpr std::size_t devSplit = 1, testSplit = 2;

/// Equal rows may stand either way: nobody can tell them apart.
std::strong_ordering compareCells(const RowBlock &block, std::size_t width, std::size_t a, std::size_t b) {
  std::strong_ordering order = std::strong_ordering::equal;
  for (std::size_t column = 0; column < width && order == std::strong_ordering::equal; ++column) {
    const Cell left = block.cell(a, column), right = block.cell(b, column);
    order = std::tie(left.present, left.list, left.text) <=> std::tie(right.present, right.list, right.text);
  }
  return order;
}

/// Of the rows of one unit, in their order: those of `split`, and those before them that a record of it may begin with.
void placeUnit(const SeriesSpec &series, std::span<const PlacedRow> unit, int split, std::vector<PlacedRow> &to) {
  const auto isOwn = [split](const PlacedRow &row) { return row.split == split; };
  const auto first = std::find_if(unit.begin(), unit.end(), isOwn);
  const auto end = std::find_if_not(first, unit.end(), isOwn);
  const auto there = first - unit.begin();
  const auto before = series.length > 0 ? std::min<std::ptrdiff_t>(series.length - 1, there) : there;
  to.insert(to.end(), first == end ? end : first - before, end);
}

} // namespace

int OrderCuts::splitOf(double place) const {
  return static_cast<int>(place >= test ? testSplit : place >= dev ? devSplit : std::size_t{trainSplit});
}

OrderCuts cutOrder(std::vector<double> places, const std::array<double, 3> &shares) {
  std::sort(places.begin(), places.end());
  const auto all = static_cast<double>(places.size());
  OrderCuts cuts;
  std::size_t end = places.size();
  for (const std::size_t split : {testSplit, devSplit}) {
    constexpr double rounding = 1e-12; // 10% of 110 is 11.000000000000002
    const auto wanted = static_cast<std::size_t>(std::ceil(shares[split] * all * (1 - rounding)));
    std::size_t begin = end - std::min(end, wanted);
    while (begin > 0 && begin < end && places[begin - 1] == places[begin]) {
      --begin;
    }
    if (begin < end) {
      (split == testSplit ? cuts.test : cuts.dev) = places[begin];
    }
    end = begin;
  }
  return cuts;
}

std::vector<PlacedRow> placeInSplits(const RecordProgram &program, const RowBlock &block, int split) {
  const auto order = static_cast<std::size_t>(program.splitOrder);
  const std::size_t width = program.fileColumns().size();
  const std::vector<double> places = placesOf(block, program.columns[order], order);
  std::vector<double> kept;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    if (block.removedBy[i] < 0) {
      kept.push_back(places[i]);
    }
  }
  const OrderCuts cuts = cutOrder(std::move(kept), program.shares);
  std::vector<std::size_t> sequence;
  const auto by = static_cast<std::size_t>(program.seriesBy);
  if (program.isSeries()) {
    sequence = seriesOrder(block, program.columns[order], by, order);
  } else {
    sequence.resize(block.rows());
    std::iota(sequence.begin(), sequence.end(), std::size_t{0});
    std::sort(sequence.begin(), sequence.end(), [&](std::size_t a, std::size_t b) {
      return places[a] != places[b] ? places[a] < places[b] : compareCells(block, width, a, b) < 0;
    });
  }
  std::vector<PlacedRow> all, wanted;
  for (const std::size_t one : sequence) {
    const int mine = cuts.splitOf(places[one]);
    if (split < 0 || (block.removedBy[one] < 0 && (program.isSeries() || mine == split))) {
      all.push_back({one, mine});
    }
  }
  if (split < 0 || !program.isSeries()) {
    return all;
  }
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    const std::string_view unit = block.cell(all[begin].row, by).text;
    while (end < all.size() && block.cell(all[end].row, by).text == unit) {
      ++end;
    }
    placeUnit(program.series, std::span(all).subspan(begin, end - begin), split, wanted);
  }
  return wanted;
}

} // namespace penstock
