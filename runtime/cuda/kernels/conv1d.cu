// conv1d over ragged records as tiles of products, with the CPU's bits (runtime/kernels/packed/conv1d.h): an output row is an ordinary row
// of width * k numbers, which lie one after another in x, but for zeros outside of its record.
#include "runtime/cuda/kernels/convolutions.h"
#include "runtime/cuda/kernels/tile_product.h"

constexpr int convRows = 64;

/// Rows of the axis as a product's left side: element (row, d) is from[row * k + d - left * k], inside of the row's record. A window has at
/// most 32768 numbers.
struct WindowOfRows {
  static constexpr bool across = false;
  const float *from; // the tile's first row
  const int *before; // of each row of the tile: how many rows of its record are before it
  const int *behind; // and behind it; -1: no row
  int k, left, depth;
  bool whole; // four neighbours lie in one row, at a multiple of 16 bytes
};
DEVICE F4 loadFour(const WindowOfRows &of, int at, i64 depth) {
  const int d = (int)depth;
  if (d >= of.depth || of.behind[at] < 0) {
    return fourZeros();
  }
  const float *here = of.from + (i64)(at - of.left) * of.k + d;
  int row = d / of.k - of.left, inside = d % of.k;
  if (of.whole) {
    return -row <= of.before[at] && row <= of.behind[at] ? *(const F4 *)here : fourZeros();
  }
  float v[4];
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    v[e] = d + e < of.depth && -row <= of.before[at] && row <= of.behind[at] ? here[e] : 0.0f;
    if (++inside == of.k) {
      inside = 0;
      ++row;
    }
  }
  return {v[0], v[1], v[2], v[3]};
}

/// The weight of the gradient of the input: depth (j, c) is tap width - 1 - j, map c; its columns are the inputs.
struct FlippedWeight {
  static constexpr bool across = false;
  const float *w; // width x k x n
  i64 column0;
  int width, k, n;
};
DEVICE F4 loadFour(const FlippedWeight &of, int at, i64 depth) {
  const i64 column = of.column0 + at;
  int j = (int)depth / of.n, c = (int)depth % of.n;
  float v[4];
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    v[e] = column < of.k && j < of.width ? of.w[((i64)(of.width - 1 - j) * of.k + column) * of.n + c] : 0.0f;
    if (++c == of.n) {
      c = 0;
      ++j;
    }
  }
  return {v[0], v[1], v[2], v[3]};
}

/// The record of a row: the last that begins at it or before and has rows.
DEVICE i64 recordOf(const int *offsets, i64 records, i64 row) {
  i64 low = 0, high = records; // offsets[low] <= row < offsets[high]
  while (high - low > 1) {
    const i64 middle = (low + high) / 2;
    if (offsets[middle] <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Where the tile's rows stand in their records. `rows` is the end of the rows.
DEVICE void placeRows(int *before, int *behind, const ConvArguments &of, i64 records, i64 row0, i64 rows) {
  if (threadX() < convRows) {
    const i64 row = row0 + threadX();
    before[threadX()] = 0;
    behind[threadX()] = -1;
    if (row < rows) {
      const i64 record = recordOf(of.offsets, records, row);
      before[threadX()] = (int)(row - of.offsets[record]);
      behind[threadX()] = (int)(of.offsets[record + 1] - 1 - row);
    }
  }
}

template <class Weight>
DEVICE void convTile(const float *x, float *y, i64 k, i64 n, i64 left, i64 depth, const float *bias, bool accumulate, const Weight &weight,
                     i64 row0, i64 rows, i64 column0, const int *before, const int *behind, float *shared) {
  float sums[4][4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const i64 row = row0 + tileRow(i), column = column0 + tileColumn(j);
      const bool inside = row < rows && column < n;
      sums[i][j] = inside && accumulate ? y[row * n + column] : 0.0f;
      if (bias != nullptr && inside) {
        sums[i][j] += bias[column];
      }
    }
  }
  const WindowOfRows window = {x + row0 * k, before, behind, (int)k, (int)left, (int)depth, k % 4 == 0 && ((u64)x & 15) == 0};
  tileProduct<64, 64>(sums, window, weight, depth, shared);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const i64 row = row0 + tileRow(i), column = column0 + tileColumn(j);
      if (row < rows && column < n) {
        y[row * n + column] = sums[i][j];
      }
    }
  }
}

