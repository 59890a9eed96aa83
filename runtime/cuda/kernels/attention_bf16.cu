// Attention with operands rounded to bf16, by the tensor cores, for heads of 16, 32, 64 or 128 numbers. A block of 4 warps takes tiles of
// 64 queries, a warp 16 of them, and walks over keys 64 at a time; backward there are tiles of queries, for their gradient, and tiles of
// keys, for theirs. A record of one tile of keys is done by one block. A row's bits depend neither on its tile nor on its neighbours.
#include "runtime/cuda/kernels/attention_head.h"
#include "runtime/cuda/kernels/bf16_tiles.h"

constexpr int pairThreads = 128, pairRows = 64;
constexpr float log2OfE = 1.4426950408889634f, logOf2 = 0.6931471805599453f;

template <int WIDTH> constexpr int headTile = pairRows * WIDTH * 2; // bytes

/// Some rows of a head, rounded; zeros beyond `valid`.
template <int WIDTH, int rows = pairRows>
DEVICE void loadHeadTile(unsigned char *tile, const float *from, i64 ld, i64 valid, const AttentionArguments &of) {
#pragma unroll 2
  for (int s = 0; s < rows * WIDTH / 8 / pairThreads; ++s) {
    const int i = threadX() + pairThreads * s, row = i / (WIDTH / 8), chunk = i % (WIDTH / 8);
    *(U4 *)chunkOf<WIDTH>(tile, row, chunk) = rounded(loadEight(from + row * ld + chunk * 8, row < valid ? 8 : 0, of.whole != 0));
  }
}

/// Numbers of a warp's 16 rows and 8 N columns: of fragment n, element e stands in row lane / 4 + e / 2 * 8 and column
/// 8 n + lane % 4 * 2 + e % 2.
template <int N> struct PairTile {
  float of[N][4];
};
/// rows . others^T, over the width in ascending order; the columns are the rows of `others` from `column` on.
template <int WIDTH, int N> DEVICE void multiplyPairs(PairTile<N> &s, unsigned char *rows, int row0, unsigned char *others, int column) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
    s.of[n][0] = s.of[n][1] = s.of[n][2] = s.of[n][3] = 0;
  }
#pragma unroll
  for (int d = 0; d < WIDTH / 16; ++d) {
    u32 a[4];
    fragmentA<WIDTH>(a, rows, row0, 2 * d);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      u32 b[4];
      fragmentB<WIDTH>(b, others, column + n * 8, 2 * d);
      mma(s.of[n], a, b);
      mma(s.of[n + 1], a, b + 2);
    }
  }
}

template <int WIDTH> struct HeadSums {
  float of[WIDTH / 8][4];
};
template <int WIDTH> DEVICE void clearHead(HeadSums<WIDTH> &sums) {
#pragma unroll
  for (int n = 0; n < WIDTH / 8; ++n) {
    sums.of[n][0] = sums.of[n][1] = sums.of[n][2] = sums.of[n][3] = 0;
  }
}
/// sums += (16 rows x 16 of depth) . rows [depth, depth + 16) of a head, its columns from 8 `chunk` on.
template <int WIDTH, int COLUMNS>
DEVICE void addHead(HeadSums<COLUMNS> &sums, const u32 (&a)[4], unsigned char *tile, int depth, int chunk = 0) {
#pragma unroll
  for (int n = 0; n < COLUMNS / 8; n += 2) {
    u32 b[4];
    fragmentBOfRows<WIDTH>(b, tile, depth, chunk + n);
    mma(sums.of[n], a, b);
    mma(sums.of[n + 1], a, b + 2);
  }
}
/// The same with a tile of pairs as the left side: its columns are the depth, from row `depth` of the head's tile on.
template <int WIDTH, int N> DEVICE void addPairs(HeadSums<WIDTH> &sums, const PairTile<N> &p, unsigned char *tile, int depth) {
#pragma unroll
  for (int d = 0; d < N / 2; ++d) {
    const float (&low)[4] = p.of[2 * d], (&high)[4] = p.of[2 * d + 1];
    const u32 a[4] = {packBf16(low[0], low[1]), packBf16(low[2], low[3]), packBf16(high[0], high[1]), packBf16(high[2], high[3])};
    addHead<WIDTH>(sums, a, tile, depth + 16 * d);
  }
}
/// Rows lane / 4 and + 8 of 16 to `to`, of which `rows` are there; factors of the two.
template <int WIDTH>
DEVICE void storeHead(const AttentionArguments &of, float *to, i64 ld, i64 rows, const HeadSums<WIDTH> &sums, float factor0,
                      float factor8) {
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int row = laneX() / 4 + 8 * h;
    const float factor = h == 0 ? factor0 : factor8;
    if (row < rows) {
#pragma unroll
      for (int n = 0; n < WIDTH / 8; ++n) {
        float *const here = to + row * ld + n * 8 + laneX() % 4 * 2;
        const F2 v = {sums.of[n][2 * h] * factor, sums.of[n][2 * h + 1] * factor};
        if (of.whole != 0) {
          *(F2 *)here = v;
        } else {
          here[0] = v.x;
          here[1] = v.y;
        }
      }
    }
  }
}

