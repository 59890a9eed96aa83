// What the facts say of the units of a series (docs/design/series.md).
#include "runtime/data/gatherer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace penstock {

using Json = nlohmann::json;

/// Rows come by unit and in their order.
void Gatherer::addToUnit(const Item &item, std::size_t row, const FileFacts &file) {
  const RowBlock &block = item.block;
  const auto by = static_cast<std::size_t>(program.seriesBy), order = static_cast<std::size_t>(program.seriesOrder);
  const Cell unit = block.cell(row, by);
  const int split = block.splits[row];
  double place = 0;
  if (readNumber(program.columns[order], block.cell(row, order), place) != CellState::value) {
    return; // said of the cell
  }
  const UnitCutter::Step step = cutter.add(unit.text, place);
  if (step == UnitCutter::Step::repeats) {
    problems.add("order-repeats", "series", placeOf(file, block, row), {{"unit", shown(unit.text)}, {"name", program.columns[order].from}});
  }
  const bool begins = step == UnitCutter::Step::begins;
  if (begins || split != unitSplit) {
    const std::int64_t before = begins ? 0 : unitRows.end;
    endUnit();
    unitRows = {0, before, before};
    unitSplit = split;
  }
  if (begins) {
    firstRows[static_cast<std::size_t>(split)].try_emplace(
        std::string(unit.text), FirstRow{block.numbers[row], block.lines[row], place, item.hashes[row], block.files[row]});
  }
  ++unitRows.end;
  unitClasses.push_back(rowClasses);
}

/// The rows of a unit and split are all there.
void Gatherer::endUnit() {
  if (unitRows.end > unitRows.before) {
    units[static_cast<std::size_t>(unitSplit)].push_back(unitRows);
    std::vector<SeriesRecord> made;
    addRecords(program.series, program.series.take, unitRows, made);
    for (const SeriesRecord &record : made) {
      for (ClassValue *value : unitClasses[static_cast<std::size_t>(record.last - unitRows.before)]) {
        ++value->counts[static_cast<std::size_t>(unitSplit)];
      }
    }
  }
  unitClasses.clear();
  unitRows = {};
}

/// From rows to records.
void Gatherer::countSeries() {
  Json about = {{"units", Json::object()}, {"rows", Json::object()}, {"short", Json::object()}, {"max", 0}};
  std::int64_t longest = 0;
  for (int split = 0; split < 3; ++split) {
    const auto index = static_cast<std::size_t>(split);
    if (!wanted(split)) {
      continue;
    }
    const char *name = splitNames[index];
    std::int64_t made = 0, without = 0;
    for (const UnitRows &unit : units[index]) {
      const std::int64_t count = countRecords(program.series, program.series.take, unit);
      made += count;
      without += count == 0 ? 1 : 0;
      longest = std::max(longest, count == 0 ? 0 : program.series.length > 0 ? program.series.length : unit.end);
    }
    about["units"][name] = units[index].size();
    about["rows"][name] = records[index];
    about["short"][name] = without;
    const Json arguments = {{"units", without}, {"split", name}, {"length", program.series.length}};
    if (without > 0 && made == 0) {
      problems.add("no-long-units", "series", {fileOf(split).path()}, arguments);
    } else if (without > 0) {
      problems.warn("short-units", "series", {fileOf(split).path()}, arguments);
    }
    records[index] = made;
  }
  about["max"] = longest;
  facts["series"] = std::move(about);
}

/// Units that lie in two files. Of one name are different ones where their first rows stand at one place and differ: it is often a number.
void Gatherer::judgeUnits() {
  for (std::size_t a = 0; a < 3; ++a) {
    for (std::size_t b = a + 1; b < 3; ++b) {
      std::int64_t both = 0;
      const std::pair<const std::string, FirstRow> *first = nullptr;
      for (const auto &one : firstRows[b]) {
        const auto other = firstRows[a].find(one.first);
        const bool same = other != firstRows[a].end() && (other->second.place != one.second.place || other->second.hash == one.second.hash);
        both += same ? 1 : 0;
        first = same && (first == nullptr || one.second.row < first->second.row) ? &one : first;
      }
      if (first == nullptr) {
        continue;
      }
      const FirstRow &other = firstRows[a].at(first->first);
      const auto fileAt = [&](std::size_t split, const FirstRow &one) {
        return fileOf(static_cast<int>(split)).paths[static_cast<std::size_t>(one.file)];
      };
      const std::string unit = shown(first->first);
      facts["overlap"].push_back({{"a", splitNames[a]}, {"b", splitNames[b]}, {"units", both}, {"example", unit}});
      problems.warn("unit-leakage", "series", {fileAt(b, first->second), first->second.row, first->second.line, 0},
                    {{"a", splitNames[a]},
                     {"b", splitNames[b]},
                     {"units", both},
                     {"unit", unit},
                     {"other", fmt::format("{}:{}", fileAt(a, other), other.line)}});
    }
  }
}

} // namespace penstock
