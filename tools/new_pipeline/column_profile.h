// What the columns of a raw file hold, told by all of their cells.
#pragma once

#include "tools/new_pipeline/raw_form.h"

#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

namespace penstock {

struct ColumnProfile {
  std::string name;                       // in the file
  std::int64_t missing = 0;               // cells that are empty or not there
  std::int64_t numbers = 0, integers = 0; // cells that say one
  std::int64_t lists = 0;                 // cells that hold a list
  std::int64_t spaced = 0, wide = 0;      // cells of several words; with Han, kana, Hangul or Thai, which has no blanks
  std::int64_t padded = 0;                // cells with blanks at an end
  double words = 0, characters = 0;       // in all cells
  double least = std::numeric_limits<double>::infinity(), greatest = -std::numeric_limits<double>::infinity();
  std::unordered_map<std::string, std::int64_t> values; // and their records; of `distinctLimit` values at most
  bool many = false;                                    // there are more
  std::vector<double> some;                             // numbers of the sample
  std::string example;                                  // of its first cells that are not missing the longest that is short enough

  static constexpr std::size_t distinctLimit = 100000;
  std::int64_t distinct() const { return static_cast<std::int64_t>(values.size()); }
};

struct RawProfile {
  std::int64_t rows = 0, malformed = 0;
  std::string firstMalformed;                   // a sentence, where there is one
  std::vector<ColumnProfile> columns;           // in the order of the form's names
  std::vector<std::vector<std::string>> sample; // rows, each the cells of all columns; drawn with a fixed seed
  static constexpr std::size_t sampleRows = 20000;
};

/// Cells that people write where they know nothing: "", "NA", "?", ...
bool meansMissing(std::string_view cell);

/// Reads the whole file.
Result<RawProfile> profileOf(const std::string &path, const RawForm &form);

} // namespace penstock
