// What the NVIDIA driver shows, for people.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>
#include <string>
#include <vector>

namespace penstock::cuda {

struct Card {
  std::string name, bus; // as the driver says: "NVIDIA H200", "0000:17:00.0"
  int architecture = 0;  // 90 of compute capability 9.0
  int multiprocessors = 0;
  std::size_t total = 0, free = 0; // bytes of memory; free: what others hold is subtracted
};

struct Cards {
  std::string file, version; // of the driver: what was opened, and the CUDA that it knows, "12.4"
  std::vector<Card> cards;   // in the order of their numbers
};

/// An error says what was looked for, and why there is none.
Result<Cards> findCards();

} // namespace penstock::cuda
