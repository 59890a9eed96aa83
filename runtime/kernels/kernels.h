// The kernels that compiled programs call: plain C, raw pointers, sizes and strides (in elements), float32 row-major.
//
// Compiled code reaches them by name (PenstockProgram.symbols) and through handles (PenstockProgram.dispatches).
// Two kinds: *block kernels* run on the calling thread over a range of rows or records and are called from bodies of
// penstock_parallel_for; *whole kernels* take the pool and split the work themselves.
//
// Bit-identity: a row's (or record's) result depends on that row (record) alone, never on the block it stands in, its
// neighbours, or the number of threads; sums over rows run in row order within fixed chunks. See docs/design/determinism.md.
#pragma once

#include "runtime/abi/kernel_limits.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Runs body(context, begin, end, worker) over [0, count) in pieces of `grain`, on the pool and the calling thread.
/// Which worker runs a piece is not fixed; 0 <= worker < workers of the pool. Takes no lock, allocates nothing.
void penstock_parallel_for(void *pool, void (*body)(void *context, int64_t begin, int64_t end, int32_t worker), void *context,
                           int64_t count, int64_t grain);

// ---- matmul: y[rows x n] (+)= x[rows x k] . W (+ bias) ------------------------------------------------------------
// dispatch "matmul", attributes {k, n, transposed, stride, precision}: W is stored k x n, or n x k where transposed is 1 (y = x . W^T),
// each row `stride` after the one before (n or k where W is not a part of a wider matrix).
// precision 1: both operands are rounded to bf16 and products summed in float32, where the machine has instructions for it
// (bf16Instructions); 0: float32.

/// Whole: packs W (row-major) into the handle.
void penstock_matmul_pack(void *handle, const float *w, void *pool);
/// Block: `bias` (n) may be NULL; accumulate 1 adds to y. Any number of rows >= 0.
void penstock_matmul_run(void *handle, const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, const float *bias,
                         int32_t accumulate);

/// Whole: dw[k x n] = x[rows x k]^T . dy[rows x n], summed over rows in fixed chunks in order.
/// dispatch "weight_gradient", attributes {k, n, precision}. scratch: round16(rows) * (round32(k) + round32(n)) + 4096 floats.
void penstock_weight_gradient(void *handle, void *pool, const float *x, int64_t ldx, const float *dy, int64_t lddy, int64_t rows, float *dw,
                              float *scratch);

// ---- attention over ragged sequences ------------------------------------------------------------------------------
// qkv: rows x (3 * heads * width), a row is q | k | v, each heads x width. scale = 1 / sqrt(width). Softmax over the keys of
// the record. Dropout (0: none) on the probabilities, recomputed from counters keyed by (seed, step, key, record number).
// scratch: PENSTOCK_SCRATCH_FLOATS of the worker. No [T, T] tensor is stored.

/// Block over records [begin, end). out: rows x (heads * width); lse: rows x heads, log of the softmax's denominator.
void penstock_attention_forward(const float *qkv, float *out, float *lse, const int32_t *offsets, const uint64_t *record_numbers,
                                int64_t begin, int64_t end, int64_t heads, int64_t width, float dropout, uint64_t seed, uint64_t step,
                                uint64_t key, float *scratch);
/// Block over records: dqkv from d(out); reads out and lse of the forward.
void penstock_attention_backward(const float *qkv, const float *out, const float *lse, const float *dout, float *dqkv,
                                 const int32_t *offsets, const uint64_t *record_numbers, int64_t begin, int64_t end, int64_t heads,
                                 int64_t width, float dropout, uint64_t seed, uint64_t step, uint64_t key, float *scratch);

// The same of each record's first row alone, which asks all rows: q, out, lse, dout and dq have one row a record (q: heads * width), kv and
// dkv one for each row of the axis (k | v, each heads x width). Bit for bit what the first rows are above. Zeros for a record without rows.

void penstock_attention_first_forward(const float *q, const float *kv, float *out, float *lse, const int32_t *offsets,
                                      const uint64_t *record_numbers, int64_t begin, int64_t end, int64_t heads, int64_t width,
                                      float dropout, uint64_t seed, uint64_t step, uint64_t key, float *scratch);
void penstock_attention_first_backward(const float *q, const float *kv, const float *out, const float *lse, const float *dout, float *dq,
                                       float *dkv, const int32_t *offsets, const uint64_t *record_numbers, int64_t begin, int64_t end,
                                       int64_t heads, int64_t width, float dropout, uint64_t seed, uint64_t step, uint64_t key,
                                       float *scratch);

// ---- conv1d over ragged sequences, "same" length: y[t] = sum_j x[t + j - left] . W[j], left = (width - 1) / 2, zeros outside
// the record. W: width x k x n. dispatch "conv1d", attributes {width, k, n}.

void penstock_conv1d_pack(void *handle, const float *w, void *pool);
void penstock_conv1d_run(void *handle, const float *x, float *y, const int32_t *offsets, int64_t begin, int64_t end, const float *bias,
                         float *scratch);
/// Block over records: dx = (rows x k) of dy; accumulate 1 adds.
void penstock_conv1d_gradient_input(void *handle, const float *dy, float *dx, const int32_t *offsets, int64_t begin, int64_t end,
                                    int32_t accumulate, float *scratch);
