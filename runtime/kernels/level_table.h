// What one instruction-set level offers: a table of plain functions. Each level is one translation
// unit with its own compiler flags (packed/level_*.cpp); it shares no inline function with the
// rest, so no instruction of a higher level can reach code that runs on every machine.
//
// "Panels" are how a weight of k x n is stored: columns in panels of `panelColumns` (the last
// panel: the remaining columns, rounded up to whole vectors with zeros), each panel k rows after
// one another. `kernelPackedFloats` gives the room.
#pragma once

#include "runtime/base/kernel_rows.h"

#include <stdint.h>

namespace penstock {
/// The functions of the table's rows that a level has of its own.
struct LevelKernels {
#define PENSTOCK_LEVEL_KERNEL(kernel, function, ...) KernelFunction<kernels::kernel> *kernel;
#include "runtime/base/kernel_rows.def"
};
} // namespace penstock

extern "C" {

/// A convolution's sizes and weights: `packed` is (width * k) x n; `packedFlipped` is (width * n) x
/// k, taps reversed, for the gradient of the input.
struct PenstockConv {
  int64_t width, k, n;
  const float *packed, *packedFlipped;
};

/// Matmuls and weight gradients of one precision: what a packed weight looks like is their own.
struct PenstockContractions {
  int32_t format; // of a packed weight, see PackedForm
  int64_t (*packedFloats)(int64_t k, int64_t n);
  /// w: k x n, or n x k where transposed, its rows ldw apart.
  void (*pack)(void *pool, const float *w, int64_t ldw, int64_t k, int64_t n, int32_t transposed, float *packed);
  void (*matmul)(const float *packed, int64_t k, int64_t n, const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows,
                 const float *bias, int32_t accumulate);
  void (*weightGradient)(void *pool, int64_t k, int64_t n, const float *x, int64_t ldx, const float *dy, int64_t lddy, int64_t rows,
                         float *dw, float *scratch);
  /// Multiply-adds of this precision in registers, nothing else; returns how many operations (two each) `rounds` rounds are.
  int64_t (*peak)(int64_t rounds);
};

struct PenstockLevelTable {
  int32_t lanes, panelColumns, tileRows;
  struct PenstockContractions contractions;

  /// Of `conv` its sizes; writes both forms of the weight.
  void (*convPack)(const struct PenstockConv *conv, const float *w, void *pool, float *packed, float *packedFlipped);
  void (*convRun)(const struct PenstockConv *conv, const float *x, float *y, const int32_t *offsets, int64_t begin, int64_t end,
                  const float *bias, float *scratch);
  void (*convGradientInput)(const struct PenstockConv *conv, const float *dy, float *dx, const int32_t *offsets, int64_t begin, int64_t end,
                            int32_t accumulate, float *scratch);
  void (*convGradientWeight)(const struct PenstockConv *conv, void *pool, const float *x, const float *dy, const int32_t *offsets,
                             int64_t records, float *dw, float *scratch);
  void (*convMax)(const struct PenstockConv *conv, const float *x, const int32_t *offsets, int64_t begin, int64_t end, const float *bias,
                  float *out, int32_t *argmax, float *scratch);
  void (*convMaxGradientInput)(const struct PenstockConv *conv, const float *w, const float *g, const int32_t *argmax, float *dx,
                               const int32_t *offsets, int64_t begin, int64_t end, int32_t accumulate);
  void (*convMaxGradientWeight)(const struct PenstockConv *conv, void *pool, const float *x, const float *g, const int32_t *argmax,
                                const int32_t *offsets, int64_t records, float *dw);

  penstock::LevelKernels kernels;

  /// a = b + 3 * c: what memory can do.
  void (*stream)(float *a, const float *b, const float *c, int64_t count);

  /// y[i] = exp(x[i]) and log(x[i]), the vectorized ones that attention uses; see packed/vector.h
  /// for their bounds.
  void (*exponential)(const float *x, float *y, int64_t count);
  void (*logarithm)(const float *x, float *y, int64_t count);
  /// Fills `out[count]` with the multipliers of attention's dropout from element `first` on; see
  /// packed/random.h.
  void (*attentionMask)(float *out, int64_t first, int64_t count, float dropout, uint64_t record_number, uint64_t seed, uint64_t step,
                        uint64_t key);
};

extern const struct PenstockLevelTable penstockAvx2Table;
extern const struct PenstockLevelTable penstockAvx512Table;

/// Operands rounded to bf16, sums in float32: by AMX, by AVX512-BF16, and AMX's bits by AVX2 (for tests, slowly).
extern const struct PenstockContractions penstockAmxBf16;
extern const struct PenstockContractions penstockAvx512Bf16;
extern const struct PenstockContractions penstockEmulatedBf16;

} // extern "C"
