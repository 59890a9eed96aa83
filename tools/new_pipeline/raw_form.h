// What form a file has, told by its content.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/readable.h"
#include "runtime/data/rows.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

struct RawForm {
  RowFormat format = RowFormat::csv; // csv, jsonl or conll
  CsvOptions csv;
  Encoding encoding = Encoding::utf8;
  bool packed = false;            // by gzip or zstd
  std::vector<std::string> names; // of the columns, in the order of the file; of JSON Lines those of its first records
};

/// The number that a cell says, as columns of numbers read it.
std::optional<double> numberIn(std::string_view cell);

/// Reads the beginning of a file. What is no text, and text that has no columns, is an invalid input that says what to do.
Result<RawForm> formOf(const std::string &path);

/// The rows of a file of that form, all columns selected.
Result<std::unique_ptr<RowSource>> openRaw(const std::string &path, const RawForm &form);

} // namespace penstock
