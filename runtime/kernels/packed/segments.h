// Sums and maxima over the rows of records, embeddings, word counts.

/// One block of up to 4 vectors of columns, summed over rows(i), i in [first, last), in order.
template <int vectors, class Row> PENSTOCK_INLINE void sumColumns(int64_t first, int64_t last, float *y, Row row) {
  Vec sum[vectors];
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; ++v) {
    sum[v] = broadcast(0.0f);
  }
  for (int64_t i = first; i < last; ++i) {
    const float *x = row(i);
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) {
      sum[v] += load(x + v * lanes);
    }
  }
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; ++v) {
    store(y + v * lanes, sum[v]);
  }
}

/// y[width] = sum of the rows base + row(i) * width.
template <class Index> PENSTOCK_INLINE void sumRows(const float *base, int64_t width, int64_t first, int64_t last, float *y, Index index) {
  if (width == 2) {
    typedef float Pair __attribute__((ext_vector_type(2)));
    Pair sum = {0, 0};
    for (int64_t i = first; i < last; ++i) {
      Pair x;
      __builtin_memcpy(&x, base + index(i) * 2, sizeof(x));
      sum += x;
    }
    __builtin_memcpy(y, &sum, sizeof(sum));
    return;
  }
  int64_t j = 0;
  for (; j + 4 * lanes <= width; j += 4 * lanes) {
    sumColumns<4>(first, last, y + j, [=](int64_t i) PENSTOCK_LAMBDA_INLINE { return base + index(i) * width + j; });
  }
  for (; j + lanes <= width; j += lanes) {
    sumColumns<1>(first, last, y + j, [=](int64_t i) PENSTOCK_LAMBDA_INLINE { return base + index(i) * width + j; });
  }
  for (; j < width; ++j) {
    float sum = 0;
    for (int64_t i = first; i < last; ++i) {
      sum += base[index(i) * width + j];
    }
    y[j] = sum;
  }
}

void segmentSum(const float *x, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y) {
  for (int64_t record = begin; record < end; ++record) {
    sumRows(x, width, offsets[record], offsets[record + 1], y + record * width, [](int64_t i) PENSTOCK_LAMBDA_INLINE { return i; });
  }
}

void bagSum(const float *table, const int32_t *ids, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y) {
  for (int64_t record = begin; record < end; ++record) {
    sumRows(table, width, offsets[record], offsets[record + 1], y + record * width,
            [=](int64_t i) PENSTOCK_LAMBDA_INLINE { return (int64_t)ids[i]; });
  }
}

void segmentMax(const float *x, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y, int32_t *argmax) {
  for (int64_t record = begin; record < end; ++record) {
    const int64_t first = offsets[record], rows = offsets[record + 1] - first;
    const float *from = x + first * width;
    for (int64_t j = 0; j < width; j += lanes) {
      const int64_t here = minimum(lanes, width - j);
      if (rows == 0) {
        storePart(y + record * width + j, broadcast(0.0f), here);
        storePart(reinterpret_cast<float *>(argmax + record * width + j), broadcast(0.0f), here);
        continue;
      }
      Vec top = here == lanes ? load(from + j) : loadPart(from + j, here);
      IVec where = {};
      for (int64_t i = 1; i < rows; ++i) {
        const float *at = from + i * width + j;
        const Vec v = here == lanes ? load(at) : loadPart(at, here);
        const IVec larger = v > top;
        top = select(larger, v, top);
        where = larger ? (IVec)((int32_t)i) : where;
      }
      storePart(y + record * width + j, top, here);
      storePart(reinterpret_cast<float *>(argmax + record * width + j), fromBits(where), here);
    }
  }
}

void segmentMaxGradient(const float *g, const int32_t *argmax, const int32_t *offsets, int64_t begin, int64_t end, int64_t width,
                        float *dx) {
  for (int64_t record = begin; record < end; ++record) {
    const int64_t first = offsets[record], rows = offsets[record + 1] - first;
    if (rows == 0) {
      continue;
    }
    __builtin_memset(dx + first * width, 0, (size_t)(rows * width) * sizeof(float));
    for (int64_t j = 0; j < width; ++j) {
      dx[(first + argmax[record * width + j]) * width + j] = g[record * width + j];
    }
  }
}

