#include "runtime/plugin/lent.h"

#include <cstring>
#include <new>

namespace penstock {

Status Lent::make() {
  static thread_local std::vector<unsigned char> memory;
  constexpr std::size_t alignment = 64;
  std::size_t bytes = alignment;
  for (Part &part : parts) {
    part.at = bytes;
    bytes += (part.bytes + alignment - 1) / alignment * alignment;
  }
  try {
    if (memory.size() < bytes) {
      memory.resize(bytes);
    }
  } catch (const std::bad_alloc &) {
    return environmentError("there is not enough memory for a copy of what a plugin is given");
  }
  copies = memory.data();
  for (const Part &part : parts) {
    std::memcpy(memory.data() + part.at, part.original, part.bytes);
    *part.pointer = memory.data() + part.at;
  }
  return {};
}

bool Lent::intact() const {
  for (const Part &part : parts) {
    if (std::memcmp(copies + part.at, part.original, part.bytes) != 0) {
      return false;
    }
  }
  return true;
}

} // namespace penstock
