#include "tools/new_pipeline/column_profile.h"

#include "runtime/base/utf8.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

namespace penstock {

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// Of scripts that are written without blanks between words.
bool isWide(char32_t scalar) {
  return (scalar >= 0x3040 && scalar <= 0x30FF) || (scalar >= 0x3400 && scalar <= 0x9FFF) || (scalar >= 0x0E00 && scalar <= 0x0E7F) ||
         (scalar >= 0x20000 && scalar <= 0x3FFFF);
}

void addCell(ColumnProfile &column, const Cell &cell, std::vector<std::string_view> &scratch) {
  const std::string_view text = trimmed(cell.text);
  if (!cell.present || text.empty()) {
    ++column.missing;
    return;
  }
  column.lists += cell.list ? 1 : 0;
  column.padded += text.size() != cell.text.size() ? 1 : 0;
  if (const std::optional<double> number = cell.list ? std::nullopt : numberIn(text)) {
    ++column.numbers;
    column.integers += *number == std::floor(*number) && std::abs(*number) < 1e15 ? 1 : 0;
    column.least = std::min(column.least, *number);
    column.greatest = std::max(column.greatest, *number);
  }
  itemsOf(cell, scratch);
  column.words += static_cast<double>(scratch.size());
  column.spaced += scratch.size() > 1 ? 1 : 0;
  const std::int64_t scalars = countScalars(text);
  column.characters += static_cast<double>(scalars);
  for (std::size_t at = 0; at < text.size();) {
    if (isWide(nextScalar(text, at))) {
      ++column.wide;
      break;
    }
  }
  constexpr std::int64_t shortEnough = 40;
  const bool fits = scalars <= shortEnough;
  if (column.example.empty() ||
      (column.values.size() < 20 && fits && (text.size() > column.example.size() || countScalars(column.example) > shortEnough))) {
    column.example = text;
  }
  if (column.many) {
    return;
  }
  if (!cell.list) {
    scratch.assign(1, text);
  }
  for (const std::string_view value : scratch) { // of a list its items
    ++column.values[std::string(value)];
  }
  column.many = column.values.size() > ColumnProfile::distinctLimit;
}

} // namespace

bool meansMissing(std::string_view cell) {
  static constexpr std::array words = {"",     "NA",  "N/A", "n/a", "na", "NaN", "nan",  "NULL", "null",    "None",
                                       "none", "nil", "?",   "-",   "--", ".",   "#N/A", "<NA>", "unknown", "Unknown"};
  return std::find(words.begin(), words.end(), trimmed(cell)) != words.end();
}

Result<RawProfile> profileOf(const std::string &path, const RawForm &form) {
  PENSTOCK_ASSIGN(const std::unique_ptr<RowSource> rows, openRaw(path, form));
  RawProfile profile;
  for (const std::string &name : form.names) {
    profile.columns.emplace_back().name = name;
  }
  std::mt19937_64 draws(42);
  std::vector<std::string_view> scratch;
  Row row;
  RowError error;
  for (;;) {
    PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
    if (step == RowStep::end) {
      break;
    }
    if (step == RowStep::error) {
      if (error.last && profile.rows == 0) {
        return invalidInput(error.inFile(path));
      }
      if (profile.malformed++ == 0) {
        profile.firstMalformed = error.inFile(path);
      }
      continue;
    }
    for (std::size_t i = 0; i < profile.columns.size(); ++i) {
      addCell(profile.columns[i], row.cells[i], scratch);
    }
    // Each row is in the sample with the same probability, and the sample is the same each time (Vitter's algorithm R).
    const auto place = profile.rows < static_cast<std::int64_t>(RawProfile::sampleRows)
                           ? static_cast<std::uint64_t>(profile.rows)
                           : draws() % static_cast<std::uint64_t>(profile.rows + 1);
    ++profile.rows;
    if (place < RawProfile::sampleRows) {
      profile.sample.resize(std::max(profile.sample.size(), static_cast<std::size_t>(place) + 1));
      std::vector<std::string> &kept = profile.sample[place];
      kept.clear();
      for (const Cell &cell : row.cells) {
        kept.emplace_back(cell.present ? trimmed(cell.text) : std::string_view());
      }
    }
  }
  for (std::size_t i = 0; i < profile.columns.size(); ++i) {
    for (const std::vector<std::string> &cells : profile.sample) {
      if (const std::optional<double> number = numberIn(cells[i])) {
        profile.columns[i].some.push_back(*number);
      }
    }
    std::sort(profile.columns[i].some.begin(), profile.columns[i].some.end());
  }
  return profile;
}

} // namespace penstock
