// Functions of one number, in the CPU's order of operations (runtime/kernels/packed/vector.h), so with its bits.
#pragma once

#include "runtime/cuda/kernels/device.h"

/// e^x within 1.02 units in the last place for -87.33 <= x <= 88; below: as at -87.33; above: not to be used.
DEVICE float exponential(float x) {
  x = larger(-87.33f, x);
  float n = multiplyAdd(x, 1.44269504088896341f, 12582912.0f); // rounds to a whole number in the low bits
  float p = n - 12582912.0f;
  x = multiplyAdd(p, -0.693145751953125f, x);
  x = multiplyAdd(p, -1.42860682030941723e-6f, x);
  p = multiplyAdd(1.381454e-3f, x, 8.368745e-3f);
  p = multiplyAdd(p, x, 4.166839e-2f);
  p = multiplyAdd(p, x, 1.6666521e-1f);
  p = multiplyAdd(p, x, 4.9999994e-1f);
  p = p * x;
  p = multiplyAdd(p, x, x);
  n = bitsAs<float>((bitsAs<u32>(n) << 23) + 0x3F800000u);
  return (p + 1.0f) * n;
}

/// Natural logarithm of a normal positive number.
DEVICE float logarithm(float x) {
  const i32 word = bitsAs<i32>(x), offset = word - 0x3F3504F3, exponent = offset >> 23;
  const float m = bitsAs<float>((u32)word - ((u32)exponent << 23)) - 1.0f, e = (float)exponent;
  float p = 7.0376836292e-2f;
  p = multiplyAdd(p, m, -1.1514610310e-1f);
  p = multiplyAdd(p, m, 1.1676998740e-1f);
  p = multiplyAdd(p, m, -1.2420140846e-1f);
  p = multiplyAdd(p, m, 1.4249322787e-1f);
  p = multiplyAdd(p, m, -1.6668057665e-1f);
  p = multiplyAdd(p, m, 2.0000714765e-1f);
  p = multiplyAdd(p, m, -2.4999993993e-1f);
  p = multiplyAdd(p, m, 3.3333331174e-1f);
  const float square = m * m;
  float y = p * m * square;
  y = multiplyAdd(e, -2.12194440e-4f, y);
  y = multiplyAdd(square, -0.5f, y);
  return multiplyAdd(e, 0.693359375f, m + y);
}

/// To the nearest bf16, ties to even.
DEVICE float roundedToBf16(float x) { return bf16Low(packBf16(x, 0.0f)); }
