// Large memory, 64-byte aligned, on huge pages where the system has them.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>

namespace penstock {

class Buffer {
public:
  Buffer() = default;
  ~Buffer() { release(); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  Buffer(Buffer &&other) noexcept : memory(other.memory), bytes(other.bytes) {
    other.memory = nullptr;
    other.bytes = 0;
  }
  Buffer &operator=(Buffer &&other) noexcept {
    if (this != &other) {
      release();
      memory = other.memory;
      bytes = other.bytes;
      other.memory = nullptr;
      other.bytes = 0;
    }
    return *this;
  }

  /// At least one byte, which nobody may read before it is written; what is never used costs address space alone. `what` names the
  /// memory in the error.
  static Result<Buffer> allocate(std::size_t size, const char *what) { return map(size, what, false); }
  /// The same, all zeros: pages that nobody has touched.
  static Result<Buffer> zeros(std::size_t size, const char *what) { return map(size, what, true); }

  void *data() const { return memory; }
  float *floats() const { return static_cast<float *>(memory); }
  std::size_t size() const { return bytes; }

private:
  static Result<Buffer> map(std::size_t size, const char *what, bool zeros);
  void release();
  void *memory = nullptr;
  std::size_t bytes = 0;
};

} // namespace penstock
