// conv1d over ragged sequences as matmuls: a record's rows are copied once between zeros, so that
// the width rows that an output row reads lie one after another and every output row is an ordinary
// row with leading dimension k. The copy is 1 / (width * n) of the work.

constexpr int64_t windowFloats = 32768; // of scratch, for the copied rows; the rest holds conv1d_max's tile columns

/// Output rows at a time: whole tiles where they fit.
PENSTOCK_INLINE int64_t windowRows(int64_t width, int64_t k) {
  const int64_t fit = windowFloats / maximum(1, k) - (width - 1);
  return minimum(1022, fit > tileRows ? fit / tileRows * tileRows : maximum(1, fit));
}

/// window[(rows + width - 1) x k]: the record's rows from `first` - left on, zeros where there are
/// none.
PENSTOCK_INLINE void fillWindow(float *window, const float *x, int64_t k, int64_t length, int64_t first, int64_t rows, int64_t width,
                                int64_t left) {
  const int64_t from = first - left, to = first - left + rows + width - 1;
  const int64_t realFrom = maximum(0, from), realTo = maximum(realFrom, minimum(length, to));
  __builtin_memset(window, 0, (size_t)((realFrom - from) * k) * sizeof(float));
  __builtin_memcpy(window + (realFrom - from) * k, x + realFrom * k, (size_t)((realTo - realFrom) * k) * sizeof(float));
  __builtin_memset(window + (realTo - from) * k, 0, (size_t)((to - realTo) * k) * sizeof(float));
}

PENSTOCK_INLINE void convRows(const float *packed, int64_t width, int64_t k, int64_t n, int64_t left, const float *x, float *y,
                              const int32_t *offsets, int64_t begin, int64_t end, const float *bias, int32_t accumulate, float *scratch) {
  const int64_t step = windowRows(width, k);
  for (int64_t record = begin; record < end; ++record) {
    const int64_t row = offsets[record], length = offsets[record + 1] - row;
    for (int64_t first = 0; first < length; first += step) {
      const int64_t rows = minimum(step, length - first);
      fillWindow(scratch, x + row * k, k, length, first, rows, width, left);
      matmul(packed, width * k, n, scratch, k, y + (row + first) * n, n, rows, bias, accumulate);
    }
  }
}

void convRun(const PenstockConv *conv, const float *x, float *y, const int32_t *offsets, int64_t begin, int64_t end, const float *bias,
             float *scratch) {
  convRows(conv->packed, conv->width, conv->k, conv->n, (conv->width - 1) / 2, x, y, offsets, begin, end, bias, 0, scratch);
}

void convGradientInput(const PenstockConv *conv, const float *dy, float *dx, const int32_t *offsets, int64_t begin, int64_t end,
                       int32_t accumulate, float *scratch) {
  const int64_t left = conv->width - 1 - (conv->width - 1) / 2;
  convRows(conv->packedFlipped, conv->width, conv->n, conv->k, left, dy, dx, offsets, begin, end, nullptr, accumulate, scratch);
}

struct ConvPackJob {
  const PenstockConv *conv;
  const float *w;
  float *packedFlipped;
};

/// Panels of the flipped weight: row (j, c) is tap width - 1 - j, channel c, over the inputs.
void packFlippedPanels(void *context, int64_t begin, int64_t end, int32_t) {
  const ConvPackJob &job = *static_cast<const ConvPackJob *>(context);
  const int64_t width = job.conv->width, k = job.conv->k, n = job.conv->n;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t p = item / width, j = item % width;
    const int64_t stored = storedColumns(p, k);
    transposeBlock(job.packedFlipped + p * panelColumns * width * n + j * n * stored, stored,
                   job.w + (width - 1 - j) * k * n + p * panelColumns * n, n, n, realColumns(p, k));
  }
}

void convPack(const PenstockConv *conv, const float *w, void *pool, float *packed, float *packedFlipped) {
  pack(pool, w, conv->n, conv->width * conv->k, conv->n, 0, packed);
  ConvPackJob job = {conv, w, packedFlipped};
  penstock_parallel_for(pool, packFlippedPanels, &job, divideUp(conv->k, panelColumns) * conv->width,
                        maximum(1, 16384 / maximum(1, conv->n * panelColumns)));
}

