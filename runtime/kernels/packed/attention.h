// Attention over ragged sequences. One head of one record at a time; queries in groups, keys in
// blocks, all in scratch. A record of up to 256 rows (head width 32; fewer where heads are wider)
// is one block of keys; longer ones take an online softmax (Milakov and Gimelshein 2018; Dao et al.
// 2022). Heads wider than 512 take plain loops.

constexpr int64_t groupRows = PENSTOCK_LANES == 16 ? 28 : 24; // queries at a time: whole tiles
constexpr int64_t maximumKeys = 256;
constexpr int64_t maximumHead = 512;
constexpr int64_t queryBlock = 1024; // queries whose running maximum and sum are kept, where keys take several blocks
constexpr int64_t forwardKeyFloats = 16384, backwardKeyFloats = 8192;

constexpr int64_t scoreFloats = groupRows * maximumKeys;
constexpr int64_t maskStride = maximumKeys + 2 * maskBlock; // what a row of multipliers takes, but for the last one's end
constexpr int64_t maskFloats = groupRows * maskStride + maskBlock;
constexpr int64_t rowFloats = 32; // one number for each query of a group
constexpr int rowsAtOnce = 4;     // of a softmax; the rows of a group are rounded up to it, and the last ones hold anything
static_assert(groupRows <= rowFloats && rowFloats % lanes == 0 && groupRows % rowsAtOnce == 0);
static_assert(2 * forwardKeyFloats + scoreFloats + maskFloats + 2 * queryBlock + rowFloats <= PENSTOCK_SCRATCH_FLOATS);
// Backward of a head of any width has room for some tiles of queries.
static_assert(maskFloats + 3 * backwardKeyFloats + 2 * rowsAtOnce * maximumKeys + tileRows * 2 * (backwardKeyFloats / 16 + maximumKeys) <=
              PENSTOCK_SCRATCH_FLOATS);

/// Keys in a block: all where they fit.
PENSTOCK_INLINE int64_t keyBlockOf(int64_t length, int64_t width, int64_t floats) {
  const int64_t fit = minimum(maximumKeys, floats / roundUp(width, lanes) / 16 * 16);
  return minimum(fit, length);
}

PENSTOCK_INLINE float logarithmOf(float x) { return logarithm(broadcast(x))[0]; }

/// exp of one number, as the vector code rounds it.
PENSTOCK_INLINE float exponentialOf(float x) { return exponential(broadcast(x))[0]; }

PENSTOCK_INLINE float dot(const float *a, const float *b, int64_t count) {
  Vec sum = broadcast(0.0f);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    sum = fma(load(a + i), load(b + i), sum);
  }
  if (i < count) {
    sum = fma(loadPart(a + i, count - i), loadPart(b + i, count - i), sum);
  }
  return sumLanes(sum);
}

/// y += factor * x.
PENSTOCK_INLINE void addScaled(float *y, float factor, const float *x, int64_t count) {
  const Vec f = broadcast(factor);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    store(y + i, fma(f, load(x + i), load(y + i)));
  }
  for (; i < count; ++i) {
    y[i] = __builtin_fmaf(factor, x[i], y[i]);
  }
}

PENSTOCK_INLINE void scaleRow(float *y, float factor, int64_t count) {
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    store(y + i, load(y + i) * factor);
  }
  for (; i < count; ++i) {
    y[i] *= factor;
  }
}

/// rows x columns of `from` as panels of `width` columns: to[panel][rows][stored].
PENSTOCK_INLINE void packRows(float *to, const float *from, int64_t ld, int64_t rows, int64_t width) {
  for (int64_t p = 0; p * panelColumns < width; ++p) {
    copyColumns(to + p * panelColumns * rows, storedColumns(p, width), from + p * panelColumns, ld, rows, realColumns(p, width));
  }
}

/// The transposed, `rows` becoming columns: to[panel of rows][width][stored].
PENSTOCK_INLINE void packTransposed(float *to, const float *from, int64_t ld, int64_t rows, int64_t width) {
  for (int64_t p = 0; p * panelColumns < rows; ++p) {
    transposeBlock(to + p * panelColumns * width, storedColumns(p, rows), from + p * panelColumns * ld, ld, width, realColumns(p, rows));
  }
}

