// Functions of one float64: a device has none but arithmetic.
#pragma once

#include "runtime/cuda/kernels/device.h"

DEVICE double bits64(u64 v) { return bitsAs<double>(v); }

/// e^x within 2 units in the last place, x <= 700; below -700: 0. Cody and Waite's reduction by n ln 2, then the series to x^13.
DEVICE double exponential64(double x) {
  if (!(x > -700.0)) {
    return x == x ? 0.0 : x;
  }
  const double magic = 0x1.8p52, shifted = x * 1.44269504088896340736 + magic, n = shifted - magic;
  const double r = __builtin_fma(n, -1.90821492927058770002e-10, __builtin_fma(n, -6.93147180369123816490e-01, x));
  double p = 1.0 / 6227020800.0;
  p = __builtin_fma(p, r, 1.0 / 479001600.0);
  p = __builtin_fma(p, r, 1.0 / 39916800.0);
  p = __builtin_fma(p, r, 1.0 / 3628800.0);
  p = __builtin_fma(p, r, 1.0 / 362880.0);
  p = __builtin_fma(p, r, 1.0 / 40320.0);
  p = __builtin_fma(p, r, 1.0 / 5040.0);
  p = __builtin_fma(p, r, 1.0 / 720.0);
  p = __builtin_fma(p, r, 1.0 / 120.0);
  p = __builtin_fma(p, r, 1.0 / 24.0);
  p = __builtin_fma(p, r, 1.0 / 6.0);
  p = __builtin_fma(p, r, 0.5);
  p = __builtin_fma(p, r, 1.0);
  p = __builtin_fma(p, r, 1.0);
  return p * bits64((bitsAs<u64>(shifted) + 1023) << 52);
}

/// 1 / d for d in [1 + sqrt(1/2), 1 + sqrt(2)], nearly rounded, by Newton's steps from a line that is 1.5 % off: a device divides in a
/// function of its own, for which registers are spilled.
DEVICE double reciprocalNear2(double d) {
  double r = __builtin_fma(d, -0.23902, 0.98507);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    r = __builtin_fma(__builtin_fma(-d, r, 1.0), r, r);
  }
  return r;
}

/// Natural logarithm of a normal positive number within 2 units in the last place: 2 artanh((m - 1) / (m + 1)), m in [sqrt(1/2), sqrt(2)).
DEVICE double logarithm64(double x) {
  const u64 word = bitsAs<u64>(x), offset = word - 0x3FE6A09E667F3BCDul;
  const i64 exponent = (i64)offset >> 52;
  const double m = bits64(word - ((u64)exponent << 52)), e = (double)exponent;
  const double d = m + 1.0, r = reciprocalNear2(d), near = (m - 1.0) * r;
  const double s = __builtin_fma(__builtin_fma(-near, d, m - 1.0), r, near), t = s * s;
  double p = 1.0 / 23.0;
  p = __builtin_fma(p, t, 1.0 / 21.0);
  p = __builtin_fma(p, t, 1.0 / 19.0);
  p = __builtin_fma(p, t, 1.0 / 17.0);
  p = __builtin_fma(p, t, 1.0 / 15.0);
  p = __builtin_fma(p, t, 1.0 / 13.0);
  p = __builtin_fma(p, t, 1.0 / 11.0);
  p = __builtin_fma(p, t, 1.0 / 9.0);
  p = __builtin_fma(p, t, 1.0 / 7.0);
  p = __builtin_fma(p, t, 1.0 / 5.0);
  p = __builtin_fma(p, t, 1.0 / 3.0);
  return __builtin_fma(e, 6.93147180369123816490e-01, __builtin_fma(e, 1.90821492927058770002e-10, 2.0 * __builtin_fma(p * t, s, s)));
}
