// The weight gradient of conv1d: for tap j, dw[j] = sum over rows t of x[t + j - left]^T dy[t],
// within records. x is transposed and dy packed once, as for a linear layer; chunks end where
// records do, so that a shift stays inside one.

struct ConvWeightJob {
  const PenstockConv *conv;
  const float *x, *dy;
  const int32_t *offsets, *chunks; // chunks: first record of each, and `records`
  int64_t rows, chunkCount;
  float *transposed, *panels, *dw;
  int64_t inputBlocks, panelBlocks;
};

void packForConvWeight(void *context, int64_t begin, int64_t end, int32_t) {
  const ConvWeightJob &job = *static_cast<const ConvWeightJob *>(context);
  const int64_t k = job.conv->k, n = job.conv->n;
  const int64_t inputs = divideUp(k, 64), perChunk = inputs + job.panelBlocks;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t chunk = item / perChunk, part = item % perChunk;
    const int64_t first = job.offsets[job.chunks[chunk]];
    const int64_t count = job.offsets[job.chunks[chunk + 1]] - first;
    if (part < inputs) {
      transpose(job.transposed + first * k + part * 64 * count, count, job.x + first * k + part * 64, k, minimum(64, k - part * 64), count);
      continue;
    }
    const int64_t firstPanel = (part - inputs) * blockPanels;
    const int64_t lastPanel = minimum(divideUp(n, panelColumns), firstPanel + blockPanels);
    for (int64_t p = firstPanel; p < lastPanel; ++p) {
      const int64_t stored = storedColumns(p, n);
      copyColumns(job.panels + p * panelColumns * job.rows + first * stored, stored, job.dy + first * n + p * panelColumns, n, count,
                  realColumns(p, n));
    }
  }
}

/// The tile's sums over the records [firstRecord, lastRecord) of one chunk, shifted by `shift`
/// rows.
template <int rows, int vectors>
void shiftedTile(const int32_t *offsets, int64_t firstRecord, int64_t lastRecord, int64_t shift, const float *a, int64_t lda,
                 const float *b, int64_t ldb, float *c, int64_t ldc, From from) {
  Accumulators<rows, vectors> acc;
  begin<rows, vectors>(acc, from, nullptr, c, ldc);
  const int64_t base = offsets[firstRecord];
  for (int64_t record = firstRecord; record < lastRecord; ++record) {
    const int64_t first = offsets[record] + maximum(0, -shift) - base;
    const int64_t last = offsets[record + 1] - maximum(0, shift) - base;
    if (first < last) {
      multiply<rows, vectors, false, false>(acc, last - first, a + first + shift, lda, b + first * ldb, ldb, nullptr);
    }
  }
  finish<rows, vectors>(acc, c, ldc);
}

using ShiftedTile = void (*)(const int32_t *offsets, int64_t firstRecord, int64_t lastRecord, int64_t shift, const float *a, int64_t lda,
                             const float *b, int64_t ldb, float *c, int64_t ldc, From from);

template <int vectors> struct ShiftedTiles {
#if PENSTOCK_LANES == 16
  static constexpr ShiftedTile of[tileRows + 1] = {
      nullptr,
      shiftedTile<1, vectors>,
      shiftedTile<2, vectors>,
      shiftedTile<3, vectors>,
      shiftedTile<4, vectors>,
      shiftedTile<5, vectors>,
      shiftedTile<6, vectors>,
      shiftedTile<7, vectors>,
      shiftedTile<8, vectors>,
      shiftedTile<9, vectors>,
      shiftedTile<10, vectors>,
      shiftedTile<11, vectors>,
      shiftedTile<12, vectors>,
      shiftedTile<13, vectors>,
      shiftedTile<14, vectors>,
  };
#else
  static constexpr ShiftedTile of[tileRows + 1] = {
      nullptr,
      shiftedTile<1, vectors>,
      shiftedTile<2, vectors>,
      shiftedTile<3, vectors>,
      shiftedTile<4, vectors>,
      shiftedTile<5, vectors>,
      shiftedTile<6, vectors>,
  };
#endif
};

