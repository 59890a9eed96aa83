// What a training takes of a card's memory, known before it begins.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"

#include <cstdint>

namespace penstock::cuda {

/// Bytes.
struct MemoryNeeds {
  std::int64_t parameters = 0, states = 0; // states: of the optimizer, and fitted values
  std::int64_t gradients = 0;              // sums over parts of a step, and what rows are owed
  std::int64_t packed = 0;                 // weights in the form in which kernels read them
  std::int64_t working = 0;                // of a step
  std::int64_t all() const { return parameters + states + gradients + packed + working; }
};

/// Of a program for a card, whose batches have so many records and, on each axis, rows. Needs no card. An error where a sum is no number.
Result<MemoryNeeds> memoryOfTraining(const PenstockProgram &program, std::int64_t records, std::int64_t rows);

} // namespace penstock::cuda
