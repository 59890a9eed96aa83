// What the kernels of conv1d get: written by their launchers, read on the device. Plain C++ for both.
#pragma once

/// A weight of width x k x n over ragged rows; each kernel reads what it needs.
struct ConvArguments {
  const float *w, *bias; // bias: NULL where there is none
  const float *x, *dy;   // rows x k, rows x n; or dy: records x n, of the largest
  float *result;
  int *argmaxOut;
  const int *argmax;
  const int *offsets;
  long capacity; // records
  const long *count;
  long width, k, n;
  int accumulate;
};