void segmentSoftmax(const float *x, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *y) {
  for (int64_t record = begin; record < end; ++record) {
    const int64_t first = offsets[record] * width, last = offsets[record + 1] * width;
    for (int64_t j = 0; j < width && first < last; j += lanes) {
      const int64_t here = minimum(lanes, width - j);
      Vec top = loadPart(x + first + j, here), sum = broadcast(0.0f);
      for (int64_t at = first + j + width; at < last; at += width) {
        top = larger(top, loadPart(x + at, here));
      }
      for (int64_t at = first + j; at < last; at += width) {
        const Vec weight = exponential(loadPart(x + at, here) - top);
        storePart(y + at, weight, here);
        sum += weight;
      }
      for (int64_t at = first + j; at < last; at += width) {
        storePart(y + at, loadPart(y + at, here) / sum, here);
      }
    }
  }
}

void runningSum(const float *x, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, int64_t backward, float *y) {
  for (int64_t record = begin; record < end; ++record) {
    const int64_t first = offsets[record], rows = offsets[record + 1] - first;
    const int64_t step = backward != 0 ? -width : width, from = (backward != 0 ? first + rows - 1 : first) * width;
    for (int64_t j = 0; j < width; j += lanes) {
      const int64_t here = minimum(lanes, width - j);
      Vec sum = broadcast(0.0f);
      for (int64_t i = 0, at = from + j; i < rows; ++i, at += step) {
        sum += loadPart(x + at, here);
        storePart(y + at, sum, here);
      }
    }
  }
}

void segmentSoftmaxGradient(const float *y, const float *g, const int32_t *offsets, int64_t begin, int64_t end, int64_t width, float *dx) {
  for (int64_t record = begin; record < end; ++record) {
    const int64_t first = offsets[record] * width, last = offsets[record + 1] * width;
    for (int64_t j = 0; j < width; j += lanes) {
      const int64_t here = minimum(lanes, width - j);
      Vec sum = broadcast(0.0f);
      for (int64_t at = first + j; at < last; at += width) {
        sum = fma(loadPart(y + at, here), loadPart(g + at, here), sum);
      }
      for (int64_t at = first + j; at < last; at += width) {
        storePart(dx + at, loadPart(y + at, here) * (loadPart(g + at, here) - sum), here);
      }
    }
  }
}

struct EmbeddingJob {
  const int32_t *ids, *source;
  const float *dy;
  int64_t rows, width, vocabulary, perPiece;
  float *dtable;
};

/// Items are ranges of ids: each clears its part of the table and adds the rows that belong there,
/// in row order.
void embeddingItems(void *context, int64_t begin, int64_t end, int32_t) {
  const EmbeddingJob &job = *static_cast<const EmbeddingJob *>(context);
  const int64_t width = job.width;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item * job.perPiece, last = minimum(job.vocabulary, first + job.perPiece);
    __builtin_memset(job.dtable + first * width, 0, (size_t)((last - first) * width) * sizeof(float));
    const uint64_t span = (uint64_t)(last - first);
    for (int64_t i = 0; i < job.rows; ++i) {
      // Positions beyond the table read its last row, so their gradients go there.
      const int64_t id = minimum((int64_t)job.ids[i], job.vocabulary - 1);
      if ((uint64_t)(id - first) >= span) {
        continue;
      }
      float *to = job.dtable + id * width;
      const float *from = job.dy + (job.source != nullptr ? (int64_t)job.source[i] : i) * width;
      int64_t j = 0;
      for (; j + lanes <= width; j += lanes) {
        store(to + j, load(to + j) + load(from + j));
      }
      for (; j < width; ++j) {
        to[j] += from[j];
      }
    }
  }
}

void embeddingGradient(void *pool, const int32_t *ids, const int32_t *source, const float *dy, int64_t rows, int64_t width,
                       int64_t vocabulary, float *dtable, float *) {
  // Every piece looks at all ids, so few pieces; the result is the same for any number of them.
  const int64_t work = vocabulary * width / 8 + rows * width;
  const int64_t pieces = maximum(1, minimum(16, work / 16384));
  EmbeddingJob job = {ids, source, dy, rows, width, vocabulary, maximum(1, divideUp(vocabulary, pieces)), dtable};
  penstock_parallel_for(pool, embeddingItems, &job, divideUp(vocabulary, job.perPiece), 1);
}