void convMax(const PenstockConv *conv, const float *x, const int32_t *offsets, int64_t begin, int64_t end, const float *bias, float *out,
             int32_t *argmax, float *scratch) {
  const int64_t width = conv->width, k = conv->k, n = conv->n, left = (width - 1) / 2;
  const int64_t step = windowRows(width, k), depth = depthOf(width * k);
  float *columns = scratch + windowFloats;
  for (int64_t record = begin; record < end; ++record) {
    const int64_t row = offsets[record], length = offsets[record + 1] - row;
    float *best = out + record * n;
    int32_t *at = argmax + record * n;
    for (int64_t first = 0; first < length; first += step) {
      const int64_t rows = minimum(step, length - first);
      fillWindow(scratch, x + row * k, k, length, first, rows, width, left);
      for (int64_t p = 0; p * panelColumns < n; ++p) {
        const int64_t real = realColumns(p, n), stored = storedColumns(p, n);
        float heldBias[panelColumns] = {};
        for (int64_t j = 0; bias != nullptr && j < real; ++j) {
          heldBias[j] = bias[p * panelColumns + j];
        }
        for (int64_t d = 0; d < width * k; d += depth) {
          multiplyPanel<false>(rows, minimum(depth, width * k - d), stored, scratch + d, k,
                               conv->packed + p * panelColumns * width * k + d * stored, stored, columns, stored,
                               d > 0 ? From::old : From::zero, d == 0 ? heldBias : nullptr);
        }
        for (int64_t v = 0; v < real; v += lanes) {
          const int64_t here = minimum(lanes, real - v);
          Vec top = load(columns + v);
          IVec where = (IVec)((int32_t)first);
          if (first > 0) {
            const Vec old = loadPart(best + p * panelColumns + v, here);
            const IVec oldAt = bits(loadPart(reinterpret_cast<const float *>(at + p * panelColumns + v), here));
            const IVec larger = top > old;
            top = select(larger, top, old);
            where = larger ? where : oldAt;
          }
          for (int64_t i = 1; i < rows; ++i) {
            const Vec y = load(columns + i * stored + v);
            const IVec larger = y > top;
            top = select(larger, y, top);
            where = larger ? (IVec)((int32_t)(first + i)) : where;
          }
          storePart(best + p * panelColumns + v, top, here);
          storePart(reinterpret_cast<float *>(at + p * panelColumns + v), fromBits(where), here);
        }
      }
    }
  }
}

void convMaxGradientInput(const PenstockConv *conv, const float *, const float *g, const int32_t *argmax, float *dx, const int32_t *offsets,
                          int64_t begin, int64_t end, int32_t accumulate) {
  const int64_t width = conv->width, k = conv->k, n = conv->n, left = (width - 1) / 2;
  for (int64_t record = begin; record < end; ++record) {
    const int64_t row = offsets[record], length = offsets[record + 1] - row;
    if (accumulate == 0) {
      __builtin_memset(dx + row * k, 0, (size_t)(length * k) * sizeof(float));
    }
    for (int64_t c = 0; c < n; ++c) {
      const float factor = g[record * n + c];
      const int64_t from = argmax[record * n + c] - left;
      const int64_t first = maximum(0, -from), last = minimum(width, length - from);
      for (int64_t j = first; j < last; ++j) {
        float *to = dx + (row + from + j) * k;
        const int64_t at = (width - 1 - j) * n + c;
        const Vec f = broadcast(factor);
        const int64_t wholePanels = k / panelColumns;
        for (int64_t p = 0; p < wholePanels; ++p) {
          const float *weight = conv->packedFlipped + p * panelColumns * width * n + at * panelColumns;
          float *panel = to + p * panelColumns;
          store(panel, fma(f, load(weight), load(panel)));
          store(panel + lanes, fma(f, load(weight + lanes), load(panel + lanes)));
        }
        if (wholePanels * panelColumns < k) {
          addScaled(to + wholePanels * panelColumns, factor,
                    conv->packedFlipped + wholePanels * panelColumns * width * n + at * storedColumns(wholePanels, k),
                    k - wholePanels * panelColumns);
        }
      }
    }
  }
}

struct ConvMaxWeightJob {
  const PenstockConv *conv;
  const float *x, *g;
  const int32_t *argmax, *offsets;
  int64_t records;
  float *dw;
};

constexpr int64_t sparseChannels = 16, sparseInputs = 128, sparseTaps = 3;

