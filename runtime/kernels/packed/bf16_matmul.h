// Matmul and weight gradient with operands rounded to bf16 and sums in float32. Operands lie as contiguous tiles: on Sapphire Rapids the
// speed is that of reading tiles (docs/design/precision.md). A row's bits depend on that row alone: tiles of sums take no number from
// another row, and the depth is walked in ascending order in blocks that only say when sums go through memory.
//
// A packed weight of k x n is a sequence of panels of 32 columns; a panel is its tiles of depth, ascending, two right tiles each. What is
// beyond k or n is zero.

/// Steps of depth in a block: a panel's block stays in the first-level cache (32 KB) while rows of tiles pass by.
constexpr int64_t depthBlock = 16;

PENSTOCK_INLINE int64_t depthTiles(int64_t k) { return divideUp(k, tileDepth); }
PENSTOCK_INLINE int64_t panelWords(int64_t tiles) { return tiles * 2 * tileWords; }

int64_t packedFloats(int64_t k, int64_t n) { return divideUp(n, panelColumns) * panelWords(depthTiles(k)); }

/// `count` numbers at `from`, the rest of 32 zero.
PENSTOCK_INLINE const float *padded(float *held, const float *from, int64_t count) {
  if (count >= 32) {
    return from;
  }
  for (int64_t i = 0; i < 32; ++i) {
    held[i] = i < count ? from[i] : 0.0f;
  }
  return held;
}

/// A right tile of rows [0, rows) (at most 32) and columns [0, columns) (at most 16) at `from`.
PENSTOCK_INLINE void rightTile(uint32_t *to, const float *from, int64_t ld, int64_t rows, int64_t columns) {
  const float zeros[16] = {};
  float heldFirst[16], heldSecond[16];
  const auto rowAt = [&](int64_t row, float *held) PENSTOCK_LAMBDA_INLINE -> const float * {
    if (row >= rows) {
      return zeros;
    }
    if (columns >= 16) {
      return from + row * ld;
    }
    for (int64_t j = 0; j < 16; ++j) {
      held[j] = j < columns ? from[row * ld + j] : 0.0f;
    }
    return held;
  };
  for (int64_t pair = 0; pair < 16; ++pair) {
    interleave(to + pair * 16, rowAt(2 * pair, heldFirst), rowAt(2 * pair + 1, heldSecond));
  }
}

/// A left tile of rows [0, rows) (at most 16) and `depth` numbers each (at most 32).
PENSTOCK_INLINE void leftTile(uint32_t *to, const float *from, int64_t ld, int64_t rows, int64_t depth) {
  float held[32];
  for (int64_t i = 0; i < rows; ++i) {
    narrow(to + i * 16, padded(held, from + i * ld, depth));
  }
  __builtin_memset(to + rows * 16, 0, (size_t)(tileRows - rows) * 64);
}

struct PackJob {
  const float *w;
  int64_t ldw, k, n;
  int32_t transposed;
  uint32_t *packed;
};

void packPanels(void *context, int64_t begin, int64_t end, int32_t) {
  const PackJob &job = *static_cast<const PackJob *>(context);
  const int64_t tiles = depthTiles(job.k);
  for (int64_t p = begin; p < end; ++p) {
    uint32_t *to = job.packed + p * panelWords(tiles);
    for (int64_t d = 0; d < tiles; ++d) {
      const int64_t depth = minimum(tileDepth, job.k - d * tileDepth);
      for (int64_t half = 0; half < 2; ++half, to += tileWords) {
        const int64_t column = p * panelColumns + half * 16;
        const int64_t columns = maximum(0, minimum(16, job.n - column));
        if (columns == 0) {
          __builtin_memset(to, 0, tileWords * 4);
        } else if (job.transposed == 0) {
          rightTile(to, job.w + d * tileDepth * job.ldw + column, job.ldw, depth, columns);
        } else {
          alignas(64) uint32_t tile[tileWords];
          leftTile(tile, job.w + column * job.ldw + d * tileDepth, job.ldw, columns, depth);
          transposeTile(to, tile);
        }
      }
    }
  }
}

void pack(void *pool, const float *w, int64_t ldw, int64_t k, int64_t n, int32_t transposed, float *packed) {
  PackJob job = {w, ldw, k, n, transposed, (uint32_t *)packed};
  penstock_parallel_for(pool, packPanels, &job, divideUp(n, panelColumns), maximum(1, 16384 / maximum(1, k * panelColumns)));
}