/// Whole: dw[width x k x n]. scratch: rows * (round32(k) + round32(n)) + 4096 floats.
void penstock_conv1d_gradient_weight(void *handle, void *pool, const float *x, const float *dy, const int32_t *offsets, int64_t records,
                                     float *dw, float *scratch);
/// Block over records: conv1d and max over the record's rows in one pass, without y in memory.
/// out: records x n; argmax: records x n, row within the record, first of equals.
void penstock_conv1d_max(void *handle, const float *x, const int32_t *offsets, int64_t begin, int64_t end, const float *bias, float *out,
                         int32_t *argmax, float *scratch);
/// The same gradients where dy has one entry a record and channel: g[records x n] at row argmax.
void penstock_conv1d_max_gradient_input(void *handle, const float *w, const float *g, const int32_t *argmax, float *dx,
                                        const int32_t *offsets, int64_t begin, int64_t end, int32_t accumulate);
void penstock_conv1d_max_gradient_weight(void *handle, void *pool, const float *x, const float *g, const int32_t *argmax,
                                         const int32_t *offsets, int64_t records, float *dw);

// ---- segments: rows of an axis <-> records; block kernels over records [begin, end) ----------------------------------

void penstock_segment_sum(const float *x, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y);
void penstock_segment_max(const float *x, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y, int32_t *argmax);
/// dx = 0 but g at row argmax of its record.
void penstock_segment_max_gradient(const float *g, const int32_t *argmax, const int32_t *offsets, int64_t begin, int64_t end, int64_t width,
                                   float *dx);
/// y[r] = sum of table rows ids[i] over the rows i of record r.
void penstock_bag_sum(const float *table, const int32_t *ids, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y);

/// Whole: dtable[vocabulary x width] = 0, then += dy row (source[i], or i where source is NULL) for i in row order at the lesser of
/// vocabulary - 1 and ids[i]. scratch: rows + vocabulary + 4096 int32 (as floats).
void penstock_embedding_gradient(void *pool, const int32_t *ids, const int32_t *source, const float *dy, int64_t rows, int64_t width,
                                 int64_t vocabulary, float *dtable, float *scratch);
/// The rows by their ids, on the calling thread. `groups` (at least 3 * rows + 32 int32): groups[0] is the number of different ids,
/// each the lesser of vocabulary - 1 and what `ids` says; from groups[16] on these ids in order; from groups[16 + rows] on, one
/// more than ids, where the rows of each begin; from groups[17 + 2 * rows] on the rows, in order within an id.
void penstock_group_rows(const int32_t *ids, int64_t rows, int64_t vocabulary, int32_t *groups);
/// Whole: for the k-th of the different ids, gradient row k = 0, then += dy row (source[i], or i where source is NULL) for its
/// rows i in order: the rows of penstock_embedding_gradient that are not zero, bit for bit.
void penstock_grouped_gradient(void *pool, const int32_t *groups, const int32_t *source, const float *dy, int64_t rows, int64_t width,
                               float *gradient);
/// Block over records: word counts as a dense row: y[r, id] = occurrences. y: records x vocabulary.
void penstock_counts(const int32_t *ids, const int32_t *offsets, int64_t begin, int64_t end, int64_t vocabulary, float *y);

// ---- linear-chain conditional random fields: a record's chain is its rows with target >= 0, or with row_word >= 0 (NULL: all) ----
// transitions: tags x tags from the one to the next, then the scores of tags that begin a chain, then of those that end one.
// Block over records. scratch: 8 * tags floats, 8-byte aligned. A record without a chain has loss 0.

/// loss[r] = -log p(targets); alpha: rows x tags, for the gradient.
void penstock_crf_loss(const float *logits, const int32_t *target, const float *transitions, const int32_t *offsets, int64_t begin,
                       int64_t end, int64_t tags, float *loss, float *alpha, float *scratch);
/// dlogits: rows x tags; dtransitions: records x ((tags + 2) * tags), to be summed over the records.
void penstock_crf_loss_gradient(const float *logits, const int32_t *target, const float *transitions, const float *alpha,
                                const float *cotangent, const int32_t *offsets, int64_t begin, int64_t end, int64_t tags, float *dlogits,
                                float *dtransitions, float *scratch);
/// result: rows x tags, 0 but at the tag of the most likely chain (Viterbi; the first of equals), where it is that tag's
/// probability. alpha and back: rows x tags, of its own use.
void penstock_crf_decode(const float *logits, const float *transitions, const int32_t *offsets, const int32_t *row_word, int64_t begin,
                         int64_t end, int64_t tags, float *result, float *alpha, int32_t *back, float *scratch);

// ---- random numbers ------------------------------------------------------------------------------------------------

/// Fills out[width] with 0 (probability p) or 1 / (1 - p): Philox4x32-10, key (seed, step mixed with `key`), counter
/// (record number, position in the record, element / 4).
void penstock_dropout_row(float *out, int64_t width, int64_t position, uint64_t record_number, uint64_t seed, uint64_t step, uint64_t key,
                          float p);

#ifdef __cplusplus
}
#endif
