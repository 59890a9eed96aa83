// The product of up to 2 x 2 tiles by AMX. A tile of sums takes, for each step of 32 numbers of depth, the sum of two chains of fused
// multiply-adds, one over the even and one over the odd numbers, begun from zero (Intel's Software Developer's Manual, TDPBF16PS).

#if PENSTOCK_BF16_NATIVE

/// The tile registers of a thread: usable while this lives.
struct Tiles {
  PENSTOCK_INLINE Tiles() {
    struct alignas(64) {
      uint8_t palette = 1, startRow = 0, reserved[14] = {};
      uint16_t rowBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } configuration;
    static_assert(sizeof(configuration) == 64);
    _tile_loadconfig(&configuration);
  }
  PENSTOCK_INLINE ~Tiles() { _tile_release(); }

  template <int tile> PENSTOCK_INLINE void zero() { _tile_zero(tile); }
  /// `ld` in words.
  template <int tile> PENSTOCK_INLINE void load(const void *from, int64_t ld) { _tile_loadd(tile, from, (size_t)ld * 4); }
  template <int tile> PENSTOCK_INLINE void store(void *to, int64_t ld) { _tile_stored(tile, to, (size_t)ld * 4); }
  template <int sums, int left, int right> PENSTOCK_INLINE void dot() { _tile_dpbf16ps(sums, left, right); }
};

#else

/// The same in memory, bit for bit where denormals are flushed (which threads of the pool do).
struct Tiles {
  template <int tile> void zero() { __builtin_memset(of[tile], 0, sizeof(of[tile])); }
  template <int tile> void load(const void *from, int64_t ld) {
    for (int64_t i = 0; i < tileRows; ++i) {
      __builtin_memcpy(of[tile] + i * 16, (const uint32_t *)from + i * ld, 64);
    }
  }
  template <int tile> void store(void *to, int64_t ld) {
    for (int64_t i = 0; i < tileRows; ++i) {
      __builtin_memcpy((uint32_t *)to + i * ld, of[tile] + i * 16, 64);
    }
  }
  template <int sums, int left, int right> void dot() { dot(of[sums], of[left], of[right]); }

private:
  /// Two rows and all columns at a time: eight chains, so that the processor does not wait for one.
  static void dot(uint32_t *sums, const uint32_t *left, const uint32_t *right) {
    constexpr int rows = 2, halves = 2;
    for (int64_t row = 0; row < tileRows; row += rows) {
      Half even[rows][halves] = {}, odd[rows][halves] = {};
      for (int64_t pair = 0; pair < tileDepth / 2; ++pair) {
#pragma clang loop unroll(full)
        for (int j = 0; j < halves; ++j) {
          const HalfWords b = loadWords(right + pair * 16 + j * 8);
#pragma clang loop unroll(full)
          for (int i = 0; i < rows; ++i) {
            const uint32_t a = left[(row + i) * 16 + pair];
            even[i][j] =
                __builtin_elementwise_fma(__builtin_bit_cast(Half, (HalfWords)(a << 16)), __builtin_bit_cast(Half, b << 16), even[i][j]);
            odd[i][j] = __builtin_elementwise_fma(__builtin_bit_cast(Half, (HalfWords)(a & 0xFFFF0000u)),
                                                  __builtin_bit_cast(Half, b & 0xFFFF0000u), odd[i][j]);
          }
        }
      }
      for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < halves; ++j) {
          uint32_t *at = sums + (row + i) * 16 + j * 8;
          const Half sum = __builtin_bit_cast(Half, loadWords(at)) + (even[i][j] + odd[i][j]);
          __builtin_memcpy(at, &sum, sizeof(sum));
        }
      }
    }
  }

  alignas(64) uint32_t of[8][tileWords];
};

#endif

/// c[16 rows x 16 columns] = from + a . b over `depth` steps of 32. The left tiles of a row of tiles lie one after another, its second
/// row of tiles `strideA` words behind the first; each step of b has two tiles. `from` (leading dimension `ldFrom`, 0: one row for all)
/// may be NULL, for zeros. Whole tiles are written.
template <int rows, int columns>
PENSTOCK_INLINE void product(Tiles &tiles, int64_t depth, const uint32_t *a, int64_t strideA, const uint32_t *b, const float *from,
                             int64_t ldFrom, float *c, int64_t ldc) {
  if (from == nullptr) {
    tiles.zero<0>();
    tiles.zero<1>();
    tiles.zero<2>();
    tiles.zero<3>();
  } else {
    tiles.load<0>(from, ldFrom);
    if constexpr (columns > 1) {
      tiles.load<1>(from + 16, ldFrom);
    }
    if constexpr (rows > 1) {
      tiles.load<2>(from + 16 * ldFrom, ldFrom);
    }
    if constexpr (rows > 1 && columns > 1) {
      tiles.load<3>(from + 16 * ldFrom + 16, ldFrom);
    }
  }
  for (int64_t d = 0; d < depth; ++d, a += tileWords, b += 2 * tileWords) {
    tiles.load<4>(a, 16);
    tiles.load<6>(b, 16);
    tiles.dot<0, 4, 6>();
    if constexpr (rows > 1) {
      tiles.load<5>(a + strideA, 16);
      tiles.dot<2, 5, 6>();
    }
    if constexpr (columns > 1) {
      tiles.load<7>(b + tileWords, 16);
      tiles.dot<1, 4, 7>();
    }
    if constexpr (rows > 1 && columns > 1) {
      tiles.dot<3, 5, 7>();
    }
  }
  tiles.store<0>(c, ldc);
  if constexpr (columns > 1) {
    tiles.store<1>(c + 16, ldc);
  }
  if constexpr (rows > 1) {
    tiles.store<2>(c + 16 * ldc, ldc);
  }
  if constexpr (rows > 1 && columns > 1) {
    tiles.store<3>(c + 16 * ldc + 16, ldc);
  }
}

int64_t peak(int64_t rounds) {
  Tiles tiles;
  const uint32_t zeros[tileWords] = {};
  tiles.load<4>(zeros, 16);
  tiles.load<6>(zeros, 16);
  tiles.zero<0>();
  tiles.zero<1>();
  tiles.zero<2>();
  tiles.zero<3>();
  for (int64_t round = 0; round < rounds; ++round) {
    tiles.dot<0, 4, 6>();
    tiles.dot<1, 4, 6>();
    tiles.dot<2, 4, 6>();
    tiles.dot<3, 4, 6>();
  }
  return rounds * 4 * 2 * tileRows * tileRows * tileDepth;
}
