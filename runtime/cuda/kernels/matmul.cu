// Matmul and weight gradient in float32. A sum is the CPU's chain (tile_product.h), so its bits are the CPU's.
#include "runtime/cuda/kernels/contractions.h"
#include "runtime/cuda/kernels/tile_product.h"

template <int TM, int TN> DEVICE void matmulTile(const MatmulArguments &of, float *shared) {
  const i64 rows = countOf(of.rows, of.count);
  const i64 row0 = (i64)blockX() * TM, column0 = (i64)blockY() * TN;
  if (row0 >= rows) {
    return;
  }
  float sums[TM / 16][TN / 16];
#pragma unroll
  for (int i = 0; i < TM / 16; ++i) {
    const i64 row = row0 + tileRow(i);
#pragma unroll
    for (int j = 0; j < TN / 16; ++j) {
      const i64 column = column0 + tileColumn(j);
      const bool inside = row < rows && column < of.n;
      sums[i][j] = inside && of.accumulate != 0 ? of.y[row * of.ldy + column] : 0.0f;
      if (of.bias != nullptr && inside) {
        sums[i][j] += of.bias[column];
      }
    }
  }
  const AlongDepth x = {of.x + row0 * of.ldx, of.ldx, rows - row0, of.k, of.wholeX != 0};
  if (of.transposed != 0) {
    const AlongDepth w = {of.w + column0 * of.ldw, of.ldw, of.n - column0, of.k, of.wholeW != 0};
    tileProduct<TM, TN>(sums, x, w, of.k, shared);
  } else {
    const AcrossDepth w = {of.w + column0, of.ldw, of.n - column0, of.k, of.wholeW != 0};
    tileProduct<TM, TN>(sums, x, w, of.k, shared);
  }
#pragma unroll
  for (int i = 0; i < TM / 16; ++i) {
    const i64 row = row0 + tileRow(i);
#pragma unroll
    for (int j = 0; j < TN / 16; ++j) {
      const i64 column = column0 + tileColumn(j);
      if (row < rows && column < of.n) {
        of.y[row * of.ldy + column] = sums[i][j];
      }
    }
  }
}

KERNEL(256, matmul_large, (MatmulArguments of)) {
  DYNAMIC_SHARED(shared);
  matmulTile<128, 128>(of, (float *)shared);
}
KERNEL(256, matmul_small, (MatmulArguments of)) {
  DYNAMIC_SHARED(shared);
  matmulTile<64, 64>(of, (float *)shared);
}

/// A block a tile of dw, over all rows in order.
template <int T> DEVICE void gradientTile(const WeightGradientArguments &of, float *shared) {
  const i64 rows = countOf(of.rows, of.count), input0 = (i64)blockX() * T, output0 = (i64)blockY() * T;
  float sums[T / 16][T / 16];
#pragma unroll
  for (int i = 0; i < T / 16; ++i) {
#pragma unroll
    for (int j = 0; j < T / 16; ++j) {
      sums[i][j] = 0;
    }
  }
  const AcrossDepth x = {of.x + input0, of.ldx, of.k - input0, rows, of.wholeX != 0};
  const AcrossDepth dy = {of.dy + output0, of.lddy, of.n - output0, rows, of.wholeDy != 0};
  tileProduct<T, T>(sums, x, dy, rows, shared);
#pragma unroll
  for (int i = 0; i < T / 16; ++i) {
#pragma unroll
    for (int j = 0; j < T / 16; ++j) {
      const i64 input = input0 + tileRow(i), output = output0 + tileColumn(j);
      if (input < of.k && output < of.n) {
        of.dw[input * of.n + output] = sums[i][j];
      }
    }
  }
}
KERNEL(256, weight_gradient_large, (WeightGradientArguments of)) {
  DYNAMIC_SHARED(shared);
  gradientTile<128>(of, (float *)shared);
}
KERNEL(256, weight_gradient_small, (WeightGradientArguments of)) {
  DYNAMIC_SHARED(shared);
  gradientTile<64>(of, (float *)shared);
}
