#include "tools/new_pipeline/giveaway.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace penstock {

namespace {

struct Pairs {
  const RawProfile &profile;
  std::size_t column, target;

  template <typename Visit> void each(Visit &&visit) const {
    for (const std::vector<std::string> &row : profile.sample) {
      if (!row[target].empty()) {
        visit(row[column], row[target]);
      }
    }
  }
};

Giveaway ofClass(const Pairs &pairs) {
  std::map<std::string, std::map<std::string, std::int64_t>> tables; // by value, by class
  std::map<std::string, std::int64_t> classes;
  std::int64_t all = 0, right = 0;
  pairs.each([&](const std::string &value, const std::string &name) {
    ++tables[value][name];
    ++classes[name];
    ++all;
  });
  std::int64_t base = 0;
  for (const auto &[name, count] : classes) {
    base = std::max(base, count);
  }
  for (const auto &[value, table] : tables) {
    for (const auto &[name, count] : table) {
      // Without the record itself its class must still be the most frequent one.
      const bool most = std::all_of(table.begin(), table.end(), [&, mine = name, left = count - 1](const auto &other) {
        return other.first == mine || other.second <= left;
      });
      right += most && count > 1 ? count : 0;
    }
  }
  Giveaway found;
  found.share = all > base ? std::max(0.0, static_cast<double>(right - base) / static_cast<double>(all - base)) : 0;
  constexpr std::int64_t enough = 20; // records with the flag
  for (const auto &[value, table] : tables) {
    if (tables.size() != 2 || table.size() != 1 || value.empty()) {
      continue;
    }
    const auto &[name, count] = *table.begin();
    // Of a class that is a tenth of all so many records would not stand alone by chance.
    if (count >= enough && classes[name] * 10 <= all) {
      found.flag = value;
      found.flagClass = name;
    }
  }
  return found;
}

Giveaway ofNumber(const Pairs &pairs) {
  struct Sums {
    double count = 0, sum = 0, squares = 0;
    void add(double y) {
      ++count;
      sum += y;
      squares += y * y;
    }
    /// The squared errors of the mean; left out one by one they are greater by this factor, squared.
    double errors() const { return std::max(0.0, squares - sum * sum / count); }
  };
  std::map<std::string, Sums> groups;
  Sums all;
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
  pairs.each([&](const std::string &value, const std::string &cell) {
    const std::optional<double> y = numberIn(cell), x = numberIn(value);
    if (!y) {
      return;
    }
    groups[value].add(*y);
    all.add(*y);
    if (x) {
      ++n, sx += *x, sy += *y, sxx += *x * *x, sxy += *x * *y, syy += *y * *y;
    }
  });
  Giveaway found;
  if (all.count < 3 || all.errors() <= 0) {
    return found;
  }
  double left = 0;
  const double mean = all.sum / all.count;
  for (const auto &[value, group] : groups) {
    const double factor = group.count / std::max(1.0, group.count - 1);
    left += group.count > 1 ? group.errors() * factor * factor : group.squares - 2 * mean * group.sum + group.count * mean * mean;
  }
  found.share = std::max(0.0, 1 - left / all.errors());
  const double vx = sxx - sx * sx / n, vy = syy - sy * sy / n, cov = sxy - sx * sy / n;
  if (n >= 0.9 * all.count && vx > 0 && vy > 0) {
    found.share = std::max(found.share, cov * cov / (vx * vy));
  }
  return found;
}

} // namespace

Giveaway giveawayOf(const RawProfile &profile, std::size_t column, std::size_t target, bool targetIsNumber) {
  const Pairs pairs{profile, column, target};
  return targetIsNumber ? ofNumber(pairs) : ofClass(pairs);
}

} // namespace penstock