/// Blocks (x, y): tiles of columns, and parts to which the tiles of rows are dealt.
KERNEL(256, conv1d, (ConvArguments of)) {
  DYNAMIC_SHARED(shared);
  SHARED(int, before, 64);
  SHARED(int, behind, 64);
  const i64 records = countOf(of.capacity, of.count), rows = records > 0 ? of.offsets[records] : 0, column0 = (i64)blockX() * 64;
  const AcrossDepth weight = {of.w + column0, of.n, of.n - column0, of.width * of.k, of.n % 4 == 0 && ((u64)of.w & 15) == 0};
  for (i64 row0 = (i64)blockY() * convRows; row0 < rows; row0 += (i64)gridY() * convRows) {
    syncBlock();
    placeRows(before, behind, of, records, row0, rows);
    syncBlock();
    convTile(of.x, of.result, of.k, of.n, (of.width - 1) / 2, of.width * of.k, of.bias, false, weight, row0, rows, column0, before, behind,
             (float *)shared);
  }
}

KERNEL(256, conv1d_input_grad, (ConvArguments of)) {
  DYNAMIC_SHARED(shared);
  SHARED(int, before, 64);
  SHARED(int, behind, 64);
  const i64 records = countOf(of.capacity, of.count), rows = records > 0 ? of.offsets[records] : 0, column0 = (i64)blockX() * 64;
  const FlippedWeight weight = {of.w, column0, (int)of.width, (int)of.k, (int)of.n};
  for (i64 row0 = (i64)blockY() * convRows; row0 < rows; row0 += (i64)gridY() * convRows) {
    syncBlock();
    placeRows(before, behind, of, records, row0, rows);
    syncBlock();
    convTile(of.dy, of.result, of.n, of.k, of.width - 1 - (of.width - 1) / 2, of.width * of.n, nullptr, of.accumulate != 0, weight, row0,
             rows, column0, before, behind, (float *)shared);
  }
}

/// x shifted by a tap as a product's left side over the rows: element (row, input) is x[row + shift][input] inside of the row's record.
struct ShiftedRows {
  static constexpr bool across = true;
  const float *x; // the tile's first input
  const int *offsets;
  i64 *record; // of the row that this thread loaded last: rows grow
  i64 rows, k, inputs, shift;
  bool whole;
};
DEVICE F4 loadFour(const ShiftedRows &of, int at, i64 row) {
  const i64 from = row + of.shift;
  if (at >= of.inputs || row >= of.rows || from < 0 || from >= of.rows) {
    return fourZeros();
  }
  if (of.shift != 0) {
    i64 record = *of.record;
    while (of.offsets[record + 1] <= row) {
      ++record;
    }
    *of.record = record;
    if (from < of.offsets[record] || from >= of.offsets[record + 1]) {
      return fourZeros();
    }
  }
  const float *here = of.x + from * of.k + at;
  return at + 4 <= of.inputs ? fourOf(here, of.whole) : someOf(here, of.inputs - at);
}

/// A block a tile of a tap, over all rows in order.
KERNEL(256, conv1d_weight_grad, (ConvArguments of)) {
  DYNAMIC_SHARED(shared);
  const i64 records = countOf(of.capacity, of.count), rows = records > 0 ? of.offsets[records] : 0;
  const i64 input0 = (i64)blockX() * 64, output0 = (i64)blockY() * 64, tap = blockZ();
  float sums[4][4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      sums[i][j] = 0;
    }
  }
  i64 record = 0;
  const ShiftedRows x = {
      of.x + input0, of.offsets, &record, rows, of.k, of.k - input0, tap - (of.width - 1) / 2, of.k % 4 == 0 && ((u64)of.x & 15) == 0};
  const AcrossDepth dy = {of.dy + output0, of.n, of.n - output0, rows, of.n % 4 == 0 && ((u64)of.dy & 15) == 0};
  tileProduct<64, 64>(sums, x, dy, rows, (float *)shared);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const i64 input = input0 + tileRow(i), output = output0 + tileColumn(j);
      if (input < of.k && output < of.n) {
        of.result[(tap * of.k + input) * of.n + output] = sums[i][j];
      }
    }
  }
}

