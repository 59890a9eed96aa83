// Attention in float32 for heads of up to 128 numbers. A block of 8 warps takes tiles of 64 queries (or keys) of a head of a record and
// walks over the keys (queries); no pair's number leaves the block. Widths are rounded up to 32, 64 or 128 with zeros.
//
// A sum over a head's width is one chain over it; sums over keys (queries) are one chain in their order. So a row has the same bits
// whatever tile it stands in. A lane holds the keys c + 16 j, which is how dropout's bits lie.
#include "runtime/cuda/kernels/attention_head.h"

constexpr int attentionRows = 64;

template <int WIDTH> constexpr int attentionStride = WIDTH + 4;
template <int WIDTH> constexpr int forwardKeys = WIDTH == 128 ? 32 : 64;
template <int WIDTH> constexpr int backwardOthers = WIDTH == 128 ? 16 : 32; // keys at once for d(queries), queries for d(keys)

/// tile[rows x WIDTH] = rows of a head, zeros beyond `valid` rows and `width` columns.
template <int WIDTH>
DEVICE void loadHead(float *tile, const float *from, i64 ld, int rows, i64 valid, i64 width, const AttentionArguments &of) {
  for (int i = threadX(); i < rows * (WIDTH / 4); i += 256) {
    const int row = i / (WIDTH / 4), column = i % (WIDTH / 4) * 4;
    F4 v = {0, 0, 0, 0};
    if (row < valid && column < width) {
      const float *here = from + row * ld + column;
      if (of.whole != 0) {
        v = *(const F4 *)here;
      } else {
        v.x = here[0];
        v.y = column + 1 < width ? here[1] : 0.0f;
        v.z = column + 2 < width ? here[2] : 0.0f;
        v.w = column + 3 < width ? here[3] : 0.0f;
      }
      if (of.round != 0) {
        v = {roundedToBf16(v.x), roundedToBf16(v.y), roundedToBf16(v.z), roundedToBf16(v.w)};
      }
    }
    *(F4 *)(tile + row * attentionStride<WIDTH> + column) = v;
  }
}

/// s[i][j] = row a0 + i of `a` times row b0 + 16 j of `b`.
template <int WIDTH, int rows, int others> DEVICE void products(float (&s)[rows][others], const float *a, int a0, const float *b, int b0) {
  constexpr int stride = attentionStride<WIDTH>;
#pragma unroll
  for (int i = 0; i < rows; ++i) {
#pragma unroll
    for (int j = 0; j < others; ++j) {
      s[i][j] = 0;
    }
  }
#pragma unroll 1
  for (int d = 0; d < WIDTH; d += 4) {
    F4 x[rows], y[others];
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      x[i] = *(const F4 *)(a + (a0 + i) * stride + d);
    }
#pragma unroll
    for (int j = 0; j < others; ++j) {
      y[j] = *(const F4 *)(b + (b0 + 16 * j) * stride + d);
    }
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int j = 0; j < others; ++j) {
        s[i][j] = multiplyAdd(x[i].x, y[j].x, s[i][j]);
        s[i][j] = multiplyAdd(x[i].y, y[j].y, s[i][j]);
        s[i][j] = multiplyAdd(x[i].z, y[j].z, s[i][j]);
        s[i][j] = multiplyAdd(x[i].w, y[j].w, s[i][j]);
      }
    }
  }
}

/// A lane's columns of a head: WIDTH / 16, in pieces of 4 (2 of width 32).
template <int WIDTH> DEVICE int headColumn(int i) { return WIDTH == 32 ? laneX() % 16 * 2 + i : i / 4 * 64 + laneX() % 16 * 4 + i % 4; }
template <int WIDTH> DEVICE void readColumns(float (&to)[WIDTH / 16], const float *row) {
  if constexpr (WIDTH == 32) {
    const F2 v = *(const F2 *)(row + headColumn<WIDTH>(0));
    to[0] = v.x;
    to[1] = v.y;
  } else {
#pragma unroll
    for (int s = 0; s < WIDTH / 64; ++s) {
      const F4 v = *(const F4 *)(row + headColumn<WIDTH>(4 * s));
      to[4 * s] = v.x;
      to[4 * s + 1] = v.y;
      to[4 * s + 2] = v.z;
      to[4 * s + 3] = v.w;
    }
  }
}