/// Which of a lane's numbers of a tile of pairs dropout keeps: bit 4 n + e. `element` is the tile's first in the lane's first row, `below`
/// how many elements later the row 8 below begins. Bits, in a loop that stays one: as factors they would fill the registers.
template <int N> DEVICE u32 keptPairs(const AttentionArguments &of, const AttentionHead &head, i64 element, i64 below) {
  u32 kept = 0;
#pragma unroll 1
  for (int group = 0; group < 8; ++group) { // row half group / 4, column % 16 = 8 * (group / 2 % 2) + lane % 4 * 2 + group % 2
    const i64 first = element + (group < 4 ? 0 : below) + group / 2 % 2 * 8 + laneX() % 4 * 2 + group % 2;
    const u32 some = keptElements<N / 2>(of, head, first);
    const int bit = group / 2 % 2 * 4 + group / 4 * 2 + group % 2;
#pragma unroll
    for (int j = 0; j < N / 2; ++j) {
      kept |= (some >> j & 1) << (8 * j + bit);
    }
  }
  return kept;
}

template <int WIDTH>
DEVICE void forwardPairs(const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 first, unsigned char *shared) {
  unsigned char *queries = shared, *keys = queries + headTile<WIDTH>, *values = keys + headTile<WIDTH>;
  constexpr int N = WIDTH >= 64 ? 4 : 8, keysAtOnce = 8 * N;
  const int warpRow = warpX() * 16, column = laneX() % 4 * 2;
  const bool asks = first + warpRow < head.queries;
  const float scale = of.scale * log2OfE;
  HeadSums<WIDTH> sums;
  clearHead(sums);
  float top[2] = {-INFINITE, -INFINITE}, sum[2] = {0, 0};
  syncBlock(); // the tile before is still read
  loadHeadTile<WIDTH>(queries, of.q + (head.query + first) * of.ldQuery + head.at, of.ldQuery, head.queries - first, of);
  for (i64 key = 0; key < head.length; key += keysAtOnce) {
    const i64 left = head.length - key, from = (head.row + key) * of.ld + head.at;
    if (key > 0) {
      syncBlock();
    }
    loadHeadTile<WIDTH, keysAtOnce>(keys, of.k + from, of.ld, left, of);
    loadHeadTile<WIDTH, keysAtOnce>(values, of.v + from, of.ld, left, of);
    syncBlock();
    if (!asks) {
      continue;
    }
    PairTile<N> s;
    multiplyPairs<WIDTH>(s, queries, warpRow, keys, 0);
    float here[2] = {top[0], top[1]}, decay[2];
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        s.of[n][e] = n * 8 + column + e % 2 < left ? s.of[n][e] * scale : -INFINITE;
        here[e / 2] = larger(here[e / 2], s.of[n][e]);
      }
    }
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      here[h] = quadLargest(here[h]);
      decay[h] = exp2Fast(top[h] - here[h]);
      top[h] = here[h];
      sum[h] *= decay[h];
    }
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        s.of[n][e] = exp2Fast(s.of[n][e] - top[e / 2]);
        sum[e / 2] += s.of[n][e];
      }
    }
    if (of.threshold != 0) {
      const i64 element = head.element + (first + warpRow + laneX() / 4) * head.length + key;
      const u32 kept = keptPairs<N>(of, head, element, 8 * head.length);
#pragma unroll
      for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          s.of[n][e] = kept >> (4 * n + e) & 1 ? s.of[n][e] * of.multiplier : 0.0f;
        }
      }
    }