/// conv1d and the largest of each column over the rows of a record, first of equals: a block a record and a tile of columns.
KERNEL(256, conv1d_max, (ConvArguments of)) {
  DYNAMIC_SHARED(shared);
  SHARED(int, before, 64);
  SHARED(int, behind, 64);
  SHARED(float, tops, 16 * 64);
  SHARED(int, places, 16 * 64);
  const i64 record = blockX(), column0 = (i64)blockY() * 64;
  if (record >= countOf(of.capacity, of.count)) {
    return;
  }
  const i64 start = of.offsets[record], length = of.offsets[record + 1] - start;
  if (length == 0) {
    return;
  }
  const AcrossDepth weight = {of.w + column0, of.n, of.n - column0, of.width * of.k, of.n % 4 == 0 && ((u64)of.w & 15) == 0};
  float best = 0; // of column threadX(), of the first 64 threads
  int at = 0;
  for (i64 row0 = 0; row0 < length; row0 += convRows) {
    syncBlock();
    if (threadX() < convRows) {
      before[threadX()] = (int)(row0 + threadX());
      behind[threadX()] = (int)(length - 1 - row0 - threadX());
    }
    syncBlock();
    float sums[4][4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const i64 column = column0 + tileColumn(j);
        sums[i][j] = 0;
        if (of.bias != nullptr && column < of.n) {
          sums[i][j] += of.bias[column];
        }
      }
    }
    const WindowOfRows window = {
        of.x + (start + row0) * of.k,          before, behind, (int)of.k, (int)(of.width - 1) / 2, (int)(of.width * of.k),
        of.k % 4 == 0 && ((u64)of.x & 15) == 0};
    tileProduct<64, 64>(sums, window, weight, of.width * of.k, (float *)shared);
    // A thread's four rows, then the sixteen threads of a column, in the order of rows.
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float top = sums[0][j];
      int where = tileRow(0);
#pragma unroll
      for (int i = 1; i < 4; ++i) {
        if (row0 + tileRow(i) < length && sums[i][j] > top) {
          top = sums[i][j];
          where = tileRow(i);
        }
      }
      tops[threadX() / 16 * 64 + tileColumn(j)] = top;
      places[threadX() / 16 * 64 + tileColumn(j)] = where;
    }
    syncBlock();
    if (threadX() < 64) {
      for (int group = 0; group < 16 && row0 + group * 4 < length; ++group) {
        const float top = tops[group * 64 + threadX()];
        if ((row0 == 0 && group == 0) || top > best) {
          best = top;
          at = (int)row0 + places[group * 64 + threadX()];
        }
      }
    }
  }
  if (threadX() < 64 && column0 + threadX() < of.n) {
    of.result[record * of.n + column0 + threadX()] = best;
    of.argmaxOut[record * of.n + column0 + threadX()] = at;
  }
}

/// dx of the largest alone: a thread an input of a row, over the maps in order.
KERNEL(128, conv1d_max_input_grad, (ConvArguments of)) {
  const i64 record = blockX(), left = (of.width - 1) / 2, input = (i64)blockY() * 128 + threadX();
  if (record >= countOf(of.capacity, of.count) || input >= of.k) {
    return;
  }
  const i64 start = of.offsets[record], length = of.offsets[record + 1] - start;
  const float *g = of.dy + record * of.n;
  const int *argmax = of.argmax + record * of.n;
  for (i64 row = blockZ(); row < length; row += 16) {
    float *to = of.result + (start + row) * of.k + input;
    float sum = of.accumulate != 0 ? *to : 0.0f;
    for (i64 c = 0; c < of.n; ++c) {
      const i64 tap = row - argmax[c] + left;
      if (tap >= 0 && tap < of.width) {
        sum = multiplyAdd(g[c], of.w[(tap * of.k + input) * of.n + c], sum);
      }
    }
    *to = sum;
  }
}

/// dw of the largest alone: a warp 32 inputs of a tap and of 4 maps, over the records in order.
KERNEL(128, conv1d_max_weight_grad, (ConvArguments of)) {
  constexpr int maps = 4;
  const i64 records = countOf(of.capacity, of.count), left = (of.width - 1) / 2;
  const i64 input = (i64)blockX() * 32 + laneX(), map0 = ((i64)blockY() * 4 + warpX()) * maps, tap = blockZ();
  if (map0 >= of.n || input >= of.k) {
    return;
  }
  float sums[maps];
#pragma unroll
  for (int c = 0; c < maps; ++c) {
    sums[c] = 0;
  }
  for (i64 record = 0; record < records; ++record) {
    const i64 start = of.offsets[record], length = of.offsets[record + 1] - start;
#pragma unroll
    for (int c = 0; c < maps; ++c) {
      if (length > 0 && map0 + c < of.n) {
        const i64 row = of.argmax[record * of.n + map0 + c] - left + tap;
        if (row >= 0 && row < length) {
          sums[c] = multiplyAdd(of.dy[record * of.n + map0 + c], of.x[(start + row) * of.k + input], sums[c]);
        }
      }
    }
  }
#pragma unroll
  for (int c = 0; c < maps; ++c) {
    if (map0 + c < of.n) {
      of.result[(tap * of.k + input) * of.n + map0 + c] = sums[c];
    }
  }
}