/// sums[i] += factors[i] * the lane's columns of `row`.
template <int WIDTH> DEVICE void addRows(float (&sums)[4][WIDTH / 16], const float (&factors)[4], const float *row) {
  float v[WIDTH / 16];
  readColumns<WIDTH>(v, row);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int c = 0; c < WIDTH / 16; ++c) {
      sums[i][c] = multiplyAdd(factors[i], v[c], sums[i][c]);
    }
  }
}
template <int WIDTH> DEVICE void clearSums(float (&sums)[4][WIDTH / 16]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int c = 0; c < WIDTH / 16; ++c) {
      sums[i][c] = 0;
    }
  }
}
/// The lane's columns of row i of four, times factors[i], to `to`.
template <int WIDTH>
DEVICE void storeRows(float *to, i64 ld, i64 rows, i64 width, const float (&sums)[4][WIDTH / 16], const float (&factors)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int c = 0; c < WIDTH / 16; ++c) {
      if (i < rows && headColumn<WIDTH>(c) < width) {
        to[i * ld + headColumn<WIDTH>(c)] = sums[i][c] * factors[i];
      }
    }
  }
}

DEVICE float rowLargest(float v) {
#pragma unroll
  for (int mask = 1; mask < 16; mask *= 2) {
    v = larger(v, shuffleXor(v, mask));
  }
  return v;
}

/// Which of a lane's numbers of `rows` queries (from `query` on) and `each` keys (from `key` on, 16 apart) dropout keeps: bit each * i + j.
/// Bits, in a loop that stays one: all at once would fill the registers.
template <int rows, int each> DEVICE u32 keptNumbers(const AttentionArguments &of, const AttentionHead &head, i64 query, i64 key) {
  if (of.threshold == 0) {
    return ~0u;
  }
  u32 kept = 0;
#pragma unroll 1
  for (int i = 0; i < rows; ++i) {
    kept |= keptElements<each>(of, head, head.element + (query + i) * head.length + key) << (each * i);
  }
  return kept;
}

/// Forward, one tile of queries from `first` on. A warp takes 8 of them, a half of it 4.
template <int WIDTH>
DEVICE void forwardTile(const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 first, float *shared) {
  constexpr int stride = attentionStride<WIDTH>, keys = forwardKeys<WIDTH>, strideP = keys + 4, each = keys / 16;
  float *tileQ = shared, *tileK = tileQ + attentionRows * stride, *tileV = tileK + keys * stride, *tileP = tileV + keys * stride;
  const int mine = warpX() * 8 + laneX() / 16 * 4, c = laneX() % 16;
  const bool asks = first + warpX() * 8 < head.queries; // all of the warp
  float sums[4][WIDTH / 16], top[4], sum[4];
  clearSums<WIDTH>(sums);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    top[i] = -INFINITE;
    sum[i] = 0;
  }
  syncBlock(); // the tile before is still read
  loadHead<WIDTH>(tileQ, of.q + (head.query + first) * of.ldQuery + head.at, of.ldQuery, attentionRows, head.queries - first, of.width, of);
  for (i64 key = 0; key < head.length; key += keys) {
    if (key > 0) {
      syncBlock();
    }
    const i64 left = head.length - key, from = (head.row + key) * of.ld + head.at;
    loadHead<WIDTH>(tileK, of.k + from, of.ld, keys, left, of.width, of);
    loadHead<WIDTH>(tileV, of.v + from, of.ld, keys, left, of.width, of);
    syncBlock();
    if (!asks) {
      continue;
    }
    float s[4][each];
    products<WIDTH>(s, tileQ, mine, tileK, c);
    const u32 kept = keptNumbers<4, each>(of, head, first + mine, key + c);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float here = top[i];
#pragma unroll
      for (int j = 0; j < each; ++j) {
        here = c + 16 * j < left ? larger(here, s[i][j]) : here;
      }
      here = rowLargest(here);
      const float decay = key == 0 ? 0.0f : exponential((top[i] - here) * of.scale), shift = -here * of.scale;
      top[i] = here;
      float part = 0;
#pragma unroll
      for (int j = 0; j < each; ++j) {
        const float e = c + 16 * j < left ? exponential(multiplyAdd(s[i][j], of.scale, shift)) : 0.0f;
        part += e;
        float p = of.threshold != 0 ? (kept >> (each * i + j) & 1 ? e * of.multiplier : 0.0f) : e;
        p = of.round != 0 ? roundedToBf16(p) : p;
        tileP[(mine + i) * strideP + c + 16 * j] = p;
      }
      sum[i] = sum[i] * decay + rowSum(part);
#pragma unroll
      for (int column = 0; column < WIDTH / 16; ++column) {
        sums[i][column] *= decay;
      }
    }
    syncWarp(); // a warp's rows of P are its own
    const int count = (int)smaller(keys, left);
    for (int k = 0; k < count; ++k) {
      float p[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        p[i] = tileP[(mine + i) * strideP + k];
      }
      addRows<WIDTH>(sums, p, tileV + k * stride);
    }
  }
  if (!asks) {
    return;
  }
  const i64 row = head.query + first + mine, rows = head.queries - first - mine;
  float factors[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    factors[i] = divide(1.0f, sum[i]);
    if (c == 0 && i < rows) {
      of.lse[(row + i) * of.heads + headNumber] = multiplyAdd(top[i], of.scale, logarithm(sum[i]));
    }
  }
  storeRows<WIDTH>(of.out + row * head.ldOut + head.at, head.ldOut, rows, of.width, sums, factors);
}

