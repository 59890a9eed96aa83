// Tiles of products in float32: a block of 256 threads computes TM x TN sums over a depth, each one chain of fused multiply-adds over the
// depth in ascending order, as on the CPU (runtime/kernels/packed/matmul.h). The tile's size says who computes a link, never which order.
//
// An operand is a struct with
//   static constexpr bool across;                      four neighbours lie along the tile's side (true) or along the depth (false)
//   F4 loadFour(const Operand &, int at, i64 depth);   a function beside it: those four; zeros where there is nothing
#pragma once

#include "runtime/cuda/kernels/device.h"

constexpr int tileThreads = 256, tileDepth = 16;

/// Floats of shared memory.
template <int TM, int TN> constexpr int tileProductFloats = 2 * tileDepth * (TM + 4 + TN + 4);

/// Row and column in the tile of a thread's sum i, j.
DEVICE int tileRow(int i) { return i / 4 * 64 + threadX() / 16 * 4 + i % 4; }
DEVICE int tileColumn(int j) { return j / 4 * 64 + threadX() % 16 * 4 + j % 4; }

template <int T, class Operand> DEVICE void fetchTile(F4 (&held)[T / 64], const Operand &operand, i64 depth) {
#pragma unroll
  for (int s = 0; s < T / 64; ++s) {
    const int i = threadX() + tileThreads * s;
    if constexpr (Operand::across) {
      held[s] = loadFour(operand, i % (T / 4) * 4, depth + i / (T / 4));
    } else {
      held[s] = loadFour(operand, i / 4, depth + i % 4 * 4);
    }
  }
}

/// The tile is tileDepth rows of T numbers, T + 4 apart.
template <int T, bool across> DEVICE void storeTile(float *tile, const F4 (&held)[T / 64]) {
#pragma unroll
  for (int s = 0; s < T / 64; ++s) {
    const int i = threadX() + tileThreads * s;
    if constexpr (across) {
      *(F4 *)(tile + i / (T / 4) * (T + 4) + i % (T / 4) * 4) = held[s];
    } else {
      float *to = tile + i % 4 * 4 * (T + 4) + i / 4;
      to[0] = held[s].x;
      to[T + 4] = held[s].y;
      to[2 * (T + 4)] = held[s].z;
      to[3 * (T + 4)] = held[s].w;
    }
  }
}

template <int T> DEVICE void readTile(float (&to)[T / 16], const float *row, int at) {
#pragma unroll
  for (int s = 0; s < T / 64; ++s) {
    const F4 v = *(const F4 *)(row + 64 * s + at);
    to[4 * s] = v.x;
    to[4 * s + 1] = v.y;
    to[4 * s + 2] = v.z;
    to[4 * s + 3] = v.w;
  }
}

/// sums += a . b over [0, depth). All threads of the block; `shared` may be used again after a barrier.
template <int TM, int TN, class A, class B>
DEVICE void tileProduct(float (&sums)[TM / 16][TN / 16], const A &a, const B &b, i64 depth, float *shared) {
  constexpr int left = tileDepth * (TM + 4), stage = left + tileDepth * (TN + 4);
  F4 heldA[TM / 64], heldB[TN / 64];
  fetchTile<TM>(heldA, a, 0);
  fetchTile<TN>(heldB, b, 0);
  int now = 0;
  for (i64 d = 0; d < depth; d += tileDepth, now ^= 1) {
    float *tileA = shared + now * stage, *tileB = tileA + left;
    storeTile<TM, A::across>(tileA, heldA);
    storeTile<TN, B::across>(tileB, heldB);
    syncBlock(); // the other stage is still read by those who come here last; this one was read before the barrier before
    if (d + tileDepth < depth) {
      fetchTile<TM>(heldA, a, d + tileDepth);
      fetchTile<TN>(heldB, b, d + tileDepth);
    }
#pragma unroll
    for (int step = 0; step < tileDepth; ++step) {
      float x[TM / 16], y[TN / 16];
      readTile<TM>(x, tileA + step * (TM + 4), threadX() / 16 * 4);
      readTile<TN>(y, tileB + step * (TN + 4), threadX() % 16 * 4);
#pragma unroll
      for (int i = 0; i < TM / 16; ++i) {
#pragma unroll
        for (int j = 0; j < TN / 16; ++j) {
          sums[i][j] = multiplyAdd(x[i], y[j], sums[i][j]);
        }
      }
    }
  }
}

DEVICE F4 fourZeros() { return {0, 0, 0, 0}; }
/// The first `count` of four; the rest zeros.
DEVICE F4 someOf(const float *from, i64 count) {
  return {count > 0 ? from[0] : 0.0f, count > 1 ? from[1] : 0.0f, count > 2 ? from[2] : 0.0f, count > 3 ? from[3] : 0.0f};
}
/// Four numbers. `whole`: their address is a multiple of 16.
DEVICE F4 fourOf(const float *from, bool whole) {
  if (whole) {
    return *(const F4 *)from;
  }
  return {from[0], from[1], from[2], from[3]};
}

/// A matrix whose rows are the tile's side: element (row, depth) at from[row * ld + depth].
struct AlongDepth {
  static constexpr bool across = false;
  const float *from; // the tile's first row
  i64 ld, rows, depth;
  bool whole; // `from` and `ld` are multiples of four floats
};
DEVICE F4 loadFour(const AlongDepth &of, int at, i64 d) {
  if (at >= of.rows || d >= of.depth) {
    return fourZeros();
  }
  const float *here = of.from + at * of.ld + d;
  return d + 4 <= of.depth ? fourOf(here, of.whole) : someOf(here, of.depth - d);
}

/// A matrix whose rows are the depth: element (depth, column) at from[depth * ld + column].
struct AcrossDepth {
  static constexpr bool across = true;
  const float *from; // the tile's first column
  i64 ld, columns, depth;
  bool whole;
};
DEVICE F4 loadFour(const AcrossDepth &of, int at, i64 d) {
  if (at >= of.columns || d >= of.depth) {
    return fourZeros();
  }
  const float *here = of.from + d * of.ld + at;
  return at + 4 <= of.columns ? fourOf(here, of.whole) : someOf(here, of.columns - at);
}