#pragma unroll
    for (int n = 0; n < WIDTH / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        sums.of[n][e] *= decay[e / 2];
      }
    }
    addPairs<WIDTH>(sums, s, values, 0);
  }
  if (!asks) {
    return;
  }
  const i64 row = head.query + first + warpRow, rows = head.queries - first - warpRow;
  float factors[2];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    sum[h] = quadSum(sum[h]);
    factors[h] = divide(1.0f, sum[h]);
    if (laneX() % 4 == 0 && laneX() / 4 + 8 * h < rows) {
      of.lse[(row + laneX() / 4 + 8 * h) * of.heads + headNumber] = (top[h] + log2Fast(sum[h])) * logOf2;
    }
  }
  storeHead<WIDTH>(of, of.out + row * head.ldOut + head.at, head.ldOut, rows, sums, factors[0], factors[1]);
}

template <int WIDTH> DEVICE void forwardBlock(const AttentionArguments &of, unsigned char *shared) {
  const i64 record = blockX(), headNumber = blockZ();
  if (record >= countOf(of.capacity, of.count)) {
    return;
  }
  const AttentionHead head = attentionHead(of, record, headNumber);
  if (head.length == 0 && of.first != 0 && blockY() == 0) {
    clearAnswer<pairThreads>(of, head, record, headNumber);
  }
  for (i64 first = (i64)blockY() * pairRows; first < head.queries; first += (i64)gridY() * pairRows) {
    forwardPairs<WIDTH>(of, head, headNumber, first, shared);
  }
}

/// Shared memory of the gradient.
template <int WIDTH> struct GradientTiles {
  unsigned char *queries, *douts, *keys, *values, *ps, *dss; // ps, dss: 64 queries x 64 keys
  float *deltas;                                             // lse and delta of the queries
};
template <int WIDTH> DEVICE GradientTiles<WIDTH> gradientTiles(unsigned char *shared) {
  GradientTiles<WIDTH> made;
  made.queries = shared;
  made.douts = made.queries + headTile<WIDTH>;
  made.keys = made.douts + headTile<WIDTH>;
  made.values = made.keys + headTile<WIDTH>;
  made.ps = made.values + headTile<WIDTH>;
  made.dss = made.ps + headTile<pairRows>;
  made.deltas = (float *)(made.dss + headTile<pairRows>);
  return made;
}

/// p with dropout, and d(score), of the warp's 16 queries of the tile and 32 of its keys, in s and dp.
template <int WIDTH>
DEVICE void pairGradients(PairTile<4> &s, PairTile<4> &dp, const AttentionArguments &of, const AttentionHead &head,
                          const GradientTiles<WIDTH> &tiles, i64 query, i64 key, int part) {
  const int warpRow = warpX() * 16, column = laneX() % 4 * 2;
  multiplyPairs<WIDTH>(s, tiles.queries, warpRow, tiles.keys, part);
  multiplyPairs<WIDTH>(dp, tiles.douts, warpRow, tiles.values, part);
  u32 kept = ~0u;
  if (of.threshold != 0) {
    kept = keptPairs<4>(of, head, head.element + (query + warpRow + laneX() / 4) * head.length + key + part, 8 * head.length);
  }
  const float kept1 = of.threshold != 0 ? of.multiplier : 1.0f, scale = of.scale * log2OfE;
  const i64 keysLeft = head.length - key - part, queriesLeft = head.queries - query - warpRow;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int row = laneX() / 4 + 8 * h;
    const float lse = tiles.deltas[warpRow + row] * log2OfE, delta = tiles.deltas[pairRows + warpRow + row];
#pragma unroll
    for (int n = 0; n < 4; ++n) {
#pragma unroll
      for (int e = 2 * h; e < 2 * h + 2; ++e) {
        const bool inside = n * 8 + column + e % 2 < keysLeft && row < queriesLeft;
        const float p = inside ? exp2Fast(multiplyAdd(s.of[n][e], scale, -lse)) : 0.0f;
        const float multiplier = kept >> (4 * n + e) & 1 ? kept1 : 0.0f;
        dp.of[n][e] = inside ? p * (dp.of[n][e] * multiplier - delta) * of.scale : 0.0f;
        s.of[n][e] = p * multiplier;
      }
    }
  }
}