template <int WIDTH> DEVICE void forwardHead(const AttentionArguments &of, unsigned char *shared) {
  const i64 record = blockX(), headNumber = blockZ();
  if (record >= countOf(of.capacity, of.count)) {
    return;
  }
  const AttentionHead head = attentionHead(of, record, headNumber);
  if (head.length == 0 && of.first != 0 && blockY() == 0) {
    clearAnswer<256>(of, head, record, headNumber);
  }
  for (i64 first = (i64)blockY() * attentionRows; first < head.queries; first += (i64)gridY() * attentionRows) {
    forwardTile<WIDTH>(of, head, headNumber, first, (float *)shared);
  }
}

/// p (with dropout) and d(score) of a pair.
struct PairGradient {
  float p, ds;
};
DEVICE PairGradient pairGradient(const AttentionArguments &of, float score, float dp, float lse, float delta, bool inside, bool kept) {
  if (!inside) {
    return {0, 0};
  }
  const float p = exponential(multiplyAdd(score, of.scale, -lse)), multiplier = of.threshold == 0 ? 1.0f : kept ? of.multiplier : 0.0f;
  const PairGradient made = {p * multiplier, p * (dp * multiplier - delta) * of.scale};
  return of.round != 0 ? PairGradient{roundedToBf16(made.p), roundedToBf16(made.ds)} : made;
}

/// d(queries) of one tile of queries.
template <int WIDTH>
DEVICE void backwardQueries(const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 first, float *shared) {
  constexpr int stride = attentionStride<WIDTH>, keys = backwardOthers<WIDTH>, strideS = keys + 4, each = keys / 16;
  float *tileQ = shared, *tileD = tileQ + attentionRows * stride, *tileK = tileD + attentionRows * stride, *tileV = tileK + keys * stride;
  float *tileS = tileV + keys * stride, *deltas = tileS + attentionRows * strideS;
  const int mine = warpX() * 8 + laneX() / 16 * 4, c = laneX() % 16;
  const bool asks = first + warpX() * 8 < head.queries;
  const i64 valid = head.queries - first;
  float sums[4][WIDTH / 16];
  clearSums<WIDTH>(sums);
  syncBlock();
  loadHead<WIDTH>(tileQ, of.q + (head.query + first) * of.ldQuery + head.at, of.ldQuery, attentionRows, valid, of.width, of);
  loadHead<WIDTH>(tileD, of.dout + (head.query + first) * head.ldOut + head.at, head.ldOut, attentionRows, valid, of.width, of);
  loadDeltas<256>(deltas, attentionRows, of, head, headNumber, first);
  for (i64 key = 0; key < head.length; key += keys) {
    if (key > 0) {
      syncBlock();
    }
    const i64 left = head.length - key, from = (head.row + key) * of.ld + head.at;
    loadHead<WIDTH>(tileK, of.k + from, of.ld, keys, left, of.width, of);
    loadHead<WIDTH>(tileV, of.v + from, of.ld, keys, left, of.width, of);
    syncBlock();
    if (!asks) {
      continue;
    }
    float s[4][each], dp[4][each];
    products<WIDTH>(s, tileQ, mine, tileK, c);
    products<WIDTH>(dp, tileD, mine, tileV, c);
    const u32 kept = keptNumbers<4, each>(of, head, first + mine, key + c);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < each; ++j) {
        const bool inside = mine + i < valid && c + 16 * j < left;
        tileS[(mine + i) * strideS + c + 16 * j] = pairGradient(of, s[i][j], dp[i][j], deltas[mine + i], deltas[attentionRows + mine + i],
                                                                inside, (kept >> (each * i + j) & 1) != 0)
                                                       .ds;
      }
    }
    syncWarp();
    const int count = (int)smaller(keys, left);
    for (int k = 0; k < count; ++k) {
      float ds[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        ds[i] = tileS[(mine + i) * strideS + k];
      }
      addRows<WIDTH>(sums, ds, tileK + k * stride);
    }
  }
  const float ones[4] = {1, 1, 1, 1};
  storeRows<WIDTH>(of.dq + (head.query + first + mine) * of.ldQuery + head.at, of.ldQuery, valid - mine, of.width, sums, ones);
}

