// dw = x^T . dy: both operands packed once, some rows of them at a time, then one chain of multiply-adds a weight over the
// rows in order.

// Rows of x^T and dy at a time: a unit of caching only, the order of sums is the same.
constexpr int64_t chunkRows = 256;
// Rows and panels of dw in a parallel item; the rows are whole tiles. Large weights take items of four times the area, which read
// each operand half as often.
constexpr int64_t blockInputs = PENSTOCK_LANES == 16 ? 56 : 48, blockPanels = 4;
constexpr int64_t largeWeight = 131072;
// Packed at a time: stays in the third-level cache until it is used (1,600 rows of 384 x 384 at once: 3 % slower).
constexpr int64_t packedFloatsAtOnce = 524288;

/// Some rows: x lies in strips of tileRows columns (the last one of the rest), dy in panels; each strip and panel goes over these rows.
struct WeightGradientJob {
  const float *x, *dy;
  int64_t ldx, lddy, rows, k, n;
  float *strips, *panels, *dw;
  int64_t inputsAtOnce, panelsAtOnce, inputBlocks, panelBlocks;
  From from;
};

// Strips in a parallel item of packing: read from x together, as a line of it holds several.
constexpr int64_t packStrips = 60 / tileRows;
// Rows of x between the one that is packed and the one that is fetched: hardware does not foresee some lines of each row.
constexpr int64_t fetchRows = 8;

/// to[rows x tileRows] = a strip of whole width.
PENSTOCK_INLINE void copyStripRow(float *to, const float *from) {
  constexpr int64_t width = tileRows > 8 ? 8 : 4; // two overlapping copies
  static_assert(tileRows >= width && tileRows <= 2 * width);
  __builtin_memcpy(to, from, width * sizeof(float));
  __builtin_memcpy(to + tileRows - width, from + tileRows - width, width * sizeof(float));
}

void packForWeightGradient(void *context, int64_t begin, int64_t end, int32_t) {
  const WeightGradientJob &job = *static_cast<const WeightGradientJob *>(context);
  const int64_t strips = divideUp(job.k, tileRows), stripItems = divideUp(strips, packStrips);
  const int64_t perChunk = stripItems + job.panelBlocks;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item / perChunk * chunkRows;
    const int64_t count = minimum(chunkRows, job.rows - first);
    const int64_t part = item % perChunk;
    if (part < stripItems) {
      const int64_t firstStrip = part * packStrips, lastStrip = minimum(strips, firstStrip + packStrips);
      const int64_t lastWhole = minimum(job.k / tileRows, lastStrip);
      for (int64_t i = first; i < first + count; ++i) {
        const float *from = job.x + i * job.ldx;
        for (int64_t j = firstStrip * tileRows; j < lastStrip * tileRows; j += 16) {
          __builtin_prefetch(from + fetchRows * job.ldx + j);
        }
        for (int64_t s = firstStrip; s < lastWhole; ++s) {
          copyStripRow(job.strips + (s * job.rows + i) * tileRows, from + s * tileRows);
        }
      }
      if (lastWhole < lastStrip) {
        const int64_t width = job.k - lastWhole * tileRows;
        for (int64_t i = first; i < first + count; ++i) {
          for (int64_t j = 0; j < width; ++j) {
            job.strips[lastWhole * job.rows * tileRows + i * width + j] = job.x[i * job.ldx + lastWhole * tileRows + j];
          }
        }
      }
      continue;
    }
    const int64_t firstPanel = (part - stripItems) * job.panelsAtOnce;
    const int64_t lastPanel = minimum(divideUp(job.n, panelColumns), firstPanel + job.panelsAtOnce);
    for (int64_t p = firstPanel; p < lastPanel; ++p) {
      const int64_t stored = storedColumns(p, job.n);
      copyColumns(job.panels + p * panelColumns * job.rows + first * stored, stored, job.dy + first * job.lddy + p * panelColumns, job.lddy,
                  count, realColumns(p, job.n));
    }
  }
}

void multiplyForWeightGradient(void *context, int64_t begin, int64_t end, int32_t) {
  const WeightGradientJob &job = *static_cast<const WeightGradientJob *>(context);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t firstInput = item / job.panelBlocks * job.inputsAtOnce;
    const int64_t lastInput = minimum(job.k, firstInput + job.inputsAtOnce);
    const int64_t firstPanel = item % job.panelBlocks * job.panelsAtOnce;
    const int64_t lastPanel = minimum(divideUp(job.n, panelColumns), firstPanel + job.panelsAtOnce);
    for (int64_t first = 0; first < job.rows || first == 0; first += chunkRows) {
      const int64_t count = minimum(chunkRows, job.rows - first);
      for (int64_t p = firstPanel; p < lastPanel; ++p) {
        const int64_t stored = storedColumns(p, job.n);
        const float *panel = job.panels + p * panelColumns * job.rows + first * stored;
        for (int64_t i = firstInput; i < lastInput; i += tileRows) {
          const int64_t width = minimum(tileRows, lastInput - i);
          const auto multiply = i == firstInput ? multiplyPanel<true, true> : multiplyPanel<true, false>;
          multiply(width, count, realColumns(p, job.n), job.strips + i * job.rows + first * width, width, panel, stored,
                   job.dw + i * job.n + p * panelColumns, job.n, first == 0 ? job.from : From::old, nullptr,
                   panel + panelColumns * job.rows);
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
  const int64_t times = k * n >= largeWeight ? 2 : 1;
  const int64_t inputsAtOnce = times * blockInputs, panelsAtOnce = times * blockPanels;
  const int64_t inputBlocks = divideUp(k, inputsAtOnce), panelBlocks = divideUp(divideUp(n, panelColumns), panelsAtOnce);
  // Passes of even size: strips whose distance is a multiple of a page would share few sets of the first-level cache.
  const int64_t passes = maximum(1, divideUp(rows, maximum(1, packedFloatsAtOnce / (k + n) / chunkRows) * chunkRows));
  const int64_t rowsAtOnce = maximum(1, divideUp(rows, passes));
  // Waking the other threads costs about a microsecond; below this much work it does not pay.
  const bool small = rows * k * n < 65536;
  for (int64_t first = 0; first < rows || first == 0; first += rowsAtOnce) {
    const int64_t count = minimum(rowsAtOnce, rows - first);
    WeightGradientJob job = {x + first * ldx,
                             dy + first * lddy,
                             ldx,
                             lddy,
                             count,
                             k,
                             n,
                             scratch,
                             scratch + roundUp(count * k, 16),
                             dw,
                             inputsAtOnce,
                             panelsAtOnce,
                             inputBlocks,
                             panelBlocks,
                             first == 0 ? From::zero : From::old};
    const int64_t packItems = divideUp(count, chunkRows) * (divideUp(divideUp(k, tileRows), packStrips) + panelBlocks);
    const int64_t items = inputBlocks * panelBlocks;
    penstock_parallel_for(pool, packForWeightGradient, &job, packItems, small ? maximum(1, packItems) : 1);
    penstock_parallel_for(pool, multiplyForWeightGradient, &job, items, small ? items : 1);
  }
}
