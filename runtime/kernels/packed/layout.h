// Copies between layouts: columns into panels, and transposition.

/// to[rows x stored] = from[rows x columns] (leading dimension lda), the columns up to `stored`
/// zero. `stored` is columns rounded up to whole vectors.
PENSTOCK_INLINE void copyColumns(float *to, int64_t stored, const float *from, int64_t lda, int64_t rows, int64_t columns) {
  if (columns == 2 * lanes) {
    for (int64_t i = 0; i < rows; ++i) {
      store(to + i * stored, load(from + i * lda));
      store(to + i * stored + lanes, load(from + i * lda + lanes));
    }
    return;
  }
  const int64_t whole = columns / lanes * lanes;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < whole; j += lanes) {
      store(to + i * stored + j, load(from + i * lda + j));
    }
    for (int64_t j = whole; j < columns; ++j) {
      to[i * stored + j] = from[i * lda + j];
    }
    for (int64_t j = columns; j < stored; ++j) {
      to[i * stored + j] = 0;
    }
  }
}

/// to[8 x 8] = from[8 x 8] transposed; of `from` only `real` rows exist, the others count as zero.
PENSTOCK_INLINE void transpose8(float *to, int64_t ldTo, const float *from, int64_t ldFrom, int64_t real = 8) {
  Half a[8], b[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) {
    a[i] = (Half)(0.0f);
    if (i < real) {
      __builtin_memcpy(&a[i], from + i * ldFrom, sizeof(Half));
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
    a[i] = __builtin_shufflevector(b[i], b[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    a[i + 1] = __builtin_shufflevector(b[i], b[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    a[i + 2] = __builtin_shufflevector(b[i + 1], b[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    a[i + 3] = __builtin_shufflevector(b[i + 1], b[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; ++i) {
    b[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    b[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) {
    __builtin_memcpy(to + i * ldTo, &b[i], sizeof(Half));
  }
}

/// to[rows x columns] (leading dimension `ldTo`) = transposed from[columns x rows] (leading
/// dimension `ldFrom`).
PENSTOCK_INLINE void transpose(float *to, int64_t ldTo, const float *from, int64_t ldFrom, int64_t rows, int64_t columns) {
  const int64_t wholeRows = rows / 8 * 8, wholeColumns = columns / 8 * 8;
  for (int64_t i = 0; i < wholeRows; i += 8) {
    for (int64_t j = 0; j < wholeColumns; j += 8) {
      transpose8(to + i * ldTo + j, ldTo, from + j * ldFrom + i, ldFrom);
    }
  }
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = j < wholeColumns ? wholeRows : 0; i < rows; ++i) {
      to[i * ldTo + j] = from[j * ldFrom + i];
    }
  }
}

/// A panel of the transposed: to[rows x stored], columns beyond `columns` zero; stored is a
/// multiple of 8.
PENSTOCK_INLINE void transposeBlock(float *to, int64_t stored, const float *from, int64_t ldFrom, int64_t rows, int64_t columns) {
  const int64_t wholeRows = rows / 8 * 8, wholeColumns = columns / 8 * 8;
  transpose(to, stored, from, ldFrom, wholeRows, wholeColumns);
  for (int64_t j = wholeColumns; j < stored; j += 8) {
    const int64_t real = maximum(0, minimum(8, columns - j));
    for (int64_t i = 0; i < wholeRows; i += 8) {
      transpose8(to + i * stored + j, stored, from + j * ldFrom + i, ldFrom, real);
    }
  }
  for (int64_t i = wholeRows; i < rows; ++i) {
    for (int64_t j = 0; j < stored; ++j) {
      to[i * stored + j] = j < columns ? from[j * ldFrom + i] : 0.0f;
    }
  }
}