/// d(keys) and d(values) of one tile of keys.
template <int WIDTH>
DEVICE void backwardKeys(const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 first, float *shared) {
  constexpr int stride = attentionStride<WIDTH>, queries = backwardOthers<WIDTH>, strideS = attentionRows + 4, each = queries / 16;
  float *tileK = shared, *tileV = tileK + attentionRows * stride, *tileQ = tileV + attentionRows * stride,
        *tileD = tileQ + queries * stride;
  float *tileP = tileD + queries * stride, *tileS = tileP + queries * strideS, *deltas = tileS + queries * strideS;
  const int asking = warpX() * (queries / 8) + laneX() / 16 * each, mine = warpX() * 8 + laneX() / 16 * 4, c = laneX() % 16;
  const i64 valid = head.length - first, from = (head.row + first) * of.ld + head.at;
  float sumsK[4][WIDTH / 16], sumsV[4][WIDTH / 16];
  clearSums<WIDTH>(sumsK);
  clearSums<WIDTH>(sumsV);
  syncBlock();
  loadHead<WIDTH>(tileK, of.k + from, of.ld, attentionRows, valid, of.width, of);
  loadHead<WIDTH>(tileV, of.v + from, of.ld, attentionRows, valid, of.width, of);
  for (i64 query = 0; query < head.queries; query += queries) {
    if (query > 0) {
      syncBlock();
    }
    const i64 left = head.queries - query, row = head.query + query;
    loadHead<WIDTH>(tileQ, of.q + row * of.ldQuery + head.at, of.ldQuery, queries, left, of.width, of);
    loadHead<WIDTH>(tileD, of.dout + row * head.ldOut + head.at, head.ldOut, queries, left, of.width, of);
    loadDeltas<256>(deltas, queries, of, head, headNumber, query);
    syncBlock();
    float s[each][4], dp[each][4];
    products<WIDTH>(s, tileQ, asking, tileK, c);
    products<WIDTH>(dp, tileD, asking, tileV, c);
    const u32 kept = keptNumbers<each, 4>(of, head, query + asking, first + c);
#pragma unroll
    for (int i = 0; i < each; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const bool inside = asking + i < left && c + 16 * j < valid;
        const PairGradient pair =
            pairGradient(of, s[i][j], dp[i][j], deltas[asking + i], deltas[queries + asking + i], inside, (kept >> (4 * i + j) & 1) != 0);
        tileP[(asking + i) * strideS + c + 16 * j] = pair.p;
        tileS[(asking + i) * strideS + c + 16 * j] = pair.ds;
      }
    }
    syncBlock();
    const int count = (int)smaller(queries, left);
    for (int k = 0; k < count; ++k) {
      const F4 p = *(const F4 *)(tileP + k * strideS + mine), ds = *(const F4 *)(tileS + k * strideS + mine);
      const float factorsP[4] = {p.x, p.y, p.z, p.w}, factorsS[4] = {ds.x, ds.y, ds.z, ds.w};
      addRows<WIDTH>(sumsK, factorsS, tileQ + k * stride);
      addRows<WIDTH>(sumsV, factorsP, tileD + k * stride);
    }
  }
  const float ones[4] = {1, 1, 1, 1};
  const i64 to = from + mine * of.ld;
  storeRows<WIDTH>(of.dk + to, of.ld, valid - mine, of.width, sumsK, ones);
  storeRows<WIDTH>(of.dv + to, of.ld, valid - mine, of.width, sumsV, ones);
}

/// Even parts take queries, odd ones keys.
template <int WIDTH> DEVICE void backwardHead(const AttentionArguments &of, unsigned char *shared) {
  const i64 record = blockX(), headNumber = blockZ();
  if (record >= countOf(of.capacity, of.count)) {
    return;
  }
  const AttentionHead head = attentionHead(of, record, headNumber);
  if (head.length == 0 && of.first != 0 && blockY() == 0) {
    clearGradient<256>(of, head, record);
  }
  const i64 begin = (i64)(blockY() / 2) * attentionRows, step = (i64)(gridY() / 2) * attentionRows;
  if (blockY() % 2 == 0) {
    for (i64 first = begin; first < head.queries; first += step) {
      backwardQueries<WIDTH>(of, head, headNumber, first, (float *)shared);
    }
  } else {
    for (i64 first = begin; first < head.length; first += step) {
      backwardKeys<WIDTH>(of, head, headNumber, first, (float *)shared);
    }
  }
}

#define ATTENTION(width, blocks)                                                                                                           \
  RESIDENT_KERNEL(256, 2, attention_##width, (AttentionArguments of)) {                                                                    \
    DYNAMIC_SHARED(shared);                                                                                                                \
    forwardHead<width>(of, shared);                                                                                                        \
  }                                                                                                                                        \
  RESIDENT_KERNEL(256, blocks, attention_grad_##width, (AttentionArguments of)) {                                                          \
    DYNAMIC_SHARED(shared);                                                                                                                \
    backwardHead<width>(of, shared);                                                                                                       \
  }
ATTENTION(32, 2)
ATTENTION(64, 2)
ATTENTION(128, 1)
