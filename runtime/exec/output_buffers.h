// Memory for what the entries of a program give.
#pragma once

#include "runtime/abi/program_abi.h"

#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

/// Memory for the outputs of one entry.
class OutputBuffers {
public:
  /// Room for batches of up to `records`, without the outputs that have a row a token.
  void prepare(const PenstockEntry &entry, std::int64_t records);
  /// Room for this batch. Addresses hold until the next call.
  void prepare(const PenstockEntry &entry, const PenstockBatch &batch);
  void *const *addresses() const { return pointers.data(); }
  const float *values(int output) const { return static_cast<const float *>(pointers[static_cast<std::size_t>(output)]); }

private:
  void room(std::size_t output, const PenstockValueType &type, std::int64_t rows);
  std::vector<std::vector<float>> memory;
  std::vector<void *> pointers;
};

/// The output of an entry that holds an answer: named like it, or like it and a dot and more; -1 where there is none.
int answerOutput(const PenstockEntry &entry, const std::string &answer);

} // namespace penstock
