// Random numbers from counters: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). The stream of an element does not depend on the level.

PENSTOCK_INLINE uint64_t mix(uint64_t z) { // SplitMix64's finalizer
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// Philox's key of one use of random numbers in one step.
PENSTOCK_INLINE uint64_t philoxKey(uint64_t seed, uint64_t step, uint64_t key) { return mix(mix(mix(seed) ^ step) ^ key); }

PENSTOCK_INLINE void wideMultiply(UVec a, uint32_t by, UVec &high, UVec &low) {
  const WideVec all = __builtin_bit_cast(WideVec, a);
  const WideVec even = (all & 0xFFFFFFFFu) * (uint64_t)by;
  const WideVec odd = (all >> 32) * (uint64_t)by;
  high = __builtin_bit_cast(UVec, (even >> 32) | (odd & 0xFFFFFFFF00000000u));
  low = __builtin_bit_cast(UVec, (even & 0xFFFFFFFFu) | (odd << 32));
}

PENSTOCK_INLINE void philoxRound(UVec c[4], uint32_t k0, uint32_t k1) {
  UVec high0, low0, high1, low1;
  wideMultiply(c[0], 0xD2511F53u, high0, low0);
  wideMultiply(c[2], 0xCD9E8D57u, high1, low1);
  c[0] = high1 ^ c[1] ^ (UVec)(k0);
  c[1] = low1;
  c[2] = high0 ^ c[3] ^ (UVec)(k1);
  c[3] = low0;
}

/// Two sets of counters at once: a round waits for its multiplications, and the other set fills the
/// wait.
PENSTOCK_INLINE void philox(UVec a[4], UVec b[4], uint64_t key) {
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
#pragma clang loop unroll(full)
  for (int round = 0; round < 10; ++round) {
    philoxRound(a, k0, k1);
    philoxRound(b, k0, k1);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

PENSTOCK_INLINE UVec counting(uint32_t from) { return (UVec)laneNumbers() + (UVec)(from); }

/// Stores four words a counter in the order of elements, as multipliers.
PENSTOCK_INLINE void storeMultipliers(float *to, const UVec c[4], uint32_t threshold, Vec scale) {
  float words[4][PENSTOCK_LANES];
#pragma clang loop unroll(full)
  for (int w = 0; w < 4; ++w) {
    store(words[w], fromBits(bits(scale) & (IVec)(c[w] >= (UVec)(threshold))));
  }
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < lanes; i += 4) {
    Quarter a, b, d, e;
    __builtin_memcpy(&a, &words[0][i], sizeof(a));
    __builtin_memcpy(&b, &words[1][i], sizeof(b));
    __builtin_memcpy(&d, &words[2][i], sizeof(d));
    __builtin_memcpy(&e, &words[3][i], sizeof(e));
    const Quarter ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const Quarter de0 = __builtin_shufflevector(d, e, 0, 4, 1, 5), de1 = __builtin_shufflevector(d, e, 2, 6, 3, 7);
    const Quarter rows[4] = {__builtin_shufflevector(ab0, de0, 0, 1, 4, 5), __builtin_shufflevector(ab0, de0, 2, 3, 6, 7),
                             __builtin_shufflevector(ab1, de1, 0, 1, 4, 5), __builtin_shufflevector(ab1, de1, 2, 3, 6, 7)};
    __builtin_memcpy(to + 4 * i, rows, sizeof(rows));
  }
}

void dropoutRow(float *out, int64_t width, int64_t position, uint64_t record_number, uint64_t seed, uint64_t step, uint64_t key, float p) {
  const bool none = !(p < 1.0f);
  const uint32_t threshold = p > 0 && !none ? (uint32_t)((double)p * 4294967296.0) : 0;
  const Vec scale = broadcast(none ? 0.0f : 1.0f / (1.0f - (p > 0 ? p : 0.0f)));
  const uint64_t philoxed = philoxKey(seed, step, key);
  const UVec place = (UVec)((uint32_t)position), low = (UVec)((uint32_t)record_number), high = (UVec)((uint32_t)(record_number >> 32));
  float tail[8 * PENSTOCK_LANES];
  for (int64_t first = 0; first < width; first += 8 * lanes) {
    UVec a[4] = {counting((uint32_t)(first / 4)), place, low, high};
    UVec b[4] = {counting((uint32_t)(first / 4 + lanes)), place, low, high};
    philox(a, b, philoxed);
    float *to = width - first >= 8 * lanes ? out + first : tail;
    storeMultipliers(to, a, threshold, scale);
    storeMultipliers(to + 4 * lanes, b, threshold, scale);
    if (to == tail) {
      __builtin_memcpy(out + first, tail, (size_t)(width - first) * sizeof(float));
    }
  }
}

/// Dropout of attention: 16 bits of a Philox word an element. The elements of a record are (head,
/// query, key), numbered e = (head * T + query) * T + key. Of block b = e / 128, element e takes
/// half h of word w of the counter (16 b + l, bits 32..63 of it, record number) where (e % 128) =
/// (2 w + h) * 16 + l.
struct Mask {
  uint64_t key, record;
  uint32_t threshold; // of 65536; 0: no dropout
  float scale;
};

PENSTOCK_INLINE Mask makeMask(float dropout, uint64_t record, uint64_t seed, uint64_t step, uint64_t key) {
  const uint32_t threshold = dropout > 0 ? (dropout < 1.0f ? (uint32_t)((double)dropout * 65536.0 + 0.5) : 65536u) : 0u;
  return {philoxKey(seed, step, key), record, threshold, threshold < 65536 ? (float)(65536.0 / (65536.0 - (double)threshold)) : 0.0f};
}

constexpr int64_t maskBlock = 128;

PENSTOCK_INLINE void storeHalves(float *to, const UVec c[4], const Mask &mask) {
  const IVec threshold = (IVec)((int32_t)mask.threshold), scale = bits(broadcast(mask.scale));
#pragma clang loop unroll(full)
  for (int w = 0; w < 4; ++w) {
    const IVec keepLow = (IVec)(c[w] & (UVec)(0xFFFFu)) >= threshold;
    const IVec keepHigh = (IVec)(c[w] >> 16) >= threshold;
    store(to + w * 32, fromBits(scale & keepLow));
    store(to + w * 32 + 16, fromBits(scale & keepHigh));
  }
}

/// Writes the multipliers of whole blocks that cover [first, first + count) and returns where
/// `first`'s stands. `buffer` has room for count + 3 * maskBlock.
PENSTOCK_INLINE const float *makeMultipliers(const Mask &mask, float *buffer, int64_t first, int64_t count) {
  const int64_t firstBlock = first / maskBlock;
  const int64_t lastBlock = (first + count - 1) / maskBlock;
  // Lanes times two counters at once: one block of AVX2, two of AVX-512 (the buffer has room for
  // one more).
  for (int64_t block = firstBlock; block <= lastBlock; block += lanes / 8) {
    const uint64_t counter = (uint64_t)block * 16;
    const UVec top = (UVec)((uint32_t)(counter >> 32)), low = (UVec)((uint32_t)mask.record), high = (UVec)((uint32_t)(mask.record >> 32));
    UVec a[4] = {counting((uint32_t)counter), top, low, high};
    UVec b[4] = {counting((uint32_t)counter + (uint32_t)lanes), top, low, high};
    philox(a, b, mask.key);
    float *to = buffer + (block - firstBlock) * maskBlock;
    storeHalves(to, a, mask);
    storeHalves(to + (lanes == 16 ? maskBlock : lanes), b, mask);
  }
  return buffer + first % maskBlock;
}

void attentionMask(float *out, int64_t first, int64_t count, float dropout, uint64_t record_number, uint64_t seed, uint64_t step,
                   uint64_t key) {
  const Mask mask = makeMask(dropout, record_number, seed, step, key);
  float buffer[4 * maskBlock];
  for (int64_t i = 0; i < count; i += maskBlock) {
    const int64_t part = minimum(maskBlock, count - i);
    __builtin_memcpy(out + i, makeMultipliers(mask, buffer, first + i, part), (size_t)part * sizeof(float));
  }
}
