// y[record] = sum of the record's rows, in order: a thread a column of a record.
#include "runtime/cuda/kernels/device.h"

KERNEL(128, segment_sum, (const float *x, const i32 *offsets, i64 capacity, const i64 *count, i64 width, float *y)) {
  const i64 records = countOf(capacity, count), column = (i64)blockY() * blockThreads() + threadX();
  if (column >= width) {
    return;
  }
  for (i64 record = blockX(); record < records; record += gridX()) {
    float sum = 0;
    for (i64 i = offsets[record]; i < offsets[record + 1]; ++i) {
      sum += x[i * width + column];
    }
    y[record * width + column] = sum;
  }
}
