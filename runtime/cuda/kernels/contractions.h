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
  int evenY;          // two of y at multiples of 8 bytes
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

/// A weight to be rounded to bf16 and laid out for matmul_bf16: to[n][depthOf(k)], rows of depth, zeros behind k. Element (d, j) as above.
struct PackJob {
  const float *w;
  unsigned *to; // pairs of bf16
  int ldw, k, n;
  int block; // the first of its blocks; those of a job: packBlocks
  int transposed;
};
/// What a launch takes: at most 4096 bytes of arguments.
struct PackJobs {
  static constexpr int most = 96;
  int count;
  PackJob jobs[most];
};

/// Of a packed weight: depth is a multiple of this, a block of packing takes a square of it.
constexpr long packedDepth = 64;
constexpr long packedDepthOf(long k) { return (k + packedDepth - 1) / packedDepth * packedDepth; }
constexpr long packBlocks(long k, long n) { return (packedDepthOf(k) / packedDepth) * ((n + packedDepth - 1) / packedDepth); }