/// product() for a block of which only `rows` and `columns` are real: at most 32 each.
PENSTOCK_INLINE void multiplyBlock(Tiles &tiles, int64_t rows, int64_t columns, int64_t depth, const uint32_t *a, int64_t strideA,
                                   const uint32_t *b, const float *from, int64_t ldFrom, float *c, int64_t ldc) {
  if (rows == 32 && columns == 32) {
    product<2, 2>(tiles, depth, a, strideA, b, from, ldFrom, c, ldc);
    return;
  }
  alignas(64) float held[32 * 32];
  if (from != nullptr && ldFrom != 0) {
    for (int64_t i = 0; i < roundUp(rows, tileRows); ++i) {
      for (int64_t j = 0; j < 32; ++j) {
        held[i * 32 + j] = i < rows && j < columns ? from[i * ldFrom + j] : 0.0f;
      }
    }
    from = held;
    ldFrom = 32;
  }
  if (rows > 16 && columns > 16) {
    product<2, 2>(tiles, depth, a, strideA, b, from, ldFrom, held, 32);
  } else if (rows > 16) {
    product<2, 1>(tiles, depth, a, strideA, b, from, ldFrom, held, 32);
  } else if (columns > 16) {
    product<1, 2>(tiles, depth, a, strideA, b, from, ldFrom, held, 32);
  } else {
    product<1, 1>(tiles, depth, a, strideA, b, from, ldFrom, held, 32);
  }
  for (int64_t i = 0; i < rows; ++i) {
    __builtin_memcpy(c + i * ldc, held + i * 32, (size_t)columns * sizeof(float));
  }
}

/// Tiles of x that a call holds rounded, in the second-level cache: 1.1 MB of the stack, 192 rows of 3,072 numbers.
constexpr int64_t heldTiles = 1152, mostRows = 192;
constexpr int64_t widestSegment = 128; // steps of depth held at once; a wider x comes in several

void matmul(const float *packedFloatsOfWeight, int64_t k, int64_t n, const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows,
            const float *bias, int32_t accumulate) {
  if (rows <= 0 || n <= 0) {
    return; // the operands may be null
  }
  const uint32_t *packed = (const uint32_t *)packedFloatsOfWeight;
  alignas(64) uint32_t held[heldTiles * tileWords];
  Tiles tiles;
  if (accumulate != 0 && bias != nullptr) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        y[i * ldy + j] += bias[j];
      }
    }
    bias = nullptr;
  }
  const int64_t depth = depthTiles(k), segment = minimum(maximum(depth, 1), widestSegment);
  const int64_t rowsAtOnce = minimum(mostRows, heldTiles / segment / 2 * 2 * tileRows);
  const int64_t blocks = maximum(1, divideUp(segment, depthBlock)), block = divideUp(segment, blocks);
  for (int64_t row = 0; row < rows; row += rowsAtOnce) {
    const int64_t count = minimum(rowsAtOnce, rows - row);
    for (int64_t first = 0; first == 0 || first < depth; first += segment) {
      const int64_t here = minimum(segment, depth - first);
      for (int64_t t = 0; t < divideUp(count, tileRows); ++t) {
        for (int64_t d = 0; d < here; ++d) {
          const int64_t at = (first + d) * tileDepth;
          leftTile(held + (t * here + d) * tileWords, x + (row + t * tileRows) * ldx + at, ldx, minimum(tileRows, count - t * tileRows),
                   minimum(tileDepth, k - at));
        }
      }
      for (int64_t column = 0; column < n; column += panelColumns) {
        const int64_t columns = minimum(panelColumns, n - column);
        const uint32_t *panel = packed + column / panelColumns * panelWords(depth) + panelWords(first);
        float heldBias[32];
        const float *beginning = bias != nullptr ? padded(heldBias, bias + column, columns) : nullptr;
        for (int64_t d = 0; d == 0 || d < here; d += block) {
          const bool old = first + d > 0 || accumulate != 0;
          for (int64_t i = 0; i < count; i += 32) {
            float *c = y + (row + i) * ldy + column;
            multiplyBlock(tiles, minimum(32, count - i), columns, minimum(block, here - d), held + (i / tileRows * here + d) * tileWords,
                          here * tileWords, panel + panelWords(d), old ? c : beginning, old ? ldy : 0, c, ldy);
          }
        }
      }
    }
  }
}

// Rows of tiles and panels of dw in a parallel item.
constexpr int64_t itemInputs = 128, itemPanels = 4;

