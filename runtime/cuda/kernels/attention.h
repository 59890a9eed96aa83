// What the kernels of attention get: written by their launchers, read on the device. Plain C++ for both.
#pragma once

/// Rows of q (and of out, lse, dout, dq) are those of the axis, or one a record where `first`, which asks all rows of its record.
struct AttentionArguments {
  const float *q, *k, *v;
  long ldQuery, ld; // of q, of k and v, and of their gradients
  float *out, *lse; // written forward, read backward; ld of out: heads * width
  const float *dout;
  float *dq, *dk, *dv;
  const int *offsets;
  const unsigned long *recordNumbers;
  long capacity;
  const long *count;
  long heads, width;
  const unsigned long *seed, *step;
  unsigned long key;
  float scale;             // of scores
  unsigned threshold;      // of dropout, of 65536; 0: none
  float multiplier;        // of what is kept
  int first, whole, round; // whole: rows of heads lie at multiples of 16 bytes; round: operands of products to bf16
};