/// Items are (tap, block of inputs, block of panels).
void multiplyForConvWeight(void *context, int64_t begin, int64_t end, int32_t) {
  const ConvWeightJob &job = *static_cast<const ConvWeightJob *>(context);
  const int64_t k = job.conv->k, n = job.conv->n, left = (job.conv->width - 1) / 2;
  float held[tileRows * panelColumns];
  for (int64_t item = begin; item < end; ++item) {
    const int64_t tap = item / (job.inputBlocks * job.panelBlocks);
    const int64_t within = item % (job.inputBlocks * job.panelBlocks);
    const int64_t firstInput = within / job.panelBlocks * blockInputs;
    const int64_t inputs = minimum(blockInputs, k - firstInput);
    const int64_t firstPanel = within % job.panelBlocks * blockPanels;
    const int64_t lastPanel = minimum(divideUp(n, panelColumns), firstPanel + blockPanels);
    float *dw = job.dw + (tap * k + firstInput) * n;
    for (int64_t chunk = 0; chunk < job.chunkCount; ++chunk) {
      const int64_t firstRecord = job.chunks[chunk], lastRecord = job.chunks[chunk + 1];
      const int64_t first = job.offsets[firstRecord], count = job.offsets[lastRecord] - first;
      for (int64_t p = firstPanel; p < lastPanel; ++p) {
        const int64_t real = realColumns(p, n), stored = storedColumns(p, n);
        const ShiftedTile *tiles = real > lanes ? ShiftedTiles<2>::of : ShiftedTiles<1>::of;
        const float *b = job.panels + p * panelColumns * job.rows + first * stored;
        for (int64_t i = 0; i < inputs;) {
          const int64_t height = nextTile(inputs - i);
          const float *a = job.transposed + first * k + (firstInput + i) * count;
          float *c = dw + i * n + p * panelColumns;
          const From from = chunk == 0 ? From::zero : From::old;
          const bool whole = real == stored;
          for (int64_t r = 0; !whole && from == From::old && r < height; ++r) {
            for (int64_t j = 0; j < real; ++j) {
              held[r * stored + j] = c[r * n + j];
            }
          }
          tiles[height](job.offsets, firstRecord, lastRecord, tap - left, a, count, b, stored, whole ? c : held, whole ? n : stored, from);
          for (int64_t r = 0; !whole && r < height; ++r) {
            for (int64_t j = 0; j < real; ++j) {
              c[r * n + j] = held[r * stored + j];
            }
          }
          i += height;
        }
      }
    }
  }
}

void convGradientWeight(const PenstockConv *conv, void *pool, const float *x, const float *dy, const int32_t *offsets, int64_t records,
                        float *dw, float *scratch) {
  const int64_t k = conv->k, n = conv->n, rows = records > 0 ? offsets[records] : 0;
  if (rows == 0) {
    __builtin_memset(dw, 0, (size_t)(conv->width * k * n) * sizeof(float));
    return;
  }
  // At most 2,000 chunks, so that their list fits the scratch's spare floats.
  const int64_t target = maximum(chunkRows, divideUp(rows, 2000));
  int32_t *chunks = reinterpret_cast<int32_t *>(scratch);
  int64_t chunkCount = 0;
  for (int64_t record = 0; record < records; ++chunkCount) {
    chunks[chunkCount] = (int32_t)record;
    const int64_t first = offsets[record];
    while (record < records && offsets[record] - first < target) {
      ++record;
    }
  }
  chunks[chunkCount] = (int32_t)records;
  float *transposed = scratch + 2048;
  ConvWeightJob job = {conv,
                       x,
                       dy,
                       offsets,
                       chunks,
                       rows,
                       chunkCount,
                       transposed,
                       transposed + roundUp(rows * k, 16),
                       dw,
                       divideUp(k, blockInputs),
                       divideUp(divideUp(n, panelColumns), blockPanels)};
  penstock_parallel_for(pool, packForConvWeight, &job, chunkCount * (divideUp(k, 64) + job.panelBlocks), 1);
  penstock_parallel_for(pool, multiplyForConvWeight, &job, conv->width * job.inputBlocks * job.panelBlocks, 1);
}