/// x^T as left tiles: [16 inputs][steps of 32 rows]; dy as panels over the rows.
struct WeightGradientJob {
  const float *x, *dy;
  int64_t ldx, lddy, rows, k, n, steps;
  uint32_t *left, *right;
  float *dw;
  int64_t panelBlocks;
};

constexpr int64_t packSteps = 8; // of 32 rows, in a parallel item

void packForWeightGradient(void *context, int64_t begin, int64_t end, int32_t) {
  const WeightGradientJob &job = *static_cast<const WeightGradientJob *>(context);
  const int64_t inputTiles = divideUp(job.k, tileRows), panels = divideUp(job.n, panelColumns);
  const int64_t inputItems = divideUp(inputTiles, 4), panelItems = divideUp(panels, 4);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item / (inputItems + panelItems) * packSteps, part = item % (inputItems + panelItems);
    for (int64_t step = first; step < minimum(job.steps, first + packSteps); ++step) {
      const int64_t count = minimum(tileDepth, job.rows - step * tileDepth);
      if (part < inputItems) {
        for (int64_t t = part * 4; t < minimum(inputTiles, part * 4 + 4); ++t) {
          alignas(64) uint32_t tile[tileWords];
          rightTile(tile, job.x + step * tileDepth * job.ldx + t * tileRows, job.ldx, count, minimum(tileRows, job.k - t * tileRows));
          transposeTile(job.left + (t * job.steps + step) * tileWords, tile);
        }
        continue;
      }
      for (int64_t p = (part - inputItems) * 4; p < minimum(panels, (part - inputItems) * 4 + 4); ++p) {
        for (int64_t half = 0; half < 2; ++half) {
          const int64_t column = p * panelColumns + half * 16;
          rightTile(job.right + p * panelWords(job.steps) + panelWords(step) + half * tileWords,
                    job.dy + step * tileDepth * job.lddy + column, job.lddy, column < job.n ? count : 0, minimum(16, job.n - column));
        }
      }
    }
  }
}

void multiplyForWeightGradient(void *context, int64_t begin, int64_t end, int32_t) {
  const WeightGradientJob &job = *static_cast<const WeightGradientJob *>(context);
  Tiles tiles;
  const int64_t blocks = maximum(1, divideUp(job.steps, depthBlock)), block = maximum(1, divideUp(job.steps, blocks));
  for (int64_t item = begin; item < end; ++item) {
    const int64_t firstInput = item / job.panelBlocks * itemInputs, lastInput = minimum(job.k, firstInput + itemInputs);
    const int64_t firstColumn = item % job.panelBlocks * itemPanels * panelColumns;
    const int64_t lastColumn = minimum(job.n, firstColumn + itemPanels * panelColumns);
    for (int64_t d = 0; d == 0 || d < job.steps; d += block) {
      for (int64_t column = firstColumn; column < lastColumn; column += panelColumns) {
        const uint32_t *panel = job.right + column / panelColumns * panelWords(job.steps) + panelWords(d);
        for (int64_t input = firstInput; input < lastInput; input += 32) {
          float *c = job.dw + input * job.n + column;
          multiplyBlock(tiles, minimum(32, lastInput - input), minimum(panelColumns, job.n - column), minimum(block, job.steps - d),
                        job.left + (input / tileRows * job.steps + d) * tileWords, job.steps * tileWords, panel, d > 0 ? c : nullptr, job.n,
                        c, job.n);
        }
      }
    }
  }
}

void weightGradient(void *pool, int64_t k, int64_t n, const float *x, int64_t ldx, const float *dy, int64_t lddy, int64_t rows, float *dw,
                    float *scratch) {
  if (k == 0 || n == 0) {
    return;
  }
  const int64_t steps = divideUp(rows, tileDepth), inputTiles = divideUp(k, tileRows), panels = divideUp(n, panelColumns);
  uint32_t *left = (uint32_t *)scratch;
  WeightGradientJob job = {
      x, dy, ldx, lddy, rows, k, n, steps, left, left + inputTiles * steps * tileWords, dw, divideUp(panels, itemPanels)};
  const int64_t packItems = divideUp(steps, packSteps) * (divideUp(inputTiles, 4) + divideUp(panels, 4));
  const int64_t items = divideUp(k, itemInputs) * job.panelBlocks;
  const bool small = rows * k * n < 1048576; // waking the other threads does not pay
  penstock_parallel_for(pool, packForWeightGradient, &job, packItems, small ? maximum(1, packItems) : 1);
  penstock_parallel_for(pool, multiplyForWeightGradient, &job, items, small ? items : 1);
}