template <int WIDTH>
DEVICE void loadQueries(const GradientTiles<WIDTH> &tiles, const AttentionArguments &of, const AttentionHead &head, i64 headNumber,
                        i64 query) {
  const i64 row = head.query + query, left = head.queries - query;
  loadHeadTile<WIDTH>(tiles.queries, of.q + row * of.ldQuery + head.at, of.ldQuery, left, of);
  loadHeadTile<WIDTH>(tiles.douts, of.dout + row * head.ldOut + head.at, head.ldOut, left, of);
  loadDeltas<pairThreads>(tiles.deltas, pairRows, of, head, headNumber, query);
}
template <int WIDTH>
DEVICE void loadKeys(const GradientTiles<WIDTH> &tiles, const AttentionArguments &of, const AttentionHead &head, i64 key) {
  const i64 from = (head.row + key) * of.ld + head.at, left = head.length - key;
  loadHeadTile<WIDTH>(tiles.keys, of.k + from, of.ld, left, of);
  loadHeadTile<WIDTH>(tiles.values, of.v + from, of.ld, left, of);
}

/// d(queries) of the tile from `first` on.
template <int WIDTH>
DEVICE void gradientOfQueries(const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 first,
                              const GradientTiles<WIDTH> &tiles) {
  const i64 mine = first + warpX() * 16;
  HeadSums<WIDTH> dq;
  clearHead(dq);
  syncBlock();
  loadQueries<WIDTH>(tiles, of, head, headNumber, first);
  for (i64 key = 0; key < head.length; key += pairRows) {
    if (key > 0) {
      syncBlock();
    }
    loadKeys<WIDTH>(tiles, of, head, key);
    syncBlock();
    if (mine < head.queries) {
#pragma unroll 1
      for (int part = 0; part < pairRows; part += 32) {
        PairTile<4> p, ds;
        pairGradients<WIDTH>(p, ds, of, head, tiles, first, key, part);
        addPairs<WIDTH>(dq, ds, tiles.keys, part);
      }
    }
  }
  storeHead<WIDTH>(of, of.dq + (head.query + mine) * of.ldQuery + head.at, of.ldQuery, head.queries - mine, dq, 1, 1);
}