void counts(const int32_t *ids, const int32_t *offsets, int64_t begin, int64_t end, int64_t vocabulary, float *y) {
  for (int64_t record = begin; record < end; ++record) {
    float *to = y + record * vocabulary;
    __builtin_memset(to, 0, (size_t)vocabulary * sizeof(float));
    for (int64_t i = offsets[record]; i < offsets[record + 1]; ++i) {
      to[ids[i]] += 1.0f;
    }
  }
}

void weightedCounts(const int32_t *ids, const float *weights, const int32_t *offsets, int64_t begin, int64_t end, int64_t vocabulary,
                    float *y) {
  for (int64_t record = begin; record < end; ++record) {
    float *to = y + record * vocabulary;
    __builtin_memset(to, 0, (size_t)vocabulary * sizeof(float));
    for (int64_t i = offsets[record]; i < offsets[record + 1]; ++i) {
      to[ids[i]] += weights[i];
    }
  }
}

/// Of some rows of a record: a table of the ids whose hash is `part` of `parts`. What does not fit into it is counted row by row.
void occurrencesOfPart(const int32_t *ids, int64_t rows, uint32_t part, uint32_t parts, int64_t slots, float *y) {
  constexpr int64_t mostSlots = 4096;
  struct Slot {
    int32_t id, times;
  } table[mostSlots];
  __builtin_memset(table, 0, (size_t)slots * sizeof(Slot));
  const uint64_t mask = (uint64_t)slots - 1;
  int64_t room = slots / 4 * 3;
  // The place of an id, or an empty one: there always is one.
  const auto find = [&](int32_t id, uint64_t hash) PENSTOCK_LAMBDA_INLINE {
    uint64_t at = (hash >> 20) & mask;
    while (table[at].times != 0 && table[at].id != id) {
      at = (at + 1) & mask;
    }
    return at;
  };
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < rows; ++i) {
      const uint64_t hash = (uint64_t)(uint32_t)ids[i] * 0x9E3779B97F4A7C15u;
      if (parts > 1 && (uint32_t)(hash >> 40) % parts != part) {
        continue;
      }
      Slot &slot = table[find(ids[i], hash)];
      if (pass == 0) {
        const bool fits = slot.times > 0 || room > 0;
        room -= slot.times > 0 ? 0 : (fits ? 1 : 0);
        slot.id = fits ? ids[i] : slot.id;
        slot.times += fits ? 1 : 0;
        continue;
      }
      int64_t times = slot.times;
      for (int64_t j = 0; j < (slot.times > 0 ? 0 : rows); ++j) {
        times += ids[j] == ids[i] ? 1 : 0;
      }
      y[i] = (float)times;
    }
  }
}

void occurrences(const int32_t *ids, const int32_t *offsets, int64_t begin, int64_t end, float *y) {
  for (int64_t record = begin; record < end; ++record) {
    const int64_t first = offsets[record], rows = offsets[record + 1] - first;
    if (rows <= 24) {
      for (int64_t i = 0; i < rows; ++i) {
        int32_t times = 0;
        for (int64_t j = 0; j < rows; ++j) {
          times += ids[first + i] == ids[first + j] ? 1 : 0;
        }
        y[first + i] = (float)times;
      }
      continue;
    }
    int64_t slots = 64;
    while (slots < 2 * rows && slots < 4096) {
      slots *= 2;
    }
    const uint32_t parts = (uint32_t)divideUp(rows, 2048);
    for (uint32_t part = 0; part < parts; ++part) {
      occurrencesOfPart(ids + first, rows, part, parts, slots, y + first);
    }
  }
}

template <class F> PENSTOCK_INLINE void forAll(const float *x, float *y, int64_t count, F f) {
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    store(y + i, f(load(x + i)));
  }
  if (i < count) {
    storePart(y + i, f(loadPart(x + i, count - i)), count - i);
  }
}

void exponentialOfMany(const float *x, float *y, int64_t count) {
  forAll(x, y, count, [](Vec v) PENSTOCK_LAMBDA_INLINE { return exponential(v); });
}

void logarithmOfMany(const float *x, float *y, int64_t count) {
  forAll(x, y, count, [](Vec v) PENSTOCK_LAMBDA_INLINE { return logarithm(v); });
}