/// sums[tap][inputs] (a tap's row: sparseInputs apart) over the records, for one channel and up to
/// three taps. Rows outside the record count with the factor 0.
template <int taps, int vectors>
PENSTOCK_INLINE void sparseSums(const ConvMaxWeightJob &job, int64_t channel, int64_t firstTap, const float *x, float *sums) {
  const int64_t k = job.conv->k, n = job.conv->n, left = (job.conv->width - 1) / 2;
  Accumulators<taps, vectors> acc;
  begin<taps, vectors>(acc, From::zero, nullptr, nullptr, 0);
  for (int64_t record = 0; record < job.records; ++record) {
    const int64_t row = job.offsets[record], length = job.offsets[record + 1] - row;
    if (length == 0) {
      continue;
    }
    const float g = job.g[record * n + channel];
    const int64_t from = job.argmax[record * n + channel] - left + firstTap;
#pragma clang loop unroll(full)
    for (int j = 0; j < taps; ++j) {
      const bool inside = from + j >= 0 && from + j < length;
      const Vec factor = broadcast(inside ? g : 0.0f);
      const float *at = x + (row + (inside ? from + j : 0)) * k;
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; ++v) {
        acc.of[j][v] = fma(factor, load(at + v * lanes), acc.of[j][v]);
      }
    }
  }
  finish<taps, vectors>(acc, sums, sparseChannels * sparseInputs);
}

template <int taps>
PENSTOCK_INLINE void sparseBlock(const ConvMaxWeightJob &job, int64_t channel, int64_t firstTap, int64_t firstInput, int64_t inputs,
                                 float *sums) {
  int64_t i = 0;
  for (; i + 4 * lanes <= inputs; i += 4 * lanes) {
    sparseSums<taps, 4>(job, channel, firstTap, job.x + firstInput + i, sums + i);
  }
  for (; i + lanes <= inputs; i += lanes) {
    sparseSums<taps, 1>(job, channel, firstTap, job.x + firstInput + i, sums + i);
  }
  const int64_t left = (job.conv->width - 1) / 2;
  for (; i < inputs; ++i) {
    for (int j = 0; j < taps; ++j) {
      float sum = 0;
      for (int64_t record = 0; record < job.records; ++record) {
        const int64_t row = job.offsets[record], length = job.offsets[record + 1] - row;
        const int64_t at = job.argmax[record * job.conv->n + channel] - left + firstTap + j;
        if (at >= 0 && at < length) {
          sum = __builtin_fmaf(job.g[record * job.conv->n + channel], job.x[(row + at) * job.conv->k + firstInput + i], sum);
        }
      }
      sums[j * sparseChannels * sparseInputs + i] = sum;
    }
  }
}

/// Items are (three taps, sixteen channels): sums in a buffer with the inputs contiguous, then
/// transposed out.
void convMaxWeightItems(void *context, int64_t begin, int64_t end, int32_t) {
  const ConvMaxWeightJob &job = *static_cast<const ConvMaxWeightJob *>(context);
  const int64_t width = job.conv->width, k = job.conv->k, n = job.conv->n;
  const int64_t blocks = divideUp(n, sparseChannels);
  float sums[sparseTaps * sparseChannels * sparseInputs];
  for (int64_t item = begin; item < end; ++item) {
    const int64_t firstTap = item / blocks * sparseTaps, firstChannel = item % blocks * sparseChannels;
    const int64_t taps = minimum(sparseTaps, width - firstTap), channels = minimum(sparseChannels, n - firstChannel);
    for (int64_t i = 0; i < k; i += sparseInputs) {
      const int64_t inputs = minimum(sparseInputs, k - i);
      for (int64_t c = 0; c < channels; ++c) {
        (taps == 3   ? sparseBlock<3>
         : taps == 2 ? sparseBlock<2>
                     : sparseBlock<1>)(job, firstChannel + c, firstTap, i, inputs, sums + c * sparseInputs);
      }
      for (int64_t j = 0; j < taps; ++j) {
        transpose(job.dw + ((firstTap + j) * k + i) * n + firstChannel, n, sums + j * sparseChannels * sparseInputs, sparseInputs, inputs,
                  channels);
      }
    }
  }
}

void convMaxGradientWeight(const PenstockConv *conv, void *pool, const float *x, const float *g, const int32_t *argmax,
                           const int32_t *offsets, int64_t records, float *dw) {
  ConvMaxWeightJob job = {conv, x, g, argmax, offsets, records, dw};
  penstock_parallel_for(pool, convMaxWeightItems, &job, divideUp(conv->width, sparseTaps) * divideUp(conv->n, sparseChannels), 1);
}
