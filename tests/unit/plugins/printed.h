// Answers as `predict` prints them.
#pragma once

#include "runtime/exec/printers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace penstock {

/// The object of one record, without its number.
inline std::string printed(const Schema &schema, const std::vector<Column> &columns, std::int64_t index) {
  std::string line;
  RecordReader::Part part;
  part.records.assign(static_cast<std::size_t>(index) + 1, 1);
  const Status done = jsonPrinter({{"answer", &schema, &columns}})->record(part, index, line);
  EXPECT_TRUE(done.ok()) << done.message();
  const std::string before = "{\"row\": 1";
  line = line.substr(before.size());
  return "{" + (line.starts_with(", ") ? line.substr(2) : line);
}

} // namespace penstock
