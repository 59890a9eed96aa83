// What integers would bring where there is neither AVX-512 nor AMX: a matmul with the operands rounded to int16 (vpmaddwd) and to int8
// (vpmaddubsw and vpmaddwd), rounding of the activations and conversion of the result counted, against our float32 kernel. Weights are
// packed beforehand. Best of many runs, one thread, by its processor time. docs/design/precision.md has the results.
#include "runtime/device/thread_pool.h"
#include "runtime/kernels/handles.h"

#include <immintrin.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <vector>

namespace {

using namespace penstock;
#define PENSTOCK_AVX2 __attribute__((target("avx2,fma")))

double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double best(const std::function<void()> &run) {
  double fastest = 1e9;
  for (int i = 0; i < 200; ++i) {
    const double begin = now();
    run();
    fastest = std::min(fastest, now() - begin);
  }
  return fastest;
}

/// Numbers of a word: 2 of int16, 4 of int8. Activations are rounded by the row, int16 to 13 bits (sums of 3072 such products of random
/// numbers fit an int32; to be sure of it for all, sums must become float every 128 products, which is left out here) and int8 to 7 bits
/// without a sign (so that pairs do not saturate), shifted by 64.
template <int perWord> struct Format;
template <> struct Format<2> {
  static constexpr float largest = 4095;
  static constexpr int shift = 0;
};
template <> struct Format<4> {
  static constexpr float largest = 63;
  static constexpr int shift = 64;
};

template <int perWord> PENSTOCK_AVX2 inline __m256i dot(__m256i sum, __m256i a, __m256i b) {
  if constexpr (perWord == 2) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
  } else {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
  }
}

/// Rounds a row of x and gives its scale.
template <int perWord> PENSTOCK_AVX2 float roundRow(const float *x, std::int64_t k, std::int32_t *to) {
  __m256 top = _mm256_setzero_ps();
  for (std::int64_t i = 0; i < k; i += 8) {
    top = _mm256_max_ps(top, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_loadu_ps(x + i)));
  }
  float lanes[8], largest = 1e-30f;
  _mm256_storeu_ps(lanes, top);
  for (const float lane : lanes) {
    largest = std::max(largest, lane);
  }
  const __m256 by = _mm256_set1_ps(Format<perWord>::largest / largest);
  const __m256i shift = _mm256_set1_epi32(Format<perWord>::shift);
  const auto eight = [&](std::int64_t i)
                         PENSTOCK_AVX2 { return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), by)), shift); };
  for (std::int64_t i = 0; i < k; i += 8 * perWord) {
    __m256i packed = _mm256_packs_epi32(eight(i), eight(i + 8));
    if constexpr (perWord == 2) {
      packed = _mm256_permute4x64_epi64(packed, 0xD8);
    } else {
      packed = _mm256_packus_epi16(packed, _mm256_packs_epi32(eight(i + 16), eight(i + 24)));
      packed = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + i / perWord), packed);
  }
  return largest / Format<perWord>::largest;
}

/// y = x . w for 6 rows and 16 columns; `w` has two vectors a word of depth, `shiftSum` what the shift of x added to each column.
template <int perWord>
PENSTOCK_AVX2 void tile(std::int64_t words, const std::int32_t *x, std::int64_t ldx, const std::int32_t *w, const float *scales,
                        const float *columnScales, const std::int32_t *shiftSum, float *y, std::int64_t ldy) {
  __m256i sums[6][2];
#pragma clang loop unroll(full)
  for (auto &row : sums) {
    row[0] = row[1] = _mm256_setzero_si256();
  }
  for (std::int64_t d = 0; d < words; ++d, w += 16) {
    __asm__ volatile("" ::: "memory");
    const __m256i b0 = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(w)),
                  b1 = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(w + 8));
#pragma clang loop unroll(full)
    for (int i = 0; i < 6; ++i) {
      const __m256i a = _mm256_set1_epi32(x[i * ldx + d]);
      sums[i][0] = dot<perWord>(sums[i][0], a, b0);
      sums[i][1] = dot<perWord>(sums[i][1], a, b1);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 6; ++i) {
#pragma clang loop unroll(full)
    for (int v = 0; v < 2; ++v) {
      const __m256i sum = _mm256_sub_epi32(sums[i][v], _mm256_loadu_si256(reinterpret_cast<const __m256i *>(shiftSum + 8 * v)));
      _mm256_storeu_ps(y + i * ldy + 8 * v, _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(scales[i])),
                                                          _mm256_loadu_ps(columnScales + 8 * v)));
    }
  }
}

