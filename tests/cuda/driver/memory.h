// The card's memory: addresses of their own, which the host cannot touch while no work runs, each allocation at the end of its pages with
// pages behind it that nobody may touch. Addresses are never given twice.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::fake {

/// Multiples of 256, as the driver gives them; null where the card has no more. All its bytes are 0xFF at first (of a very large one, the
/// first ones), which is no number.
void *allocateDevice(std::size_t bytes);
bool freeDevice(void *memory);
/// Whether the bytes lie in one allocation.
bool onDevice(const void *from, std::size_t bytes);
std::int64_t freeBytes();

/// Lets what runs touch the memory, while it lives.
class OpenMemory {
public:
  OpenMemory();
  ~OpenMemory();
};

/// From now on a fault at the card's memory is told in words.
void explainFaults();

} // namespace penstock::fake
