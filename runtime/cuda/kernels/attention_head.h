// One head of one record, and dropout, for the kernels of attention.
#pragma once

#include "runtime/cuda/kernels/attention.h"
#include "runtime/cuda/kernels/functions.h"

struct AttentionHead {
  i64 length, queries; // rows of the record; of them ask the first `queries`
  i64 row, query;      // where they begin in k, in q
  i64 at;              // the head's first column
  i64 ldOut;
  i64 element; // of dropout: (query 0, key 0)
  u64 philoxed, record;
};
DEVICE AttentionHead attentionHead(const AttentionArguments &of, i64 record, i64 head) {
  AttentionHead made;
  made.row = of.offsets[record];
  made.length = of.offsets[record + 1] - made.row;
  made.queries = of.first != 0 ? (made.length > 0 ? 1 : 0) : made.length;
  made.query = of.first != 0 ? record : made.row;
  made.at = head * of.width;
  made.ldOut = of.heads * of.width;
  made.element = head * made.length * made.length;
  made.philoxed = 0;
  made.record = 0;
  if (of.threshold != 0) {
    made.philoxed = philoxKey(*of.seed, *of.step, of.key);
    made.record = of.recordNumbers[record];
  }
  return made;
}

/// The 16 bits of dropout of `count` elements, 16 apart, from `element` on: bit j says that the j-th is kept.
template <int count> DEVICE u32 keptElements(const AttentionArguments &of, const AttentionHead &head, i64 element) {
  const u64 counter = (u64)element / 128 * 16 + (u64)element % 16;
  const int slot = (int)((u64)element % 128 / 16);
  u32 kept = 0;
  u32 words[4] = {(u32)counter, (u32)(counter >> 32), (u32)head.record, (u32)(head.record >> 32)};
  philox(words, head.philoxed);
  u32 next[4] = {0, 0, 0, 0};
  if (slot + count > 8) {
    const u64 behind = counter + 16;
    next[0] = (u32)behind, next[1] = (u32)(behind >> 32), next[2] = (u32)head.record, next[3] = (u32)(head.record >> 32);
    philox(next, head.philoxed);
  }
#pragma unroll
  for (int j = 0; j < count; ++j) {
    const int at = slot + j;
    const u32 low = at < 4 ? (at < 2 ? words[0] : words[1]) : (at < 6 ? words[2] : words[3]);
    const u32 word = at < 8 ? low : (at < 10 ? next[0] : next[1]);
    kept |= (u32)((word >> (at % 2 * 16) & 0xffffu) >= of.threshold) << j;
  }
  return kept;
}

/// Over the 16 lanes that hold a row.
DEVICE float rowSum(float v) {
#pragma unroll
  for (int mask = 1; mask < 16; mask *= 2) {
    v += shuffleXor(v, mask);
  }
  return v;
}

/// lse and delta = sum of dout * out of `count` queries from `query` on, to[0, count) and to[count, 2 count). 16 lanes a query; all
/// threads.
template <int threads>
DEVICE void loadDeltas(float *to, int count, const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 query) {
  for (int i = threadX() / 16; i < count; i += threads / 16) {
    const bool real = query + i < head.queries;
    const i64 row = head.query + (real ? query + i : 0), at = row * head.ldOut + head.at;
    float delta = 0;
    for (i64 c = laneX() % 16; c < of.width; c += 16) {
      delta = multiplyAdd(of.dout[at + c], of.out[at + c], delta);
    }
    delta = rowSum(delta);
    if (laneX() % 16 == 0) {
      to[i] = of.lse[row * of.heads + headNumber];
      to[count + i] = delta;
    }
  }
}

/// Of a record without rows, whose first row is asked for: zeros.
template <int threads> DEVICE void clearAnswer(const AttentionArguments &of, const AttentionHead &head, i64 record, i64 headNumber) {
  for (i64 i = threadX(); i < of.width; i += threads) {
    of.out[record * head.ldOut + head.at + i] = 0;
  }
  if (threadX() == 0) {
    of.lse[record * of.heads + headNumber] = 0;
  }
}
template <int threads> DEVICE void clearGradient(const AttentionArguments &of, const AttentionHead &head, i64 record) {
  for (i64 i = threadX(); i < of.width; i += threads) {
    of.dq[record * of.ldQuery + head.at + i] = 0;
  }
}
