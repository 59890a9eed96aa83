// Vectors of PENSTOCK_LANES floats, written once for every level. Included only by the level translation units
// (packed/level.h), inside whose anonymous namespace all of it stays; standard C++ templates must not be used here.

typedef float Vec __attribute__((ext_vector_type(PENSTOCK_LANES)));
typedef int32_t IVec __attribute__((ext_vector_type(PENSTOCK_LANES)));
typedef uint32_t UVec __attribute__((ext_vector_type(PENSTOCK_LANES)));
typedef uint64_t WideVec __attribute__((ext_vector_type(PENSTOCK_LANES / 2)));

constexpr int64_t lanes = PENSTOCK_LANES;

#define PENSTOCK_INLINE inline __attribute__((always_inline))

PENSTOCK_INLINE Vec load(const float *from) {
  Vec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}
PENSTOCK_INLINE void store(float *to, Vec v) { __builtin_memcpy(to, &v, sizeof(v)); }
PENSTOCK_INLINE Vec broadcast(float x) { return (Vec)(x); }
PENSTOCK_INLINE Vec fma(Vec a, Vec b, Vec c) { return __builtin_elementwise_fma(a, b, c); }
PENSTOCK_INLINE IVec bits(Vec v) { return __builtin_bit_cast(IVec, v); }
PENSTOCK_INLINE Vec fromBits(IVec v) { return __builtin_bit_cast(Vec, v); }
/// a where the lane's sign bit of `mask` is set (all bits set or none), else b.
PENSTOCK_INLINE Vec select(IVec mask, Vec a, Vec b) { return mask ? a : b; }

PENSTOCK_INLINE int64_t minimum(int64_t a, int64_t b) { return a < b ? a : b; }
PENSTOCK_INLINE int64_t maximum(int64_t a, int64_t b) { return a > b ? a : b; }
PENSTOCK_INLINE int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
PENSTOCK_INLINE int64_t roundUp(int64_t a, int64_t b) { return divideUp(a, b) * b; }

/// The first `count` < lanes numbers, the rest zero.
PENSTOCK_INLINE Vec loadPart(const float *from, int64_t count) {
  float held[PENSTOCK_LANES] = {};
  for (int64_t i = 0; i < count; ++i) {
    held[i] = from[i];
  }
  return load(held);
}
PENSTOCK_INLINE void storePart(float *to, Vec v, int64_t count) {
  float held[PENSTOCK_LANES];
  store(held, v);
  for (int64_t i = 0; i < count; ++i) {
    to[i] = held[i];
  }
}

/// Sum of the lanes by halves, as if the vector had 16 lanes whatever the level.
PENSTOCK_INLINE float sumLanes(Vec v) {
  float held[PENSTOCK_LANES];
  store(held, v);
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) {
      held[i] += held[i + half];
    }
  }
  return held[0];
}
PENSTOCK_INLINE float maxLanes(Vec v) { return __builtin_reduce_max(v); }

/// e^x within 1 ULP (tested over all floats) for -87.3365 <= x <= 88.72283; below: 0; above: as at 88.72283; NaN stays NaN.
/// Cody and Waite's reduction by n ln 2, then a polynomial of degree 6 on [-ln 2 / 2, ln 2 / 2].
PENSTOCK_INLINE Vec exponential(Vec x) {
  const Vec magic = broadcast(12582912.0f); // 1.5 * 2^23: adding it rounds to an integer, left in the low bits
  const Vec y = __builtin_elementwise_min(x, broadcast(88.72283f));
  const Vec shifted = fma(y, broadcast(1.44269504088896341f), magic);
  const Vec n = shifted - magic;
  Vec r = fma(n, broadcast(-0.693145751953125f), y);
  r = fma(n, broadcast(-1.42860682030941723e-6f), r);
  Vec p = broadcast(1.381454e-3f);
  p = fma(p, r, broadcast(8.368745e-3f));
  p = fma(p, r, broadcast(4.166839e-2f));
  p = fma(p, r, broadcast(1.6666521e-1f));
  p = fma(p, r, broadcast(4.9999994e-1f));
  p = fma(p * r, r, r);
  p = p + broadcast(1.0f);
  const Vec scaled = fromBits(bits(p) + (bits(shifted) << 23));
  const Vec flushed = select(x < broadcast(-87.3365f), broadcast(0.0f), scaled);
  return select(x != x, x, flushed);
}
