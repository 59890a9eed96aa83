// Random numbers from counters: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// The stream of an element does not depend on the level.

PENSTOCK_INLINE uint64_t mix(uint64_t z) { // SplitMix64's finalizer
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// Philox's key of one use of random numbers in one step.
PENSTOCK_INLINE uint64_t philoxKey(uint64_t seed, uint64_t step, uint64_t key) {
  return mix(mix(mix(seed) ^ step) ^ key);
}

PENSTOCK_INLINE void wideMultiply(UVec a, uint32_t by, UVec &high, UVec &low) {
  const WideVec all = __builtin_bit_cast(WideVec, a);
  const WideVec even = (all & 0xFFFFFFFFu) * (uint64_t)by;
  const WideVec odd = (all >> 32) * (uint64_t)by;
  high = __builtin_bit_cast(UVec, (even >> 32) | (odd & 0xFFFFFFFF00000000u));
  low = __builtin_bit_cast(UVec, (even & 0xFFFFFFFFu) | (odd << 32));
}

PENSTOCK_INLINE void philox(UVec c[4], uint64_t key) {
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
#pragma clang loop unroll(full)
  for (int round = 0; round < 10; ++round) {
    UVec high0, low0, high1, low1;
    wideMultiply(c[0], 0xD2511F53u, high0, low0);
    wideMultiply(c[2], 0xCD9E8D57u, high1, low1);
    c[0] = high1 ^ c[1] ^ (UVec)(k0);
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ (UVec)(k1);
    c[3] = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

PENSTOCK_INLINE UVec counting(uint32_t from) {
  UVec v;
#pragma clang loop unroll(full)
  for (int i = 0; i < PENSTOCK_LANES; ++i) {
    v[i] = (uint32_t)i;
  }
  return v + (UVec)(from);
}

typedef float Vec4 __attribute__((ext_vector_type(4)));

void dropoutRow(float *out, int64_t width, int64_t position, uint64_t record_number, uint64_t seed, uint64_t step,
                uint64_t key, float p) {
  const bool none = !(p < 1.0f);
  const uint32_t threshold = p > 0 && !none ? (uint32_t)((double)p * 4294967296.0) : 0;
  const Vec scale = broadcast(none ? 0.0f : 1.0f / (1.0f - (p > 0 ? p : 0.0f)));
  const uint64_t philoxed = philoxKey(seed, step, key);
  float words[4][PENSTOCK_LANES];
  float tail[4 * PENSTOCK_LANES];
  for (int64_t first = 0; first < width; first += 4 * lanes) {
    UVec c[4] = {counting((uint32_t)(first / 4)), (UVec)((uint32_t)position), (UVec)((uint32_t)record_number),
                 (UVec)((uint32_t)(record_number >> 32))};
    philox(c, philoxed);
#pragma clang loop unroll(full)
    for (int w = 0; w < 4; ++w) {
      store(words[w], fromBits(bits(scale) & (IVec)(c[w] >= (UVec)(threshold))));
    }
    float *to = width - first >= 4 * lanes ? out + first : tail;
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < lanes; i += 4) {
      Vec4 a, b, d, e;
      __builtin_memcpy(&a, &words[0][i], sizeof(a));
      __builtin_memcpy(&b, &words[1][i], sizeof(b));
      __builtin_memcpy(&d, &words[2][i], sizeof(d));
      __builtin_memcpy(&e, &words[3][i], sizeof(e));
      const Vec4 ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const Vec4 de0 = __builtin_shufflevector(d, e, 0, 4, 1, 5), de1 = __builtin_shufflevector(d, e, 2, 6, 3, 7);
      const Vec4 rows[4] = {
          __builtin_shufflevector(ab0, de0, 0, 1, 4, 5), __builtin_shufflevector(ab0, de0, 2, 3, 6, 7),
          __builtin_shufflevector(ab1, de1, 0, 1, 4, 5), __builtin_shufflevector(ab1, de1, 2, 3, 6, 7)};
      __builtin_memcpy(to + 4 * i, rows, sizeof(rows));
    }
    for (int64_t i = first; to == tail && i < width; ++i) {
      out[i] = tail[i - first];
    }
  }
}

/// Dropout of attention: 16 bits of a Philox word an element. The elements of a record are (head, query, key), numbered
/// e = (head * T + query) * T + key. Of block b = e / 128, element e takes half h of word w of the counter
/// (16 b + l, bits 32..63 of it, record number) where (e % 128) = (2 w + h) * 16 + l.
struct Mask {
  uint64_t key, record;
  uint32_t threshold; // of 65536; 0: no dropout
  float scale;
};

PENSTOCK_INLINE Mask makeMask(float dropout, uint64_t record, uint64_t seed, uint64_t step, uint64_t key) {
  const uint32_t threshold =
      dropout > 0 ? (dropout < 1.0f ? (uint32_t)((double)dropout * 65536.0 + 0.5) : 65536u) : 0u;
  return {philoxKey(seed, step, key), record, threshold,
          threshold < 65536 ? (float)(65536.0 / (65536.0 - (double)threshold)) : 0.0f};
}

constexpr int64_t maskBlock = 128;

/// Writes the multipliers of whole blocks that cover [first, first + count) and returns where `first`'s stands.
/// `buffer` has room for count + 2 * maskBlock.
PENSTOCK_INLINE const float *makeMultipliers(const Mask &mask, float *buffer, int64_t first, int64_t count) {
  const int64_t firstBlock = first / maskBlock;
  const int64_t lastBlock = (first + count - 1) / maskBlock;
  for (int64_t b = firstBlock; b <= lastBlock; ++b) {
    const uint64_t counter = (uint64_t)b * 16;
    for (int64_t l = 0; l < 16; l += lanes) {
      UVec c[4] = {counting((uint32_t)counter + (uint32_t)l), (UVec)((uint32_t)(counter >> 32)),
                   (UVec)((uint32_t)mask.record), (UVec)((uint32_t)(mask.record >> 32))};
      philox(c, mask.key);
      float *to = buffer + (b - firstBlock) * maskBlock + l;
#pragma clang loop unroll(full)
      for (int w = 0; w < 4; ++w) {
        const IVec keepLow = (IVec)(c[w] & (UVec)(0xFFFFu)) >= (IVec)((int32_t)mask.threshold);
        const IVec keepHigh = (IVec)(c[w] >> 16) >= (IVec)((int32_t)mask.threshold);
        store(to + w * 32, fromBits(bits(broadcast(mask.scale)) & keepLow));
        store(to + w * 32 + 16, fromBits(bits(broadcast(mask.scale)) & keepHigh));
      }
    }
  }
  return buffer + first % maskBlock;
}

void attentionMask(float *out, int64_t first, int64_t count, float dropout, uint64_t record_number, uint64_t seed,
                   uint64_t step, uint64_t key) {
  const Mask mask = makeMask(dropout, record_number, seed, step, key);
  float buffer[3 * maskBlock];
  for (int64_t i = 0; i < count; i += maskBlock) {
    const int64_t part = minimum(maskBlock, count - i);
    __builtin_memcpy(out + i, makeMultipliers(mask, buffer, first + i, part), (size_t)part * sizeof(float));
  }
}
