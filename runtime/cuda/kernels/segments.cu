// Rows of an axis <-> records: a thread takes a column of a record and walks its rows in order, so its bits are the CPU's
// (runtime/kernels/packed/segments.h). Threads stand record by record, column by column: neighbours read neighbours.
#include "runtime/cuda/kernels/device.h"
#include "runtime/cuda/kernels/functions.h"

/// A record's rows of one column: the number at row i of the record is from[i * width].
struct Column {
  i64 record, column, first, rows, width;
  bool there;
};

/// Its place in a matrix with a row a record; where it begins in one with a row a row.
DEVICE i64 inRecords(const Column &at) { return at.record * at.width + at.column; }
DEVICE i64 inRows(const Column &at) { return at.first * at.width + at.column; }

DEVICE Column columnOf(const i32 *offsets, i64 capacity, const i64 *count, i64 width) {
  const i64 number = (i64)blockX() * blockThreads() + threadX(), record = number / width;
  if (record >= countOf(capacity, count)) {
    return {0, 0, 0, 0, 0, false};
  }
  const i64 first = offsets[record];
  return {record, number - record * width, first, offsets[record + 1] - first, width, true};
}

KERNEL(128, segment_sum, (const float *x, const i32 *offsets, i64 capacity, const i64 *count, i64 width, float *y)) {
  const Column at = columnOf(offsets, capacity, count, width);
  if (!at.there) {
    return;
  }
  const float *const from = x + inRows(at);
  float sum = 0;
#pragma unroll 4
  for (i64 i = 0; i < at.rows; ++i) {
    sum += from[i * width];
  }
  y[inRecords(at)] = sum;
}

KERNEL(128, segment_max, (const float *x, const i32 *offsets, i64 capacity, const i64 *count, i64 width, float *y, i32 *argmax)) {
  const Column at = columnOf(offsets, capacity, count, width);
  if (!at.there) {
    return;
  }
  const float *const from = x + inRows(at);
  float top = at.rows > 0 ? from[0] : 0.0f;
  i32 where = 0;
#pragma unroll 4
  for (i64 i = 1; i < at.rows; ++i) {
    const float v = from[i * width];
    where = v > top ? (i32)i : where;
    top = v > top ? v : top;
  }
  y[inRecords(at)] = top;
  argmax[inRecords(at)] = where;
}

KERNEL(128, segment_max_grad,
       (const float *g, const i32 *argmax, const i32 *offsets, i64 capacity, const i64 *count, i64 width, float *dx)) {
  const Column at = columnOf(offsets, capacity, count, width);
  if (!at.there) {
    return;
  }
  float *const to = dx + inRows(at);
  const float gradient = g[inRecords(at)];
  const i32 where = argmax[inRecords(at)];
  for (i64 i = 0; i < at.rows; ++i) {
    to[i * width] = i == where ? gradient : 0.0f;
  }
}

KERNEL(128, segment_softmax, (const float *x, const i32 *offsets, i64 capacity, const i64 *count, i64 width, float *y)) {
  const Column at = columnOf(offsets, capacity, count, width);
  if (!at.there || at.rows == 0) {
    return;
  }
  const float *const from = x + inRows(at);
  float *const to = y + inRows(at);
  float top = from[0];
#pragma unroll 4
  for (i64 i = 1; i < at.rows; ++i) {
    top = larger(top, from[i * width]);
  }
  float sum = 0;
  for (i64 i = 0; i < at.rows; ++i) {
    const float weight = exponential(from[i * width] - top);
    to[i * width] = weight;
    sum += weight;
  }
  for (i64 i = 0; i < at.rows; ++i) {
    to[i * width] = divide(to[i * width], sum);
  }
}

