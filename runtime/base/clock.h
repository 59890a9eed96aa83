// The clock that durations are taken from.
#pragma once

#include <chrono>
#include <cstdint>

namespace penstock {

/// Monotonic nanoseconds.
inline std::int64_t monotonicNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace penstock
