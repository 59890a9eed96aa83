// The matmul microkernel and what is built on it. Every element of a result is one chain of fused
// multiply-adds over k in ascending order, begun from zero, the bias or the old value; tiles,
// panels and blocks only say when a link is computed, never in which order. So a row's bits depend
// neither on the rows beside it nor on the level.

#if PENSTOCK_LANES == 16
constexpr int64_t tileRows = 14; // 28 accumulators of 32 registers
#else
constexpr int64_t tileRows = 6; // 12 accumulators of 16 registers
#endif
constexpr int64_t panelColumns = 2 * lanes;
// Of k: a panel's block and the tile's rows stay in the first-level cache (32 KB beside AVX2, 48 KB beside AVX-512).
constexpr int64_t depthBlock = PENSTOCK_LANES == 16 ? 192 : 320;
// The cache that the next block is fetched into, as __builtin_prefetch counts: the first level holds two blocks beside AVX-512.
constexpr int fetchedInto = PENSTOCK_LANES == 16 ? 3 : 2;

/// How accumulators begin.
enum class From { zero, old };

template <int rows, int vectors> struct Accumulators {
  Vec of[rows][vectors];
};

/// One step of the sum: the left factors stand at `left` (row 3 g + r: at left[g] + r * stride), the right ones at `right`.
/// The barrier keeps the compiler from loading factors of later steps, which would push accumulators out of registers.
template <int rows, int vectors, bool columnsFirst>
PENSTOCK_INLINE void multiplyStep(Accumulators<rows, vectors> &acc, const float *const *left, int64_t stride, int64_t step,
                                  const float *right) {
  __asm__ volatile("" ::: "memory");
  Vec b[vectors];
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; ++v) {
    b[v] = load(right + v * lanes);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i) {
    const Vec a = broadcast(columnsFirst ? left[0][i] : left[i / 3][i % 3 * stride + step]);
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) {
      acc.of[i][v] = fma(a, b[v], acc.of[i][v]);
    }
  }
}

/// acc += a[rows x depth] . b[depth x vectors * lanes]. Element (i, d) of a is a[i * lda + d], or a[i + d * lda] where
/// `columnsFirst`. Where `fetches`, as much as is read of b is fetched at `ahead`.
template <int rows, int vectors, bool columnsFirst, bool fetches>
PENSTOCK_INLINE void multiply(Accumulators<rows, vectors> &acc, int64_t depth, const float *a, int64_t lda, const float *b, int64_t ldb,
                              const float *ahead) {
  constexpr int bases = columnsFirst ? 1 : (rows + 2) / 3;
  const float *left[bases];
#pragma clang loop unroll(full)
  for (int g = 0; g < bases; ++g) {
    left[g] = a + 3 * g * lda;
  }
  int64_t d = 0;
  for (; d + 4 <= depth; d += 4) {
    if constexpr (fetches) {
#pragma clang loop unroll(full)
      for (int line = 0; line < vectors * lanes / 4; ++line) {
        __builtin_prefetch(ahead + vectors * lanes * d + line * 16, 0, fetchedInto);
      }
    }
#pragma clang loop unroll(full)
    for (int step = 0; step < 4; ++step) {
      multiplyStep<rows, vectors, columnsFirst>(acc, left, lda, step, b);
      b += ldb;
      left[0] += columnsFirst ? lda : 0;
    }
#pragma clang loop unroll(full)
    for (int g = 0; g < bases; ++g) {
      left[g] += columnsFirst ? 0 : 4;
      __asm__ volatile("" : "+r"(left[g])); // or each row gets a pointer of its own, more than there are registers
    }
  }
  for (; d < depth; ++d) {
    multiplyStep<rows, vectors, columnsFirst>(acc, left, lda, 0, b);
    b += ldb;
#pragma clang loop unroll(full)
    for (int g = 0; g < bases; ++g) {
      left[g] += columnsFirst ? lda : 1;
    }
  }
}