KERNEL(128, segment_softmax_grad,
       (const float *y, const float *g, const i32 *offsets, i64 capacity, const i64 *count, i64 width, float *dx)) {
  const Column at = columnOf(offsets, capacity, count, width);
  if (!at.there) {
    return;
  }
  const float *const weights = y + inRows(at), *const gradients = g + inRows(at);
  float *const to = dx + inRows(at);
  float sum = 0;
#pragma unroll 4
  for (i64 i = 0; i < at.rows; ++i) {
    sum = multiplyAdd(weights[i * width], gradients[i * width], sum);
  }
  for (i64 i = 0; i < at.rows; ++i) {
    to[i * width] = weights[i * width] * (gradients[i * width] - sum);
  }
}

KERNEL(128, running_sum, (const float *x, const i32 *offsets, i64 capacity, const i64 *count, i64 width, i64 backward, float *y)) {
  const Column at = columnOf(offsets, capacity, count, width);
  if (!at.there) {
    return;
  }
  const i64 step = backward != 0 ? -width : width, from = inRows(at) + (backward != 0 ? (at.rows - 1) * width : 0);
  float sum = 0;
  for (i64 i = 0; i < at.rows; ++i) {
    sum += x[from + i * step];
    y[from + i * step] = sum;
  }
}

KERNEL(128, bag_sum, (const float *table, const i32 *ids, const i32 *offsets, i64 capacity, const i64 *count, i64 width, float *y)) {
  const Column at = columnOf(offsets, capacity, count, width);
  if (!at.there) {
    return;
  }
  float sum = 0;
#pragma unroll 4
  for (i64 i = 0; i < at.rows; ++i) {
    sum += table[ids[at.first + i] * width + at.column];
  }
  y[inRecords(at)] = sum;
}

/// A block a record: zeros, then for each id the sum of what `of` says of its rows, in their order, by the thread of the first of them.
template <class Sum, class Of>
DEVICE void sumById(const i32 *ids, const i32 *offsets, i64 capacity, const i64 *count, i64 vocabulary, float *y, Of of) {
  const i64 record = blockX();
  if (record >= countOf(capacity, count)) {
    return;
  }
  const i64 first = offsets[record], rows = offsets[record + 1] - first;
  float *const to = y + record * vocabulary;
  const i32 *const from = ids + first;
  for (i64 i = threadX(); i < vocabulary; i += blockThreads()) {
    to[i] = 0;
  }
  syncBlock();
  for (i64 i = threadX(); i < rows; i += blockThreads()) {
    const i32 id = from[i];
    bool isFirst = true;
    for (i64 j = 0; j < i; ++j) {
      isFirst = isFirst && from[j] != id;
    }
    if (!isFirst) {
      continue;
    }
    Sum sum = of(first + i);
    for (i64 j = i + 1; j < rows; ++j) {
      if (from[j] == id) {
        sum += of(first + j);
      }
    }
    to[id] = (float)sum;
  }
}

KERNEL(128, counts, (const i32 *ids, const i32 *offsets, i64 capacity, const i64 *count, i64 vocabulary, float *y)) {
  sumById<i32>(ids, offsets, capacity, count, vocabulary, y, [](i64) { return 1; });
}

KERNEL(128, weighted_counts,
       (const i32 *ids, const float *weights, const i32 *offsets, i64 capacity, const i64 *count, i64 vocabulary, float *y)) {
  sumById<float>(ids, offsets, capacity, count, vocabulary, y, [&](i64 row) { return weights[row]; });
}

/// A block a record, a thread a row at a time.
KERNEL(128, occurrences, (const i32 *ids, const i32 *offsets, i64 capacity, const i64 *count, float *y)) {
  const i64 record = blockX();
  if (record >= countOf(capacity, count)) {
    return;
  }
  const i64 first = offsets[record], rows = offsets[record + 1] - first;
  const i32 *const from = ids + first;
  for (i64 i = threadX(); i < rows; i += blockThreads()) {
    const i32 id = from[i];
    i32 times = 0;
    for (i64 j = 0; j < rows; ++j) {
      times += from[j] == id ? 1 : 0;
    }
    y[first + i] = (float)times;
  }
}
