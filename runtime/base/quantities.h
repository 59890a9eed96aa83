// What is counted in a unit, and what `penstock build` measures of an artifact (clause E9 of docs/spec/language.md).
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

enum class Counted { number, time, bytes, epochs, steps };

struct UnitRow {
  std::string_view name;
  Counted counted;
  double scale; // seconds, bytes, epochs or steps of one
};
inline constexpr std::array units = {
    UnitRow{"ms", Counted::time, 1e-3}, UnitRow{"s", Counted::time, 1},       UnitRow{"min", Counted::time, 60},
    UnitRow{"h", Counted::time, 3600},  UnitRow{"kB", Counted::bytes, 1e3},   UnitRow{"MB", Counted::bytes, 1e6},
    UnitRow{"GB", Counted::bytes, 1e9}, UnitRow{"epoch", Counted::epochs, 1}, UnitRow{"epochs", Counted::epochs, 1},
    UnitRow{"step", Counted::steps, 1}, UnitRow{"steps", Counted::steps, 1},
};

struct QuantityRow {
  std::string_view name;
  Counted counted;
  bool answering; // measured while it answers: of some `batch` and `threads`
};
inline constexpr std::array quantities = {
    QuantityRow{"memory", Counted::bytes, true}, QuantityRow{"p50", Counted::time, true},    QuantityRow{"p90", Counted::time, true},
    QuantityRow{"p99", Counted::time, true},     QuantityRow{"size", Counted::bytes, false},
};

/// The names of the rows that are `wanted`.
template <typename Rows, typename Wanted> std::vector<std::string> namesOf(const Rows &rows, Wanted wanted) {
  std::vector<std::string> names;
  for (const auto &row : rows) {
    if (wanted(row)) {
      names.emplace_back(row.name);
    }
  }
  return names;
}
template <typename Rows> std::vector<std::string> namesOf(const Rows &rows) {
  return namesOf(rows, [](const auto &) { return true; });
}

/// The row of that name; NULL where there is none.
template <typename Rows> constexpr auto findRow(const Rows &rows, std::string_view name) -> decltype(rows.data()) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto &row) { return row.name == name; });
  return found == rows.end() ? nullptr : rows.data() + (found - rows.begin());
}

} // namespace penstock