/// s[rows x keys rounded up] = a[rows x width] . keys^T, packed by packTransposed.
PENSTOCK_INLINE void scores(float *s, int64_t ldS, const float *a, int64_t lda, const float *packed, int64_t rows, int64_t keys,
                            int64_t width) {
  for (int64_t p = 0; p * panelColumns < keys; ++p) {
    const int64_t stored = storedColumns(p, keys);
    multiplyPanel<false>(rows, width, stored, a, lda, packed + p * panelColumns * width, stored, s + p * panelColumns, ldS, From::zero,
                         nullptr);
  }
}

/// One head of one record: its first `queries` rows ask all of its rows.
struct Head {
  int64_t length, queries, width;
  int64_t ldQuery, ld; // of q, of k and v, and of their gradients
  const float *q, *k, *v;
  int64_t ldOut;
  float scale;
  Mask mask;
  int64_t firstElement; // of the mask
};

/// The mask's multipliers of queries [query, query + rows) and keys [key, key + keys); row r begins
/// at `at[r]`.
PENSTOCK_INLINE void maskOf(const Head &head, float *buffer, int64_t query, int64_t rows, int64_t key, int64_t keys, const float **at) {
  if (head.mask.threshold == 0) {
    return;
  }
  for (int64_t r = rows; r % rowsAtOnce != 0; ++r) {
    at[r] = buffer;
  }
  const int64_t first = head.firstElement + query * head.length + key;
  if (keys == head.length) {
    const float *from = makeMultipliers(head.mask, buffer, first, rows * keys);
    for (int64_t r = 0; r < rows; ++r) {
      at[r] = from + r * keys;
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    at[r] = makeMultipliers(head.mask, buffer + r * maskStride, first + r * head.length, keys);
  }
}

/// The largest of a row's scores; what stands beyond the last key becomes minus infinity.
PENSTOCK_INLINE float largestOf(float *s, int64_t keys, int64_t ldS) {
  const IVec real = laneNumbers() < (IVec)((int32_t)(keys - (ldS - lanes)));
  Vec largest = select(real, load(s + ldS - lanes), broadcast(-__builtin_inff()));
  fence(largest); // or the compiler stores only the lanes that change, which takes AMD's processors long
  store(s + ldS - lanes, largest);
  for (int64_t j = 0; j < ldS - lanes; j += lanes) {
    largest = larger(largest, load(s + j));
  }
  return maxLanes(largest);
}

/// Turns rowsAtOnce rows of scores into exponentials relative to `tops`, times the mask where there is one; `sums` of the
/// exponentials. Whole vectors: the multipliers' buffer is longer than a row.
template <bool masked>
PENSTOCK_INLINE void softmaxRows(float *s, int64_t ldS, float scale, const float *tops, float *sums, const float *const *multipliers) {
  const Vec factor = broadcast(scale);
  Vec sum[rowsAtOnce], shift[rowsAtOnce];
#pragma clang loop unroll(full)
  for (int r = 0; r < rowsAtOnce; ++r) {
    sum[r] = broadcast(0.0f);
    shift[r] = broadcast(-tops[r] * scale);
  }
  for (int64_t j = 0; j < ldS; j += lanes) {
    Vec e[rowsAtOnce];
#pragma clang loop unroll(full)
    for (int r = 0; r < rowsAtOnce; ++r) {
      e[r] = fma(load(s + r * ldS + j), factor, shift[r]);
    }
    exponentials(e);
#pragma clang loop unroll(full)
    for (int r = 0; r < rowsAtOnce; ++r) {
      sum[r] += e[r];
      store(s + r * ldS + j, masked ? e[r] * load(multipliers[r] + j) : e[r]);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rowsAtOnce; ++r) {
    sums[r] = sumLanes(sum[r]);
  }
}

void forwardHead(const Head &head, float *out, float *lse, int64_t ldLse, float *scratch) {
  const int64_t keyBlock = keyBlockOf(head.length, head.width, forwardKeyFloats);
  float *keysPacked = scratch;
  float *valuesPacked = keysPacked + forwardKeyFloats;
  float *s = valuesPacked + forwardKeyFloats;
  float *maskBuffer = s + scoreFloats;
  float *tops = maskBuffer + maskFloats;
  float *sums = tops + queryBlock;
  float *before = sums + queryBlock;
  const float *multipliers[groupRows] = {};

  for (int64_t block = 0; block < head.queries; block += queryBlock) {
    const int64_t queries = minimum(queryBlock, head.queries - block);
    for (int64_t key = 0; key < head.length; key += keyBlock) {
      const int64_t keys = minimum(keyBlock, head.length - key);
      const int64_t ldS = roundUp(keys, lanes);
      if (block == 0 || keyBlock < head.length) {
        packTransposed(keysPacked, head.k + key * head.ld, head.ld, keys, head.width);
        packRows(valuesPacked, head.v + key * head.ld, head.ld, keys, head.width);
      }
      const bool first = key == 0, last = key + keys == head.length;
      for (int64_t group = 0; group < queries; group += groupRows) {
        const int64_t rows = minimum(groupRows, queries - group);
        const int64_t query = block + group;
        float *o = out + query * head.ldOut;
        scores(s, ldS, head.q + query * head.ldQuery, head.ldQuery, keysPacked, rows, keys, head.width);
        maskOf(head, maskBuffer, query, rows, key, keys, multipliers);
        float *top = tops + group, *sum = sums + group;
        for (int64_t r = 0; r < rows; ++r) {
          const float here = largestOf(s + r * ldS, keys, ldS);
          before[r] = top[r];
          top[r] = first || here > before[r] ? here : before[r];
        }
        float here[groupRows];
        for (int64_t r = 0; r < rows; r += rowsAtOnce) {
          (head.mask.threshold != 0 ? softmaxRows<true> : softmaxRows<false>)(s + r * ldS, ldS, head.scale, top + r, here + r,
                                                                              multipliers + r);
        }
        for (int64_t r = 0; r < rows; ++r) {
          const float decay = first ? 0.0f : exponentialOf((before[r] - top[r]) * head.scale);
          sum[r] = first ? here[r] : sum[r] * decay + here[r];
          if (!first) {
            scaleRow(o + r * head.ldOut, decay, head.width);
          }
        }
        for (int64_t p = 0; p * panelColumns < head.width; ++p) {
          multiplyPanel<false>(rows, keys, realColumns(p, head.width), s, ldS, valuesPacked + p * panelColumns * keys,
                               storedColumns(p, head.width), o + p * panelColumns, head.ldOut, first ? From::zero : From::old, nullptr);
        }
        if (last) {
          for (int64_t r = 0; r < rows; r += lanes) {
            store(before + r, fma(load(top + r), broadcast(head.scale), logarithm(load(sum + r))));
          }
          for (int64_t r = 0; r < rows; ++r) {
            scaleRow(o + r * head.ldOut, 1.0f / sum[r], head.width);
            lse[(query + r) * ldLse] = before[r];
          }
        }
      }
    }
  }
}

/// Masked probabilities and d(scores) of rowsAtOnce rows, in place of the scores and of d(probabilities).
template <bool masked>
PENSTOCK_INLINE void softmaxGradientRows(float *s, float *dp, int64_t ldS, float scale, const float *lse, const float *delta,
                                         const float *const *multipliers) {
  const Vec factor = broadcast(scale);
  for (int64_t j = 0; j < ldS; j += lanes) {
    Vec p[rowsAtOnce];
#pragma clang loop unroll(full)
    for (int r = 0; r < rowsAtOnce; ++r) {
      p[r] = fma(load(s + r * ldS + j), factor, broadcast(-lse[r]));
    }
    exponentials(p);
#pragma clang loop unroll(full)
    for (int r = 0; r < rowsAtOnce; ++r) {
      const Vec multiplier = masked ? load(multipliers[r] + j) : broadcast(1.0f);
      store(s + r * ldS + j, p[r] * multiplier);
      store(dp + r * ldS + j, p[r] * (load(dp + r * ldS + j) * multiplier - broadcast(delta[r])) * factor);
    }
  }
}

void backwardHead(const Head &head, const float *out, const float *lse, int64_t ldLse, const float *dout, float *dq, float *dk, float *dv,
                  float *scratch) {
  const int64_t keyBlock = keyBlockOf(head.length, head.width, backwardKeyFloats);
  const int64_t stride = roundUp(keyBlock, lanes), width = roundUp(head.width, lanes);
  // As many queries at a time as there is room for, all of a record of some 120 rows: d(keys) and d(values) are sums over them, which
  // are begun and stored once a tile. Those sums read the scores from the second-level cache.
  const int64_t fit =
      (PENSTOCK_SCRATCH_FLOATS - maskFloats - 3 * stride * width - 2 * rowsAtOnce * stride) / (2 * (stride + width)) / tileRows * tileRows;
  const int64_t queryGroup = roundUp(divideUp(head.queries, divideUp(head.queries, fit)), tileRows);
  float *maskBuffer = scratch;
  float *keysTransposed = maskBuffer + maskFloats;
  float *valuesTransposed = keysTransposed + stride * width;
  float *keysPacked = valuesTransposed + stride * width;
  float *queriesPacked = keysPacked + stride * width;
  float *doutPacked = queriesPacked + queryGroup * width;
  float *probabilities = doutPacked + queryGroup * width;
  float *dscores = probabilities + (queryGroup + rowsAtOnce) * stride;
  const float *multipliers[groupRows] = {};
  float lses[groupRows] = {}, deltas[groupRows] = {};

  for (int64_t key = 0; key < head.length; key += keyBlock) {
    const int64_t keys = minimum(keyBlock, head.length - key);
    const int64_t ldS = roundUp(keys, lanes);
    packTransposed(keysTransposed, head.k + key * head.ld, head.ld, keys, head.width);
    packTransposed(valuesTransposed, head.v + key * head.ld, head.ld, keys, head.width);
    packRows(keysPacked, head.k + key * head.ld, head.ld, keys, head.width);
    for (int64_t group = 0; group < head.queries; group += queryGroup) {
      const int64_t queries = minimum(queryGroup, head.queries - group);
      // Few rows are read where they are; many would share few sets of the first-level cache.
      const bool packs = queries > groupRows || head.width % lanes != 0;
      if (packs) {
        packRows(queriesPacked, head.q + group * head.ldQuery, head.ldQuery, queries, head.width);
        packRows(doutPacked, dout + group * head.ldOut, head.ldOut, queries, head.width);
      }
      for (int64_t first = 0; first < queries; first += groupRows) {
        const int64_t rows = minimum(groupRows, queries - first), query = group + first;
        const float *d = dout + query * head.ldOut;
        float *s = probabilities + first * ldS, *dp = dscores + first * ldS;
        scores(s, ldS, head.q + query * head.ldQuery, head.ldQuery, keysTransposed, rows, keys, head.width);
        scores(dp, ldS, d, head.ldOut, valuesTransposed, rows, keys, head.width);
        maskOf(head, maskBuffer, query, rows, key, keys, multipliers);
        for (int64_t r = 0; r < rows; ++r) {
          lses[r] = lse[(query + r) * ldLse];
          deltas[r] = dot(d + r * head.ldOut, out + (query + r) * head.ldOut, head.width);
        }
        for (int64_t r = 0; r < rows; r += rowsAtOnce) {
          (head.mask.threshold != 0 ? softmaxGradientRows<true> : softmaxGradientRows<false>)(s + r * ldS, dp + r * ldS, ldS, head.scale,
                                                                                              lses + r, deltas + r, multipliers + r);
        }
        for (int64_t p = 0; p * panelColumns < head.width; ++p) {
          multiplyPanel<false>(rows, keys, realColumns(p, head.width), dp, ldS, keysPacked + p * panelColumns * keys,
                               storedColumns(p, head.width), dq + query * head.ldQuery + p * panelColumns, head.ldQuery,
                               key == 0 ? From::zero : From::old, nullptr);
        }
      }
      const From from = group == 0 ? From::zero : From::old;
      for (int64_t p = 0; p * panelColumns < head.width; ++p) {
        const int64_t columns = realColumns(p, head.width), stored = storedColumns(p, head.width);
        const int64_t at = p * panelColumns, to = key * head.ld + at;
        multiplyPanel<true>(keys, queries, columns, dscores, ldS, packs ? queriesPacked + at * queries : head.q + group * head.ldQuery + at,
                            packs ? stored : head.ldQuery, dk + to, head.ld, from, nullptr);
        multiplyPanel<true>(keys, queries, columns, probabilities, ldS, packs ? doutPacked + at * queries : dout + group * head.ldOut + at,
                            packs ? stored : head.ldOut, dv + to, head.ld, from, nullptr);
      }
    }
  }
}

PENSTOCK_INLINE float multiplierOf(const Head &head, int64_t query, int64_t key, float *buffer) {
  return head.mask.threshold == 0 ? 1.0f : *makeMultipliers(head.mask, buffer, head.firstElement + query * head.length + key, 1);
}

void forwardWideHead(const Head &head, float *out, float *lse, int64_t ldLse, float *scratch) {
  for (int64_t query = 0; query < head.queries; ++query) {
    const float *q = head.q + query * head.ldQuery;
    float *o = out + query * head.ldOut;
    float top = -__builtin_inff();
    for (int64_t key = 0; key < head.length; ++key) {
      const float s = dot(q, head.k + key * head.ld, head.width);
      top = s > top ? s : top;
    }
    float sum = 0;
    __builtin_memset(o, 0, (size_t)head.width * sizeof(float));
    for (int64_t key = 0; key < head.length; ++key) {
      const float e = exponentialOf((dot(q, head.k + key * head.ld, head.width) - top) * head.scale);
      sum += e;
      addScaled(o, e * multiplierOf(head, query, key, scratch), head.v + key * head.ld, head.width);
    }
    scaleRow(o, 1.0f / sum, head.width);
    lse[query * ldLse] = top * head.scale + logarithmOf(sum);
  }
}

void backwardWideHead(const Head &head, const float *out, const float *lse, int64_t ldLse, const float *dout, float *dq, float *dk,
                      float *dv, float *scratch) {
  for (int64_t i = 0; i < head.queries; ++i) {
    __builtin_memset(dq + i * head.ldQuery, 0, (size_t)head.width * sizeof(float));
  }
  for (int64_t i = 0; i < head.length; ++i) {
    __builtin_memset(dk + i * head.ld, 0, (size_t)head.width * sizeof(float));
    __builtin_memset(dv + i * head.ld, 0, (size_t)head.width * sizeof(float));
  }
  for (int64_t query = 0; query < head.queries; ++query) {
    const float *q = head.q + query * head.ldQuery;
    const float *d = dout + query * head.ldOut;
    const float delta = dot(d, out + query * head.ldOut, head.width);
    for (int64_t key = 0; key < head.length; ++key) {
      const float *k = head.k + key * head.ld;
      const float p = exponentialOf(dot(q, k, head.width) * head.scale - lse[query * ldLse]);
      const float m = multiplierOf(head, query, key, scratch);
      const float ds = p * (dot(d, head.v + key * head.ld, head.width) * m - delta) * head.scale;
      addScaled(dq + query * head.ldQuery, ds, k, head.width);
      addScaled(dk + key * head.ld, ds, q, head.width);
      addScaled(dv + key * head.ld, p * m, d, head.width);
    }
  }
}

/// The operands of a call. Rows of q, and of what is computed for them, are those of the axis, or one a record where `first`.
struct Operands {
  const float *q, *k, *v;
  int64_t ldQuery, ld, heads, width;
  bool first;
  const int32_t *offsets;
  const uint64_t *recordNumbers;
  float dropout;
  uint64_t seed, step, key;
};

/// body(head, h, query, row) for every head of the records [begin, end): q begins at row `query`, keys and values at row `row`.
template <class Body> PENSTOCK_INLINE void forEachHead(const Operands &of, int64_t begin, int64_t end, const Body &body) {
  for (int64_t record = begin; record < end; ++record) {
    const int64_t row = of.offsets[record], length = of.offsets[record + 1] - row;
    const int64_t query = of.first ? record : row;
    const Mask mask = makeMask(of.dropout, of.dropout > 0 ? of.recordNumbers[record] : 0, of.seed, of.step, of.key);
    for (int64_t h = 0; h < of.heads; ++h) {
      const int64_t at = h * of.width;
      body(Head{length, of.first ? 1 : length, of.width, of.ldQuery, of.ld, of.q + query * of.ldQuery + at, of.k + row * of.ld + at,
                of.v + row * of.ld + at, of.heads * of.width, 1.0f / __builtin_sqrtf((float)of.width), mask, h * length * length},
           h, query, row);
    }
  }
}

void forwardRecords(const Operands &of, float *out, float *lse, int64_t begin, int64_t end, float *scratch) {
  forEachHead(of, begin, end, [&](const Head &head, int64_t h, int64_t query, int64_t) PENSTOCK_LAMBDA_INLINE {
    float *o = out + query * head.ldOut + h * head.width, *l = lse + query * of.heads + h;
    if (head.length == 0 && of.first) { // nothing to ask
      __builtin_memset(o, 0, (size_t)head.width * sizeof(float));
      *l = 0;
      return;
    }
    (head.width > maximumHead ? forwardWideHead : forwardHead)(head, o, l, of.heads, scratch);
  });
}

/// dq, dk and dv lie as q, k and v do.
void backwardRecords(const Operands &of, const float *out, const float *lse, const float *dout, float *dq, float *dk, float *dv,
                     int64_t begin, int64_t end, float *scratch) {
  forEachHead(of, begin, end, [&](const Head &head, int64_t h, int64_t query, int64_t row) PENSTOCK_LAMBDA_INLINE {
    const int64_t at = query * head.ldOut + h * head.width;
    const int64_t toQuery = query * head.ldQuery + h * head.width, toKey = row * head.ld + h * head.width;
    if (head.length == 0 && of.first) {
      __builtin_memset(dq + toQuery, 0, (size_t)head.width * sizeof(float));
      return;
    }
    (head.width > maximumHead ? backwardWideHead : backwardHead)(head, out + at, lse + query * of.heads + h, of.heads, dout + at,
                                                                 dq + toQuery, dk + toKey, dv + toKey, scratch);
  });
}

void attentionForward(const float *qkv, float *out, float *lse, const int32_t *offsets, const uint64_t *record_numbers, int64_t begin,
                      int64_t end, int64_t heads, int64_t width, float dropout, uint64_t seed, uint64_t step, uint64_t key,
                      float *scratch) {
  const int64_t columns = heads * width;
  forwardRecords({qkv, qkv + columns, qkv + 2 * columns, 3 * columns, 3 * columns, heads, width, false, offsets, record_numbers, dropout,
                  seed, step, key},
                 out, lse, begin, end, scratch);
}

void attentionBackward(const float *qkv, const float *out, const float *lse, const float *dout, float *dqkv, const int32_t *offsets,
                       const uint64_t *record_numbers, int64_t begin, int64_t end, int64_t heads, int64_t width, float dropout,
                       uint64_t seed, uint64_t step, uint64_t key, float *scratch) {
  const int64_t columns = heads * width;
  backwardRecords({qkv, qkv + columns, qkv + 2 * columns, 3 * columns, 3 * columns, heads, width, false, offsets, record_numbers, dropout,
                   seed, step, key},
                  out, lse, dout, dqkv, dqkv + columns, dqkv + 2 * columns, begin, end, scratch);
}

void attentionFirstForward(const float *q, const float *kv, float *out, float *lse, const int32_t *offsets, const uint64_t *record_numbers,
                           int64_t begin, int64_t end, int64_t heads, int64_t width, float dropout, uint64_t seed, uint64_t step,
                           uint64_t key, float *scratch) {
  const int64_t columns = heads * width;
  forwardRecords({q, kv, kv + columns, columns, 2 * columns, heads, width, true, offsets, record_numbers, dropout, seed, step, key}, out,
                 lse, begin, end, scratch);
}

void attentionFirstBackward(const float *q, const float *kv, const float *out, const float *lse, const float *dout, float *dq, float *dkv,
                            const int32_t *offsets, const uint64_t *record_numbers, int64_t begin, int64_t end, int64_t heads,
                            int64_t width, float dropout, uint64_t seed, uint64_t step, uint64_t key, float *scratch) {
  const int64_t columns = heads * width;
  backwardRecords({q, kv, kv + columns, columns, 2 * columns, heads, width, true, offsets, record_numbers, dropout, seed, step, key}, out,
                  lse, dout, dq, dkv, dkv + columns, begin, end, scratch);
}
