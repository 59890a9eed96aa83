// Rounding of float32 to bfloat16, to the nearest and to even; NaN stays NaN, what is too small for a normal number becomes a zero of
// its sign, as the instructions have it. Two bf16 numbers make a word, the first one in its lower half.

typedef uint32_t HalfWords __attribute__((ext_vector_type(8)));

#if PENSTOCK_BF16_NATIVE

/// to[0, 16) = 32 numbers, in order.
PENSTOCK_INLINE void narrow(uint32_t *to, const float *from) {
  const __m512bh rounded = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from));
  __builtin_memcpy(to, &rounded, sizeof(rounded));
}

/// to[j] = first[j] below second[j], 16 words.
PENSTOCK_INLINE void interleave(uint32_t *to, const float *first, const float *second) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(first)));
  const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(second)));
  const __m512i words = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
  __builtin_memcpy(to, &words, sizeof(words));
}

#else

/// The rounded numbers in the upper halves of the lanes; the lower halves are zero.
PENSTOCK_INLINE HalfWords rounded(HalfWords bits) {
  const HalfWords magnitude = bits & 0x7FFFFFFFu;
  const HalfWords nearest = (bits + 0x7FFFu + (bits >> 16 & 1u)) & 0xFFFF0000u;
  const HalfWords quiet = (bits | 0x00400000u) & 0xFFFF0000u;
  const HalfWords normal = magnitude > 0x7F800000u ? quiet : nearest;
  return magnitude < 0x00800000u ? bits & 0x80000000u : normal;
}

PENSTOCK_INLINE HalfWords loadWords(const void *from) {
  HalfWords v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

PENSTOCK_INLINE void narrow(uint32_t *to, const float *from) {
  for (int i = 0; i < 4; ++i) {
    const HalfWords words = rounded(loadWords(from + 8 * i));
    for (int j = 0; j < 4; ++j) {
      to[4 * i + j] = words[2 * j] >> 16 | words[2 * j + 1];
    }
  }
}

PENSTOCK_INLINE void interleave(uint32_t *to, const float *first, const float *second) {
  for (int i = 0; i < 2; ++i) {
    const HalfWords words = rounded(loadWords(first + 8 * i)) >> 16 | rounded(loadWords(second + 8 * i));
    __builtin_memcpy(to + 8 * i, &words, sizeof(words));
  }
}

#endif

// Tiles: 16 rows of 16 words, 1 KB. A left tile has 16 rows of 32 numbers; a right one 16 pairs of rows of 16 columns.
constexpr int64_t tileRows = 16, tileDepth = 32, tileWords = 256;
constexpr int64_t panelColumns = 32; // two right tiles

/// A tile's transposed, words moved whole: turns pairs of rows of 16 columns into 16 rows of 32 numbers, and back.
PENSTOCK_INLINE void transposeTile(uint32_t *to, const uint32_t *from) {
  for (int64_t i = 0; i < tileRows; i += 8) {
    for (int64_t j = 0; j < tileRows; j += 8) {
      transpose8((float *)to + i * tileRows + j, tileRows, (const float *)from + j * tileRows + i, tileRows);
    }
  }
}