template <int perWord> class IntegerMatmul {
public:
  IntegerMatmul(const std::vector<float> &w, std::int64_t inputs, std::int64_t outputs)
      : k(inputs), n(outputs), packed(static_cast<std::size_t>(k / perWord * n)), shiftSums(static_cast<std::size_t>(n)),
        columnScales(static_cast<std::size_t>(n)) {
    const float largest = perWord == 2 ? 4095.0f : 127.0f;
    for (std::int64_t j = 0; j < n; ++j) {
      float top = 1e-30f;
      for (std::int64_t i = 0; i < k; ++i) {
        top = std::max(top, std::fabs(w[static_cast<std::size_t>(i * n + j)]));
      }
      columnScales[static_cast<std::size_t>(j)] = top / largest;
      for (std::int64_t d = 0; d < k / perWord; ++d) {
        std::uint32_t word = 0;
        for (int e = 0; e < perWord; ++e) {
          const auto value = static_cast<std::int32_t>(std::lrint(w[static_cast<std::size_t>((d * perWord + e) * n + j)] * largest / top));
          shiftSums[static_cast<std::size_t>(j)] += Format<perWord>::shift * value;
          word |= (static_cast<std::uint32_t>(value) & (perWord == 2 ? 0xFFFFu : 0xFFu)) << (32 / perWord * e);
        }
        packed[static_cast<std::size_t>((j / 16 * (k / perWord) + d) * 16 + j % 16)] = static_cast<std::int32_t>(word);
      }
    }
  }
  void run(const float *x, float *y, std::int64_t rows) {
    rounded.resize(static_cast<std::size_t>(rows * k / perWord));
    scales.resize(static_cast<std::size_t>(rows));
    const std::int64_t words = k / perWord;
    for (std::int64_t i = 0; i < rows; ++i) {
      scales[static_cast<std::size_t>(i)] = roundRow<perWord>(x + i * k, k, rounded.data() + i * words);
    }
    for (std::int64_t j = 0; j < n; j += 16) {
      for (std::int64_t i = 0; i < rows; i += 6) {
        tile<perWord>(words, rounded.data() + i * words, words, packed.data() + j * words, scales.data() + i, columnScales.data() + j,
                      shiftSums.data() + j, y + i * n + j, n);
      }
    }
  }

private:
  std::int64_t k, n;
  std::vector<std::int32_t> packed, shiftSums, rounded;
  std::vector<float> columnScales, scales;
};

} // namespace

int main() {
  std::mt19937 engine(7);
  std::normal_distribution<float> some;
  auto pool = ThreadPool::create(1);
  std::printf(
      "48 rows; GFLOP/s as float32 counts them; error: rms of the difference from float32 over rms of the result\n%6s %6s %9s %18s %18s\n",
      "k", "n", "float32", "int16, error", "int8, error");
  for (const auto &shape : {std::pair{384, 1536}, std::pair{1536, 384}, std::pair{768, 3072}}) {
    const std::int64_t k = shape.first, n = shape.second, rows = 48;
    std::vector<float> w(static_cast<std::size_t>(k * n)), x(static_cast<std::size_t>(rows * k)), y(static_cast<std::size_t>(rows * n)),
        z(y.size());
    for (std::vector<float> *all : {&w, &x}) {
      for (float &value : *all) {
        value = some(engine);
      }
    }
    const std::int64_t sizes[] = {k, n, 0, n, 0};
    auto handle = makeKernelHandle({"matmul", "", 5, sizes}, Level::avx2, "packed");
    if (!handle.ok() || !pool.ok()) {
      return 1;
    }
    auto &matmul = *static_cast<MatmulObject *>(static_cast<KernelObject *>(handle->get()));
    matmul.pack(w.data(), pool->get());
    const double work = 2e-9 * static_cast<double>(rows * k * n);
    std::printf("%6ld %6ld %9.1f", k, n, work / best([&] { matmul.run(x.data(), k, y.data(), n, rows, nullptr, false); }));
    const auto compare = [&](auto integers) {
      const double speed = work / best([&] { integers.run(x.data(), z.data(), rows); });
      double off = 0, all = 0;
      for (std::size_t i = 0; i < y.size(); ++i) {
        off += std::pow(z[i] - y[i], 2);
        all += std::pow(y[i], 2);
      }
      std::printf(" %8.1f %9.1e", speed, std::sqrt(off / all));
    };
    compare(IntegerMatmul<2>(w, k, n));
    compare(IntegerMatmul<4>(w, k, n));
    std::printf("\n");
  }
  return 0;
}