/// d(keys) and d(values) of the tile from `first` on; where it is the only one, d(queries) too.
template <int WIDTH>
DEVICE void gradientOfKeys(const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 first,
                           const GradientTiles<WIDTH> &tiles) {
  const bool only = head.length <= pairRows;
  const int warpRow = warpX() * 16;
  HeadSums<WIDTH> dk, dv;
  clearHead(dk);
  clearHead(dv);
  syncBlock();
  loadKeys<WIDTH>(tiles, of, head, first);
  for (i64 query = 0; query < head.queries; query += pairRows) {
    if (query > 0) {
      syncBlock();
    }
    loadQueries<WIDTH>(tiles, of, head, headNumber, query);
    syncBlock();
#pragma unroll 1
    for (int part = 0; part < pairRows; part += 32) {
      PairTile<4> p, ds;
      pairGradients<WIDTH>(p, ds, of, head, tiles, query, first, part);
#pragma unroll
      for (int n = 0; n < 4; ++n) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const int row = warpRow + laneX() / 4 + 8 * h;
          ((u32 *)chunkOf<pairRows>(tiles.ps, row, part / 8 + n))[laneX() % 4] = packBf16(p.of[n][2 * h], p.of[n][2 * h + 1]);
          ((u32 *)chunkOf<pairRows>(tiles.dss, row, part / 8 + n))[laneX() % 4] = packBf16(ds.of[n][2 * h], ds.of[n][2 * h + 1]);
        }
      }
    }
    syncBlock();
    if (only && query + warpRow < head.queries) {
      constexpr int columns = WIDTH == 128 ? 64 : WIDTH; // at a time, beside d(keys) and d(values)
      float *const to = of.dq + (head.query + query + warpRow) * of.ldQuery + head.at;
#pragma unroll 1
      for (int column = 0; column < WIDTH; column += columns) {
        HeadSums<columns> dq;
        clearHead(dq);
#pragma unroll 1
        for (int d = 0; d < pairRows / 16; ++d) {
          u32 a[4];
          fragmentA<pairRows>(a, tiles.dss, warpRow, 2 * d);
          addHead<WIDTH>(dq, a, tiles.keys, 16 * d, column / 8);
        }
        storeHead<columns>(of, to + column, of.ldQuery, head.queries - query - warpRow, dq, 1, 1);
      }
    }
    const int count = (int)smaller(pairRows, head.queries - query);
#pragma unroll 1
    for (int d = 0; d < count; d += 16) { // what is beyond the queries is zero
      u32 a[4];
      fragmentAOfColumns<pairRows>(a, tiles.dss, d, warpX() * 2);
      addHead<WIDTH>(dk, a, tiles.queries, d);
      fragmentAOfColumns<pairRows>(a, tiles.ps, d, warpX() * 2);
      addHead<WIDTH>(dv, a, tiles.douts, d);
    }
  }
  const i64 to = (head.row + first + warpRow) * of.ld + head.at, rows = head.length - first - warpRow;
  storeHead<WIDTH>(of, of.dk + to, of.ld, rows, dk, 1, 1);
  storeHead<WIDTH>(of, of.dv + to, of.ld, rows, dv, 1, 1);
}

/// Even parts take queries, odd ones keys.
template <int WIDTH> DEVICE void backwardBlock(const AttentionArguments &of, unsigned char *shared) {
  const i64 record = blockX(), headNumber = blockZ();
  if (record >= countOf(of.capacity, of.count)) {
    return;
  }
  const AttentionHead head = attentionHead(of, record, headNumber);
  const i64 begin = (i64)(blockY() / 2) * pairRows, step = (i64)(gridY() / 2) * pairRows;
  if (head.length == 0 && of.first != 0 && blockY() == 0) {
    clearGradient<pairThreads>(of, head, record);
  }
  const GradientTiles<WIDTH> tiles = gradientTiles<WIDTH>(shared);
  if (blockY() % 2 == 0) {
    for (i64 first = begin; first < head.queries && head.length > pairRows; first += step) {
      gradientOfQueries<WIDTH>(of, head, headNumber, first, tiles);
    }
  } else {
    for (i64 first = begin; first < head.length; first += step) {
      gradientOfKeys<WIDTH>(of, head, headNumber, first, tiles);
    }
  }
}

#define ATTENTION_BF16(width, forwardBlocks, backwardBlocks)                                                                               \
  RESIDENT_KERNEL(128, forwardBlocks, attention_bf16_##width, (AttentionArguments of)) {                                                   \
    DYNAMIC_SHARED(shared);                                                                                                                \
    forwardBlock<width>(of, shared);                                                                                                       \
  }                                                                                                                                        \
  RESIDENT_KERNEL(128, backwardBlocks, attention_grad_bf16_##width, (AttentionArguments of)) {                                             \
    DYNAMIC_SHARED(shared);                                                                                                                \
    backwardBlock<width>(of, shared);                                                                                                      \
  }
ATTENTION_BF16(16, 3, 3)
ATTENTION_BF16(32, 3, 3)
ATTENTION_BF16(64, 3, 2)
ATTENTION_BF16(128, 2, 2)
