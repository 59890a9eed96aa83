// Matmul and weight gradient with operands rounded to bf16, by the tensor cores. A sum is a chain of mma over the depth in ascending order,
// begun from what is added to; the tile's size says who computes a link, never which.
#include "runtime/cuda/kernels/bf16_tiles.h"
#include "runtime/cuda/kernels/contractions.h"

/// Sums of a warp: 16 I rows, 8 J columns. Of fragment (i, j) element e lies in row 16 i + lane / 4 + e / 2 * 8, column 8 j + lane % 4 * 2
/// + e % 2.
template <int I, int J> struct WarpSums {
  float of[I][J][4];
};
DEVICE int sumRow(int i, int e) { return 16 * i + laneX() / 4 + e / 2 * 8; }
DEVICE int sumColumn(int j, int e) { return 8 * j + laneX() % 4 * 2 + e % 2; }

template <int I, int J> DEVICE void multiplyFragments(WarpSums<I, J> &sums, const u32 (&a)[I][4], const u32 (&b)[J / 2][4]) {
#pragma unroll
  for (int i = 0; i < I; ++i) {
#pragma unroll
    for (int j = 0; j < J; ++j) {
      mma(sums.of[i][j], a[i], b[j / 2] + j % 2 * 2);
    }
  }
}

/// A tile of TM rows and TN columns by DOWN x RIGHT warps; DEPTH at a time, two stages: x by registers, where it is rounded, the packed
/// weight by copies that go on by themselves.
template <int TM, int TN, int DEPTH, int DOWN, int RIGHT> DEVICE void matmulTile(const MatmulArguments &of, unsigned char *shared) {
  constexpr int threads = 32 * DOWN * RIGHT, I = TM / DOWN / 16, J = TN / RIGHT / 8, tileX = TM * DEPTH * 2, stage = tileX + TN * DEPTH * 2,
                chunks = DEPTH / 8;
  const i64 rows = countOf(of.rows, of.count), row0 = (i64)blockX() * TM, column0 = (i64)blockY() * TN;
  if (row0 >= rows) {
    return;
  }
  const i64 packed = packedDepthOf(of.k);
  const u32 *w = (const u32 *)of.w + column0 * packed / 2;
  const float *x = of.x + row0 * of.ldx;
  const int warpRow = warpX() / RIGHT * (TM / DOWN), warpColumn = warpX() % RIGHT * (TN / RIGHT);
  WarpSums<I, J> sums;
#pragma unroll
  for (int i = 0; i < I; ++i) {
#pragma unroll
    for (int j = 0; j < J; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const i64 row = row0 + warpRow + sumRow(i, e), column = column0 + warpColumn + sumColumn(j, e);
        const bool inside = row < rows && column < of.n;
        sums.of[i][j][e] = inside && of.accumulate != 0 ? of.y[row * of.ldy + column] : 0.0f;
        if (of.bias != nullptr && inside) {
          sums.of[i][j][e] += of.bias[column];
        }
      }
    }
  }
  HeldTile<TM, DEPTH, threads> held;
  const auto fetch = [&](i64 d, unsigned char *to) {
    fetchHeld(held, x + d, of.ldx, rows - row0, of.k - d, of.wholeX != 0);
#pragma unroll
    for (int s = 0; s < TN * chunks / threads; ++s) {
      const int i = threadX() + threads * s, column = i / chunks, chunk = i % chunks;
      const bool inside = column0 + column < of.n;
      copyAsync(chunkOf<DEPTH>(to + tileX, column, chunk), w + ((inside ? column : 0) * packed + d + chunk * 8) / 2, inside);
    }
    commitCopies();
  };
  int now = 0;
  if (of.k > 0) {
    fetch(0, shared);
  }
  for (i64 d = 0; d < of.k; d += DEPTH, now ^= 1) {
    unsigned char *tile = shared + now * stage;
    storeHeld(tile, held);
    waitCopies<0>();
    syncBlock(); // and the other stage, which the next copies go to, is no longer read
    if (d + DEPTH < of.k) {
      fetch(d + DEPTH, shared + (now ^ 1) * stage);
    }
#pragma unroll
    for (int step = 0; step < DEPTH / 16; ++step) {
      u32 a[I][4], b[J / 2][4];
#pragma unroll
      for (int i = 0; i < I; ++i) {
        fragmentA<DEPTH>(a[i], tile, warpRow + 16 * i, 2 * step);
      }
#pragma unroll
      for (int j = 0; j < J / 2; ++j) {
        fragmentB<DEPTH>(b[j], tile + tileX, warpColumn + 16 * j, 2 * step);
      }
      multiplyFragments(sums, a, b);
    }
  }
#pragma unroll
  for (int i = 0; i < I; ++i) {
#pragma unroll
    for (int j = 0; j < J; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const i64 row = row0 + warpRow + sumRow(i, 2 * half), column = column0 + warpColumn + sumColumn(j, 0);
        const float *from = sums.of[i][j] + 2 * half;
        float *to = of.y + row * of.ldy + column;
        if (row < rows && column + 1 < of.n && of.evenY != 0) {
          *(F2 *)to = {from[0], from[1]};
        } else if (row < rows && column < of.n) {
          to[0] = from[0];
          if (column + 1 < of.n) {
            to[1] = from[1];
          }
        }
      }
    }
  }
}