template <int rows, int vectors>
PENSTOCK_INLINE void begin(Accumulators<rows, vectors> &acc, From from, const float *bias, const float *c, int64_t ldc) {
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) {
      acc.of[i][v] = from == From::old ? load(c + i * ldc + v * lanes) : broadcast(0.0f);
    }
  }
  if (bias != nullptr) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) {
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; ++v) {
        acc.of[i][v] += load(bias + v * lanes);
      }
    }
  }
}

template <int rows, int vectors> PENSTOCK_INLINE void finish(const Accumulators<rows, vectors> &acc, float *c, int64_t ldc) {
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) {
      store(c + i * ldc + v * lanes, acc.of[i][v]);
    }
  }
}

/// One tile; the columns are whole vectors.
template <int rows, int vectors, bool columnsFirst, bool fetches>
void tile(int64_t depth, const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc, From from, const float *bias,
          const float *ahead) {
  Accumulators<rows, vectors> acc;
  begin<rows, vectors>(acc, from, bias, c, ldc);
  multiply<rows, vectors, columnsFirst, fetches>(acc, depth, a, lda, b, ldb, ahead);
  finish<rows, vectors>(acc, c, ldc);
}

using Tile = void (*)(int64_t depth, const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc, From from,
                      const float *bias, const float *ahead);

template <int vectors, bool columnsFirst, bool fetches> struct Tiles {
#if PENSTOCK_LANES == 16
  static constexpr Tile of[tileRows + 1] = {
      nullptr,
      tile<1, vectors, columnsFirst, fetches>,
      tile<2, vectors, columnsFirst, fetches>,
      tile<3, vectors, columnsFirst, fetches>,
      tile<4, vectors, columnsFirst, fetches>,
      tile<5, vectors, columnsFirst, fetches>,
      tile<6, vectors, columnsFirst, fetches>,
      tile<7, vectors, columnsFirst, fetches>,
      tile<8, vectors, columnsFirst, fetches>,
      tile<9, vectors, columnsFirst, fetches>,
      tile<10, vectors, columnsFirst, fetches>,
      tile<11, vectors, columnsFirst, fetches>,
      tile<12, vectors, columnsFirst, fetches>,
      tile<13, vectors, columnsFirst, fetches>,
      tile<14, vectors, columnsFirst, fetches>,
  };
#else
  static constexpr Tile of[tileRows + 1] = {
      nullptr,
      tile<1, vectors, columnsFirst, fetches>,
      tile<2, vectors, columnsFirst, fetches>,
      tile<3, vectors, columnsFirst, fetches>,
      tile<4, vectors, columnsFirst, fetches>,
      tile<5, vectors, columnsFirst, fetches>,
      tile<6, vectors, columnsFirst, fetches>,
  };
#endif
};

/// The number of rows of the next tile when `left` remain: full ones, but the last two of about
/// equal height, as a tile of one or two rows waits for its own sums.
PENSTOCK_INLINE int64_t nextTile(int64_t left) {
  if (left <= tileRows) {
    return left;
  }
  return left < 2 * tileRows ? (left + 1) / 2 : tileRows;
}

/// Columns of panel `p` of n columns that are real, and its stored width.
PENSTOCK_INLINE int64_t realColumns(int64_t p, int64_t n) { return minimum(panelColumns, n - p * panelColumns); }
PENSTOCK_INLINE int64_t storedColumns(int64_t p, int64_t n) { return roundUp(realColumns(p, n), lanes); }

