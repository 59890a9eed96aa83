// What a plugin is given that others read too: a copy, so that a plugin that writes into it harms nobody else, and is found.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>
#include <vector>

namespace penstock {

/// Lists pointers with `lend`, points them to copies with `make`, and says afterwards whether the copies are still what they were.
/// The memory of the copies is the thread's and is used again by the next call. A copy costs less than a read-only mapping, which
/// takes two calls of the system a batch, and turns the mistake into an error instead of a signal.
class Lent {
public:
  template <typename T> void lend(const T *&pointer, std::size_t count) {
    if (pointer != nullptr && count > 0) {
      parts.push_back({reinterpret_cast<const void **>(&pointer), pointer, count * sizeof(T), 0});
    }
  }
  void lendBytes(const void *&pointer, std::size_t bytes) {
    if (pointer != nullptr && bytes > 0) {
      parts.push_back({&pointer, pointer, bytes, 0});
    }
  }
  template <typename T> void lendBytes(const T *&pointer, std::size_t bytes) { lend(pointer, bytes / sizeof(T)); }
  /// Environment where there is not enough memory; the pointers stay then.
  Status make();
  bool intact() const;

private:
  struct Part {
    const void **pointer;
    const void *original;
    std::size_t bytes, at;
  };
  std::vector<Part> parts;
  const unsigned char *copies = nullptr;
};

} // namespace penstock
