// Tiles of bf16 in shared memory, for mma: rows of WIDTH numbers, in chunks of 8 (16 bytes) that are mixed so that ldmatrix meets each bank
// once.
#pragma once

#include "runtime/cuda/kernels/device.h"

template <int WIDTH> DEVICE unsigned char *chunkOf(unsigned char *tile, int row, int chunk) {
  constexpr int chunks = WIDTH / 8;
  const int mixed = chunks >= 8 ? (chunk & ~7) | ((chunk ^ row) & 7) : (chunk ^ (row / (8 / chunks))) & (chunks - 1);
  return tile + (row * chunks + mixed) * 16;
}

/// Operand A of 16 rows from `row` on and 16 numbers of depth from `chunk` on; the tile's rows are A's.
template <int WIDTH> DEVICE void fragmentA(u32 (&a)[4], unsigned char *tile, int row, int chunk) {
  loadMatrix4(a, chunkOf<WIDTH>(tile, row + laneX() % 16, chunk + laneX() / 16));
}
/// The same where the tile's rows are the depth.
template <int WIDTH> DEVICE void fragmentAOfColumns(u32 (&a)[4], unsigned char *tile, int depth, int chunk) {
  loadMatrix4Transposed(a, chunkOf<WIDTH>(tile, depth + laneX() % 8 + laneX() / 16 * 8, chunk + laneX() / 8 % 2));
}
/// Two operands B (b[0], b[1] and b[2], b[3]) of 8 columns each from `column` on and 16 numbers of depth; the tile's rows are columns.
template <int WIDTH> DEVICE void fragmentB(u32 (&b)[4], unsigned char *tile, int column, int chunk) {
  loadMatrix4(b, chunkOf<WIDTH>(tile, column + laneX() % 8 + laneX() / 16 * 8, chunk + laneX() / 8 % 2));
}
/// The same where the tile's rows are the depth; `chunk` is that of the first column.
template <int WIDTH> DEVICE void fragmentBOfRows(u32 (&b)[4], unsigned char *tile, int depth, int chunk) {
  loadMatrix4Transposed(b, chunkOf<WIDTH>(tile, depth + laneX() % 16, chunk + laneX() / 16));
}

/// Eight numbers from memory, of which `count` are there; the rest are zeros. `whole`: their address is a multiple of 16.
struct Eight {
  float v[8];
};
DEVICE Eight loadEight(const float *from, i64 count, bool whole) {
  Eight made;
  if (count >= 8 && whole) {
    const F4 low = *(const F4 *)from, high = *(const F4 *)(from + 4);
    made.v[0] = low.x, made.v[1] = low.y, made.v[2] = low.z, made.v[3] = low.w;
    made.v[4] = high.x, made.v[5] = high.y, made.v[6] = high.z, made.v[7] = high.w;
    return made;
  }
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    made.v[e] = e < count ? from[e] : 0.0f;
  }
  return made;
}
DEVICE U4 rounded(const Eight &of) {
  return {packBf16(of.v[0], of.v[1]), packBf16(of.v[2], of.v[3]), packBf16(of.v[4], of.v[5]), packBf16(of.v[6], of.v[7])};
}

/// rows x WIDTH numbers held by the threads of a block, between memory and a tile.
template <int rows, int WIDTH, int threads> struct HeldTile {
  static constexpr int each = rows * WIDTH / 8 / threads;
  static_assert(each * threads * 8 == rows * WIDTH);
  Eight of[each];
};
/// Row r, column c from[r * ld + c]; zeros beyond `valid` rows and `columns`.
template <int rows, int WIDTH, int threads>
DEVICE void fetchHeld(HeldTile<rows, WIDTH, threads> &held, const float *from, i64 ld, i64 valid, i64 columns, bool whole) {
#pragma unroll
  for (int s = 0; s < held.each; ++s) {
    const int i = threadX() + threads * s, row = i / (WIDTH / 8), column = i % (WIDTH / 8) * 8;
    held.of[s] = loadEight(from + row * ld + column, row < valid ? columns - column : 0, whole);
  }
}
template <int rows, int WIDTH, int threads> DEVICE void storeHeld(unsigned char *tile, const HeldTile<rows, WIDTH, threads> &held) {
#pragma unroll
  for (int s = 0; s < held.each; ++s) {
    const int i = threadX() + threads * s;
    *(U4 *)chunkOf<WIDTH>(tile, i / (WIDTH / 8), i % (WIDTH / 8)) = rounded(held.of[s]);
  }
}
