// What the kernels of contractions get: written by their launchers, read on the device. Plain C++ for both.
#pragma once

/// y[rows x n] = x . W (+ bias) (+ y). Element (d, j) of W is w[d * ldw + j], or w[j * ldw + d] where `transposed`.
struct MatmulArguments {
  const float *x, *w, *bias; // bias: NULL where there is none
  float *y;
  long ldx, ldw, ldy;
  const long *count; // NULL: `rows`
  long rows, k, n;
  int transposed, accumulate;
  int wholeX, wholeW; // four neighbours lie at multiples of 16 bytes
};

/// dw[k x n] = x[rows x k]^T . dy[rows x n].
struct WeightGradientArguments {
  const float *x, *dy;
  float *dw;
  long ldx, lddy;
  const long *count;
  long rows, k, n;
  int wholeX, wholeDy;
};
