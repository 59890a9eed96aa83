// The rows of a batch by their ids, and the gradient of a table by the ids that occur.

constexpr int64_t groupsHeader = 16; // int32 before the ids

/// A radix sort: stable, so the rows of an id stay in order.
void groupById(const int32_t *ids, int64_t rows, int64_t vocabulary, int32_t *groups) {
  constexpr int bitsADigit = 11, digits = 1 << bitsADigit;
  int32_t *unique = groups + groupsHeader, *begins = unique + rows;
  int32_t *order = begins + rows + 1, *other = unique; // the ids' place is free until the end
  const auto idOf = [=](int32_t row) PENSTOCK_LAMBDA_INLINE { return minimum((int64_t)ids[row], vocabulary - 1); };
  int passes = 0;
  while (passes * bitsADigit < 62 && (vocabulary - 1) >> (passes * bitsADigit) > 0) {
    ++passes;
  }
  // The last pass ends in `order`.
  int32_t *from = passes % 2 == 0 ? order : other, *to = passes % 2 == 0 ? other : order;
  for (int64_t i = 0; i < rows; ++i) {
    from[i] = (int32_t)i;
  }
  int32_t places[digits];
  for (int pass = 0; pass < passes; ++pass) {
    const int shift = pass * bitsADigit;
    __builtin_memset(places, 0, sizeof(places));
    for (int64_t i = 0; i < rows; ++i) {
      ++places[(idOf((int32_t)i) >> shift) & (digits - 1)];
    }
    int32_t sum = 0;
    for (int d = 0; d < digits; ++d) {
      const int32_t here = places[d];
      places[d] = sum;
      sum += here;
    }
    for (int64_t i = 0; i < rows; ++i) {
      to[places[(idOf(from[i]) >> shift) & (digits - 1)]++] = from[i];
    }
    int32_t *const swapped = from;
    from = to;
    to = swapped;
  }
  int32_t count = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const auto id = (int32_t)idOf(order[i]);
    if (count == 0 || unique[count - 1] != id) {
      unique[count] = id;
      begins[count++] = (int32_t)i;
    }
  }
  begins[count] = (int32_t)rows;
  groups[0] = count;
}

struct GroupedJob {
  const int32_t *begins, *order, *source;
  const float *dy;
  int64_t width;
  float *gradient;
};

void groupedItems(void *context, int64_t begin, int64_t end, int32_t) {
  const GroupedJob &job = *static_cast<const GroupedJob *>(context);
  const int64_t width = job.width;
  for (int64_t k = begin; k < end; ++k) {
    float *const to = job.gradient + k * width;
    __builtin_memset(to, 0, (size_t)width * sizeof(float));
    for (int32_t at = job.begins[k]; at < job.begins[k + 1]; ++at) {
      const int64_t row = job.order[at];
      const float *from = job.dy + (job.source != nullptr ? (int64_t)job.source[row] : row) * width;
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

void groupedGradient(void *pool, const int32_t *groups, const int32_t *source, const float *dy, int64_t rows, int64_t width,
                     float *gradient) {
  const int32_t *begins = groups + groupsHeader + rows;
  GroupedJob job = {begins, begins + rows + 1, source, dy, width, gradient};
  penstock_parallel_for(pool, groupedItems, &job, groups[0], 4);
}
