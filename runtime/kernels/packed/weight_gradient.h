// dw = x^T . dy: both operands packed once, then one chain of multiply-adds a weight over the rows
// in order.

// Rows of x^T and dy at a time: a unit of caching only, the order of sums is the same.
constexpr int64_t chunkRows = 256;
// Rows and panels of dw in a parallel item; the rows are whole tiles. Large weights take items of four times the area, which read
// each operand half as often.
constexpr int64_t blockInputs = PENSTOCK_LANES == 16 ? 56 : 48, blockPanels = 4;
constexpr int64_t largeWeight = 131072;

/// x^T lies in chunks of rows: chunk c is [k x rows of c] at k * chunkRows * c. dy lies in panels
/// over all rows.
struct WeightGradientJob {
  const float *x, *dy;
  int64_t ldx, lddy, rows, k, n;
  float *transposed, *panels, *dw;
  int64_t inputsAtOnce, panelsAtOnce, inputBlocks, panelBlocks;
};

void packForWeightGradient(void *context, int64_t begin, int64_t end, int32_t) {
  const WeightGradientJob &job = *static_cast<const WeightGradientJob *>(context);
  const int64_t inputs = divideUp(job.k, 64);
  const int64_t perChunk = inputs + job.panelBlocks;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item / perChunk * chunkRows;
    const int64_t count = minimum(chunkRows, job.rows - first);
    const int64_t part = item % perChunk;
    if (part < inputs) {
      transpose(job.transposed + first * job.k + part * 64 * count, count,
                job.x + first * job.ldx + part * 64, job.ldx, minimum(64, job.k - part * 64),
                count);
      continue;
    }
    const int64_t firstPanel = (part - inputs) * job.panelsAtOnce;
    const int64_t lastPanel = minimum(divideUp(job.n, panelColumns), firstPanel + job.panelsAtOnce);
    for (int64_t p = firstPanel; p < lastPanel; ++p) {
      const int64_t stored = storedColumns(p, job.n);
      copyColumns(job.panels + p * panelColumns * job.rows + first * stored, stored,
                  job.dy + first * job.lddy + p * panelColumns, job.lddy, count,
                  realColumns(p, job.n));
    }
  }
}

void multiplyForWeightGradient(void *context, int64_t begin, int64_t end, int32_t) {
  const WeightGradientJob &job = *static_cast<const WeightGradientJob *>(context);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t firstInput = item / job.panelBlocks * job.inputsAtOnce;
    const int64_t inputs = minimum(job.inputsAtOnce, job.k - firstInput);
    const int64_t firstPanel = item % job.panelBlocks * job.panelsAtOnce;
    const int64_t lastPanel = minimum(divideUp(job.n, panelColumns), firstPanel + job.panelsAtOnce);
    for (int64_t first = 0; first < job.rows || first == 0; first += chunkRows) {
      const int64_t count = minimum(chunkRows, job.rows - first);
      for (int64_t p = firstPanel; p < lastPanel; ++p) {
        const int64_t stored = storedColumns(p, job.n);
        multiplyPanel<false>(inputs, count, realColumns(p, job.n),
                             job.transposed + first * job.k + firstInput * count, count,
                             job.panels + p * panelColumns * job.rows + first * stored, stored,
                             job.dw + firstInput * job.n + p * panelColumns, job.n,
                             first == 0 ? From::zero : From::old, nullptr,
                             job.panels + (p + 1) * panelColumns * job.rows + first * stored);
      }
    }
  }
}

void weightGradient(void *pool, int64_t k, int64_t n, const float *x, int64_t ldx, const float *dy,
                    int64_t lddy, int64_t rows, float *dw, float *scratch) {
  if (k == 0 || n == 0) {
    return;
  }
  const int64_t times = k * n >= largeWeight ? 2 : 1;
  const int64_t inputsAtOnce = times * blockInputs, panelsAtOnce = times * blockPanels;
  WeightGradientJob job = {x,
                           dy,
                           ldx,
                           lddy,
                           rows,
                           k,
                           n,
                           scratch,
                           scratch + roundUp(rows * k, 16),
                           dw,
                           inputsAtOnce,
                           panelsAtOnce,
                           divideUp(k, inputsAtOnce),
                           divideUp(divideUp(n, panelColumns), panelsAtOnce)};
  const int64_t packItems = divideUp(rows, chunkRows) * (divideUp(k, 64) + job.panelBlocks);
  const int64_t items = job.inputBlocks * job.panelBlocks;
  // Waking the other threads costs about a microsecond; below this much work it does not pay.
  const bool small = rows * k * n < 65536;
  penstock_parallel_for(pool, packForWeightGradient, &job, packItems,
                        small ? maximum(1, packItems) : 1);
  penstock_parallel_for(pool, multiplyForWeightGradient, &job, items, small ? items : 1);
}
