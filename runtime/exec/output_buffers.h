// Memory for what the entries of a program give.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"

#include <cstddef>
#include <string>
#include <vector>

namespace penstock {

/// The outputs of one call in the host's memory, valid when its ticket is done. They live as long as the call is in flight.
class OutputBuffers {
public:
  /// Room for the outputs of a call with this batch, of the host's memory. Addresses hold until the next call.
  Status prepare(const PenstockEntry &entry, const PenstockBatch &batch, Memory &from);
  const float *values(int output) const {
    return reinterpret_cast<const float *>(memory.chars() + places[static_cast<std::size_t>(output)]);
  }

private:
  friend class Session;
  DeviceMemory memory;
  std::vector<std::size_t> places; // of each output, in bytes
  std::vector<void *> pointers;
  std::size_t bytes = 0;
};

/// The output of an entry that holds an answer: named like it, or like it and a dot and more; -1 where there is none.
int answerOutput(const PenstockEntry &entry, const std::string &answer);

} // namespace penstock
