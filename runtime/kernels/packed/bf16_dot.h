// The product of up to 2 x 2 tiles by AVX512-BF16: each sum is one chain over the depth, of a pair of numbers first the odd one, then the
// even one (Intel's Software Developer's Manual, VDPBF16PS).

/// Nothing to hold: the accumulators are ordinary registers.
struct Tiles {};

PENSTOCK_INLINE Vec dotPairs(Vec sum, UVec a, UVec b) {
#if PENSTOCK_BF16_NATIVE
  return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  sum = fma(fromBits((IVec)(a & 0xFFFF0000u)), fromBits((IVec)(b & 0xFFFF0000u)), sum);
  return fma(fromBits((IVec)(a << 16)), fromBits((IVec)(b << 16)), sum);
#endif
}

PENSTOCK_INLINE UVec loadPairs(const uint32_t *from) {
  UVec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

/// See bf16_amx.h.
template <int rows, int columns>
PENSTOCK_INLINE void product(Tiles &, int64_t depth, const uint32_t *a, int64_t strideA, const uint32_t *b, const float *from,
                             int64_t ldFrom, float *c, int64_t ldc) {
  static_assert(lanes == 16);
  constexpr int group = 8; // rows at a time: 16 accumulators
#pragma clang loop unroll(disable)
  for (int64_t first = 0; first < rows * tileRows; first += group) {
    const uint32_t *left = a + first / tileRows * strideA + first % tileRows * 16;
    Vec sums[group][columns];
#pragma clang loop unroll(full)
    for (int i = 0; i < group; ++i) {
#pragma clang loop unroll(full)
      for (int j = 0; j < columns; ++j) {
        sums[i][j] = from == nullptr ? broadcast(0.0f) : load(from + (first + i) * ldFrom + j * 16);
      }
    }
    for (int64_t d = 0; d < depth; ++d) {
#pragma clang loop unroll(disable)
      for (int pair = 0; pair < 16; ++pair) {
        UVec right[columns];
#pragma clang loop unroll(full)
        for (int j = 0; j < columns; ++j) {
          right[j] = loadPairs(b + d * 2 * tileWords + j * tileWords + pair * 16);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < group; ++i) {
          const UVec factor = (UVec)(left[d * tileWords + i * 16 + pair]);
#pragma clang loop unroll(full)
          for (int j = 0; j < columns; ++j) {
            sums[i][j] = dotPairs(sums[i][j], factor, right[j]);
          }
        }
      }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < group; ++i) {
#pragma clang loop unroll(full)
      for (int j = 0; j < columns; ++j) {
        store(c + (first + i) * ldc + j * 16, sums[i][j]);
      }
    }
  }
}

int64_t peak(int64_t rounds) {
  constexpr int chains = 16, steps = 100;
  Vec sums[chains] = {};
  const UVec factor = (UVec)(0x3F803F80u);
  for (int64_t round = 0; round < rounds * steps; ++round) {
#pragma clang loop unroll(full)
    for (int i = 0; i < chains; ++i) {
      sums[i] = dotPairs(sums[i], factor, factor);
      fence(sums[i]);
    }
  }
  return rounds * steps * chains * lanes * 4;
}