/// c[rows x columns] = or += a . b for one panel: b holds `columns` rounded up to whole vectors, c
/// only `columns`. `bias` holds `columns`. `ahead`, where `fetches`, is the block of b that comes next. The first tile fetches all of it:
/// where rows are few there is no other, and weights stream from beyond the second-level cache.
template <bool columnsFirst, bool fetches = false>
void multiplyPanel(int64_t rows, int64_t depth, int64_t columns, const float *a, int64_t lda, const float *b, int64_t ldb, float *c,
                   int64_t ldc, From from, const float *bias, const float *ahead = nullptr) {
  const int64_t stepA = columnsFirst ? 1 : lda;
  const bool wide = columns > lanes;
  const Tile *tiles = wide ? Tiles<2, columnsFirst, fetches>::of : Tiles<1, columnsFirst, fetches>::of;
  const Tile *later = wide ? Tiles<2, columnsFirst, false>::of : Tiles<1, columnsFirst, false>::of;
  if (columns % lanes == 0) {
    for (int64_t i = 0; i < rows;) {
      const int64_t height = nextTile(rows - i);
      tiles[height](depth, a + i * stepA, lda, b, ldb, c + i * ldc, ldc, from, bias, ahead);
      tiles = later;
      i += height;
    }
    return;
  }
  const int64_t width = roundUp(columns, lanes);
  float heldBias[panelColumns] = {};
  float held[tileRows * panelColumns] = {};
  for (int64_t j = 0; bias != nullptr && j < columns; ++j) {
    heldBias[j] = bias[j];
  }
  for (int64_t i = 0; i < rows;) {
    const int64_t height = nextTile(rows - i);
    for (int64_t r = 0; from == From::old && r < height; ++r) {
      for (int64_t j = 0; j < columns; ++j) {
        held[r * width + j] = c[(i + r) * ldc + j];
      }
    }
    tiles[height](depth, a + i * stepA, lda, b, ldb, held, width, from, bias != nullptr ? heldBias : nullptr, ahead);
    tiles = later;
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t j = 0; j < columns; ++j) {
        c[(i + r) * ldc + j] = held[r * width + j];
      }
    }
    i += height;
  }
}

/// Size of the blocks that `k` is cut into: even ones, at most depthBlock.
PENSTOCK_INLINE int64_t depthOf(int64_t k) {
  const int64_t blocks = maximum(1, divideUp(k, depthBlock));
  return maximum(1, roundUp(divideUp(k, blocks), 4));
}

int64_t packedFloats(int64_t k, int64_t n) { return k * roundUp(n, lanes); }

void matmul(const float *packed, int64_t k, int64_t n, const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, const float *bias,
            int32_t accumulate) {
  if (rows <= 0) {
    return; // the operands may be null
  }
  const int64_t panels = divideUp(n, panelColumns);
  const int64_t depth = depthOf(k);
  const int64_t blocks = maximum(1, divideUp(k, depth));
  // Where x is larger than a share of the second-level cache, a block of it is used for all panels
  // before the next one.
  const bool depthOutside = rows * k > 65536;
  const int64_t outer = depthOutside ? blocks : panels;
  const int64_t inner = depthOutside ? panels : blocks;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      const int64_t p = depthOutside ? i : o;
      const int64_t d = (depthOutside ? o : i) * depth;
      const int64_t stored = storedColumns(p, n);
      multiplyPanel<false, true>(rows, minimum(depth, k - d), realColumns(p, n), x + d, ldx, packed + p * panelColumns * k + d * stored,
                                 stored, y + p * panelColumns, ldy, d > 0 || accumulate != 0 ? From::old : From::zero,
                                 d == 0 && bias != nullptr ? bias + p * panelColumns : nullptr,
                                 packed + p * panelColumns * k + d * stored + (depthOutside ? panelColumns * k : depth * stored));
    }
  }
}

struct PackJob {
  const float *w;
  int64_t ldw, k, n;
  int32_t transposed;
  float *packed;
};

void packPanels(void *context, int64_t begin, int64_t end, int32_t) {
  const PackJob &job = *static_cast<const PackJob *>(context);
  for (int64_t p = begin; p < end; ++p) {
    const int64_t columns = realColumns(p, job.n);
    const int64_t stored = storedColumns(p, job.n);
    float *to = job.packed + p * panelColumns * job.k;
    if (job.transposed == 0) {
      const float *from = job.w + p * panelColumns;
      copyColumns(to, stored, from, job.ldw, job.k, columns);
    } else {
      const float *from = job.w + p * panelColumns * job.ldw;
      transposeBlock(to, stored, from, job.ldw, job.k, columns);
    }
  }
}

void pack(void *pool, const float *w, int64_t ldw, int64_t k, int64_t n, int32_t transposed, float *packed) {
  PackJob job = {w, ldw, k, n, transposed, packed};
  penstock_parallel_for(pool, packPanels, &job, divideUp(n, panelColumns), maximum(1, 16384 / maximum(1, k * panelColumns)));
}
