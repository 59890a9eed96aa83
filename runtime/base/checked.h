// Checked integers: every size that depends on input is computed through Checked, so that an
// overflow becomes an error instead of a small allocation.
#pragma once

#include "runtime/base/status.h"

#include <concepts>
#include <cstdint>
#include <limits>

namespace penstock {

/// A 64-bit signed number that remembers whether any step of its computation overflowed.
class Checked {
public:
  constexpr Checked() = default;
  template <std::integral T> constexpr Checked(T value) {
    if constexpr (std::unsigned_integral<T> && sizeof(T) >= sizeof(std::int64_t)) {
      if (value > static_cast<T>(std::numeric_limits<std::int64_t>::max())) {
        overflowed = true;
        return;
      }
    }
    number = static_cast<std::int64_t>(value);
  }

  friend constexpr Checked operator+(Checked a, Checked b) {
    Checked r;
    r.overflowed = __builtin_add_overflow(a.number, b.number, &r.number) || a.overflowed || b.overflowed;
    return r;
  }
  friend constexpr Checked operator-(Checked a, Checked b) {
    Checked r;
    r.overflowed = __builtin_sub_overflow(a.number, b.number, &r.number) || a.overflowed || b.overflowed;
    return r;
  }
  friend constexpr Checked operator*(Checked a, Checked b) {
    Checked r;
    r.overflowed = __builtin_mul_overflow(a.number, b.number, &r.number) || a.overflowed || b.overflowed;
    return r;
  }
  Checked &operator+=(Checked other) { return *this = *this + other; }
  Checked &operator*=(Checked other) { return *this = *this * other; }

  constexpr bool ok() const { return !overflowed; }

  /// The number, or an error that names `what` when a step overflowed.
  Result<std::int64_t> get(const char *what) const {
    if (overflowed) {
      return invalidInput(std::string(what) + " is too large to compute");
    }
    return number;
  }
  /// The number as a non-negative size, or an error that names `what`.
  Result<std::size_t> size(const char *what) const {
    if (overflowed || number < 0) {
      return invalidInput(std::string(what) + " is not a usable size");
    }
    return static_cast<std::size_t>(number);
  }

private:
  std::int64_t number = 0;
  bool overflowed = false;
};

} // namespace penstock