KERNEL(256, matmul_bf16_large, (MatmulArguments of)) {
  DYNAMIC_SHARED(shared);
  matmulTile<128, 128, 32, 2, 4>(of, shared);
}
KERNEL(256, matmul_bf16_small, (MatmulArguments of)) {
  DYNAMIC_SHARED(shared);
  matmulTile<64, 64, 64, 2, 4>(of, shared);
}
KERNEL(128, matmul_bf16_tiny, (MatmulArguments of)) {
  DYNAMIC_SHARED(shared);
  matmulTile<32, 32, 64, 2, 2>(of, shared);
}

/// A block a tile of dw of T x T, over all rows in order, ROWS of them at a time.
template <int T, int ROWS, int DOWN, int RIGHT> DEVICE void gradientTile(const WeightGradientArguments &of, unsigned char *shared) {
  constexpr int threads = 32 * DOWN * RIGHT, I = T / DOWN / 16, J = T / RIGHT / 8, tileX = ROWS * T * 2, stage = 2 * tileX;
  const i64 rows = countOf(of.rows, of.count), input0 = (i64)blockX() * T, output0 = (i64)blockY() * T;
  const float *x = of.x + input0, *dy = of.dy + output0;
  const int warpRow = warpX() / RIGHT * (T / DOWN), warpColumn = warpX() % RIGHT * (T / RIGHT);
  WarpSums<I, J> sums;
#pragma unroll
  for (int i = 0; i < I; ++i) {
#pragma unroll
    for (int j = 0; j < J; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        sums.of[i][j][e] = 0;
      }
    }
  }
  HeldTile<ROWS, T, threads> heldX, heldDy;
  fetchHeld(heldX, x, of.ldx, rows, of.k - input0, of.wholeX != 0);
  fetchHeld(heldDy, dy, of.lddy, rows, of.n - output0, of.wholeDy != 0);
  int now = 0;
  for (i64 row = 0; row < rows; row += ROWS, now ^= 1) {
    unsigned char *tile = shared + now * stage;
    storeHeld(tile, heldX);
    storeHeld(tile + tileX, heldDy);
    syncBlock();
    if (row + ROWS < rows) {
      fetchHeld(heldX, x + (row + ROWS) * of.ldx, of.ldx, rows - row - ROWS, of.k - input0, of.wholeX != 0);
      fetchHeld(heldDy, dy + (row + ROWS) * of.lddy, of.lddy, rows - row - ROWS, of.n - output0, of.wholeDy != 0);
    }
#pragma unroll
    for (int step = 0; step < ROWS / 16; ++step) {
      u32 a[I][4], b[J / 2][4];
#pragma unroll
      for (int i = 0; i < I; ++i) {
        fragmentAOfColumns<T>(a[i], tile, 16 * step, warpRow / 8 + 2 * i);
      }
#pragma unroll
      for (int j = 0; j < J / 2; ++j) {
        fragmentBOfRows<T>(b[j], tile + tileX, 16 * step, warpColumn / 8 + 2 * j);
      }
      multiplyFragments(sums, a, b);
    }
  }
#pragma unroll
  for (int i = 0; i < I; ++i) {
#pragma unroll
    for (int j = 0; j < J; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const i64 input = input0 + warpRow + sumRow(i, e), output = output0 + warpColumn + sumColumn(j, e);
        if (input < of.k && output < of.n) {
          of.dw[input * of.n + output] = sums.of[i][j][e];
        }
      }
    }
  }
}

KERNEL(256, weight_gradient_bf16_large, (WeightGradientArguments of)) {
  DYNAMIC_SHARED(shared);
  gradientTile<128, 32, 2, 4>(of, shared);
}
KERNEL(256, weight_gradient_bf16_small, (WeightGradientArguments of)) {
  DYNAMIC_SHARED(shared);
  gradientTile<64, 64, 2, 4>(of, shared);
}
KERNEL(128, weight_gradient_bf16_tiny, (WeightGradientArguments of)) {
  DYNAMIC_SHARED(shared);
  gradientTile<32, 64, 2, 2>(of, shared);
}

/// A block a square of 64 x 64 of one of many weights.
KERNEL(256, pack_bf16, (PackJobs all)) {
  SHARED(float, tile, 64 * 65);
  int number = 0;
  while (number + 1 < all.count && all.jobs[number + 1].block <= blockX()) {
    ++number;
  }
  const PackJob &of = all.jobs[number];
  const i64 depth = packedDepthOf(of.k), squares = depth / packedDepth, square = blockX() - of.block;
  const i64 d0 = square % squares * packedDepth, j0 = square / squares * packedDepth;
  for (int i = threadX(); i < 64 * 64; i += 256) {
    // Neighbours in memory are neighbours in the warp.
    const int d = of.transposed != 0 ? i % 64 : i / 64, j = of.transposed != 0 ? i / 64 : i % 64;
    const bool inside = d0 + d < of.k && j0 + j < of.n;
    const i64 at = of.transposed != 0 ? (j0 + j) * of.ldw + d0 + d : (d0 + d) * of.ldw + j0 + j;
    tile[j * 65 + d] = inside ? of.w[at] : 0.0f;
  }
  syncBlock();
  for (int i = threadX(); i < 64 * 32; i += 256) {
    const int j = i / 32, pair = i % 32;
    if (j0 + j < of.n) {
      of.to[((j0 + j) * depth + d0) / 2 + pair] = packBf16(tile[j * 65 + 2 * pair], tile[j * 65 + 2 * pair + 1]);
    }
  }
}
