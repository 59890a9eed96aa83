// Vectors of PENSTOCK_LANES floats, written once for every level. Included only by the level
// translation units (packed/level.h), inside whose anonymous namespace all of it stays; standard
// C++ templates must not be used here.

typedef float Vec __attribute__((ext_vector_type(PENSTOCK_LANES)));
typedef int32_t IVec __attribute__((ext_vector_type(PENSTOCK_LANES)));
typedef uint32_t UVec __attribute__((ext_vector_type(PENSTOCK_LANES)));
typedef uint64_t WideVec __attribute__((ext_vector_type(PENSTOCK_LANES / 2)));

constexpr int64_t lanes = PENSTOCK_LANES;

#define PENSTOCK_INLINE inline __attribute__((always_inline))
#define PENSTOCK_LAMBDA_INLINE __attribute__((always_inline))

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

/// 0, 1, 2, ... in the lanes.
PENSTOCK_INLINE IVec laneNumbers() {
  IVec v;
#pragma clang loop unroll(full)
  for (int i = 0; i < PENSTOCK_LANES; ++i) {
    v[i] = i;
  }
  return v;
}

/// Keeps the compiler from computing with `v` across this place. Lanes of AVX-512 compiled for AVX2, as a test does, fit no register.
PENSTOCK_INLINE void fence(Vec &v) {
#if PENSTOCK_LANES == 16 && !defined(__AVX512F__)
  __asm__ volatile("" : "+m"(v));
#else
  __asm__ volatile("" : "+v"(v));
#endif
}

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

typedef float Half __attribute__((ext_vector_type(8)));
typedef float Quarter __attribute__((ext_vector_type(4)));

/// Sum of the lanes by halves.
PENSTOCK_INLINE float sumLanes(Vec v) {
#if PENSTOCK_LANES == 16
  const Half h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  const Half h = v;
#endif
  const Quarter q = __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
  const Quarter e = q + __builtin_shufflevector(q, q, 2, 3, 2, 3);
  return e[0] + e[1];
}
/// b where one of the two is NaN: one instruction, unlike __builtin_elementwise_max.
template <class V> PENSTOCK_INLINE V larger(V a, V b) { return a > b ? a : b; }
PENSTOCK_INLINE float maxLanes(Vec v) {
#if PENSTOCK_LANES == 16
  const Half h = larger(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
#else
  const Half h = v;
#endif
  const Quarter q = larger(__builtin_shufflevector(h, h, 0, 1, 2, 3), __builtin_shufflevector(h, h, 4, 5, 6, 7));
  const Quarter e = larger(q, __builtin_shufflevector(q, q, 2, 3, 2, 3));
  return e[0] > e[1] ? e[0] : e[1];
}

/// e^x of each, within 1.02 ULP (tested over all floats) for -87.33 <= x <= 88; below: as at -87.33, 1.2e-38,
/// which is nothing beside a softmax's sum; above: not to be used; NaN stays NaN. Cody and Waite's
/// reduction by n ln 2, then a polynomial of degree 6 on [-ln 2 / 2, ln 2 / 2]. One vector's chain of 60 cycles
/// is longer than what the processor's schedulers hold: several vectors step by step fill it.
template <int count> PENSTOCK_INLINE void exponentials(Vec (&x)[count]) {
  const Vec magic = broadcast(12582912.0f); // 1.5 * 2^23: adding it rounds to an integer, left in the low bits
  Vec n[count], p[count];
#define PENSTOCK_EACH(to, ...)                                                                                                             \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < count; ++i) {                                                                     \
    to = __VA_ARGS__;                                                                                                                      \
    fence(to);                                                                                                                             \
  }
  PENSTOCK_EACH(x[i], larger(broadcast(-87.33f), x[i]))
  PENSTOCK_EACH(n[i], fma(x[i], broadcast(1.44269504088896341f), magic))
  PENSTOCK_EACH(p[i], n[i] - magic)
  PENSTOCK_EACH(x[i], fma(p[i], broadcast(-0.693145751953125f), x[i]))
  PENSTOCK_EACH(x[i], fma(p[i], broadcast(-1.42860682030941723e-6f), x[i]))
  PENSTOCK_EACH(p[i], fma(broadcast(1.381454e-3f), x[i], broadcast(8.368745e-3f)))
  PENSTOCK_EACH(p[i], fma(p[i], x[i], broadcast(4.166839e-2f)))
  PENSTOCK_EACH(p[i], fma(p[i], x[i], broadcast(1.6666521e-1f)))
  PENSTOCK_EACH(p[i], fma(p[i], x[i], broadcast(4.9999994e-1f)))
  PENSTOCK_EACH(p[i], p[i] * x[i])
  PENSTOCK_EACH(p[i], fma(p[i], x[i], x[i]))
  PENSTOCK_EACH(n[i], fromBits((bits(n[i]) << 23) + (IVec)(0x3F800000)))
  PENSTOCK_EACH(x[i], (p[i] + broadcast(1.0f)) * n[i]) // times 2^n, so that NaN survives
#undef PENSTOCK_EACH
}
PENSTOCK_INLINE Vec exponential(Vec x) {
  Vec all[1] = {x};
  exponentials(all);
  return all[0];
}

/// Natural logarithm within 2 ULP (tested) of normal positive numbers; what attention takes of its
/// sums, which are at least 1 / 2. The polynomial is Cephes's logf.
PENSTOCK_INLINE Vec logarithm(Vec x) {
  const IVec word = bits(x);
  const IVec offset = word - (IVec)(0x3F3504F3); // exponent relative to sqrt(1/2), so that the rest
                                                 // is in [sqrt(1/2), sqrt(2))
  const IVec exponent = offset >> 23;
  const Vec m = fromBits(word - (exponent << 23)) - broadcast(1.0f);
  const Vec e = __builtin_convertvector(exponent, Vec);
  Vec p = broadcast(7.0376836292e-2f);
  p = fma(p, m, broadcast(-1.1514610310e-1f));
  p = fma(p, m, broadcast(1.1676998740e-1f));
  p = fma(p, m, broadcast(-1.2420140846e-1f));
  p = fma(p, m, broadcast(1.4249322787e-1f));
  p = fma(p, m, broadcast(-1.6668057665e-1f));
  p = fma(p, m, broadcast(2.0000714765e-1f));
  p = fma(p, m, broadcast(-2.4999993993e-1f));
  p = fma(p, m, broadcast(3.3333331174e-1f));
  const Vec square = m * m;
  Vec y = p * m * square;
  y = fma(e, broadcast(-2.12194440e-4f), y);
  y = fma(square, broadcast(-0.5f), y);
  return fma(e, broadcast(0.693359375f), m + y);
}
