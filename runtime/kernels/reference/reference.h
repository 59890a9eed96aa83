// The oracle: every kernel of kernels.h as plain loops over T (float or double), sums in double.
// Slow, and easy to read against the definitions in kernels.h. Header-only; for tests and for
// handles forced to "reference".
//
// Attention takes its dropout as a function multiplier(record number, head, query, key, length), so
// that float64 tests can pass 1, a fixed mask, or `attentionMultiplier`, which is what the fast
// kernels use.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace penstock::reference {

using Index = std::int64_t;
using Offsets = const std::int32_t *;

// ---- random numbers
// --------------------------------------------------------------------------------------------------

inline std::uint64_t mix(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

inline std::uint64_t philoxKey(std::uint64_t seed, std::uint64_t step, std::uint64_t key) { return mix(mix(mix(seed) ^ step) ^ key); }

/// Philox4x32-10 of Random123.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::uint64_t key) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1,
         static_cast<std::uint32_t>(a)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// Multiplier of one element of a row under dropout (penstock_dropout_row).
inline float dropoutMultiplier(Index element, Index position, std::uint64_t record, std::uint64_t seed, std::uint64_t step,
                               std::uint64_t key, float p) {
  if (!(p < 1)) {
    return 0;
  }
  const auto words = philox({static_cast<std::uint32_t>(element / 4), static_cast<std::uint32_t>(position),
                             static_cast<std::uint32_t>(record), static_cast<std::uint32_t>(record >> 32)},
                            philoxKey(seed, step, key));
  const double threshold = p > 0 ? static_cast<double>(p) * 4294967296.0 : 0;
  return words[static_cast<std::size_t>(element % 4)] >= static_cast<std::uint32_t>(threshold) ? 1.0f / (1.0f - (p > 0 ? p : 0.0f)) : 0.0f;
}

/// Multiplier of a probability under attention's dropout: 16 bits an element, see
/// docs/design/kernels.md.
inline float attentionMultiplier(std::uint64_t record, Index head, Index query, Index keyRow, Index length, std::uint64_t seed,
                                 std::uint64_t step, std::uint64_t key, float p) {
  if (!(p > 0)) {
    return 1;
  }
  const std::uint32_t threshold = p < 1 ? static_cast<std::uint32_t>(static_cast<double>(p) * 65536.0 + 0.5) : 65536;
  const std::uint64_t element = static_cast<std::uint64_t>((head * length + query) * length + keyRow);
  const std::uint64_t within = element % 128, counter = element / 128 * 16 + within % 16;
  const auto words = philox({static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                             static_cast<std::uint32_t>(record), static_cast<std::uint32_t>(record >> 32)},
                            philoxKey(seed, step, key));
  const std::uint32_t half = words[within / 32] >> (within / 16 % 2 * 16) & 0xFFFF;
  return half >= threshold ? static_cast<float>(65536.0 / (65536.0 - threshold)) : 0.0f;
}

// ---- contractions
// ----------------------------------------------------------------------------------------------------

template <class T>
void matmul(const T *w, Index k, Index n, bool transposed, const T *x, Index ldx, T *y, Index ldy, Index rows, const T *bias,
            bool accumulate) {
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < n; ++j) {
      double sum = (accumulate ? static_cast<double>(y[i * ldy + j]) : 0.0) + (bias ? static_cast<double>(bias[j]) : 0);
      for (Index d = 0; d < k; ++d) {
        sum += static_cast<double>(x[i * ldx + d]) * static_cast<double>(transposed ? w[j * k + d] : w[d * n + j]);
      }
      y[i * ldy + j] = static_cast<T>(sum);
    }
  }
}

template <class T> void weightGradient(Index k, Index n, const T *x, Index ldx, const T *dy, Index lddy, Index rows, T *dw) {
  std::vector<double> sums(static_cast<std::size_t>(k * n), 0.0);
  for (Index t = 0; t < rows; ++t) {
    for (Index i = 0; i < k; ++i) {
      for (Index j = 0; j < n; ++j) {
        sums[static_cast<std::size_t>(i * n + j)] += static_cast<double>(x[t * ldx + i]) * static_cast<double>(dy[t * lddy + j]);
      }
    }
  }
  for (Index i = 0; i < k * n; ++i) {
    dw[i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
  }
}

// ---- conv1d
// ------------------------------------------------------------------------------------------------------------

template <class T>
void conv1d(const T *w, Index width, Index k, Index n, const T *x, T *y, Offsets offsets, Index begin, Index end, const T *bias) {
  const Index left = (width - 1) / 2;
  for (Index r = begin; r < end; ++r) {
    for (Index t = offsets[r]; t < offsets[r + 1]; ++t) {
      for (Index c = 0; c < n; ++c) {
        double sum = bias ? static_cast<double>(bias[c]) : 0.0;
        for (Index j = 0; j < width; ++j) {
          const Index s = t + j - left;
          if (s < offsets[r] || s >= offsets[r + 1]) {
            continue;
          }
          for (Index i = 0; i < k; ++i) {
            sum += static_cast<double>(x[s * k + i]) * static_cast<double>(w[(j * k + i) * n + c]);
          }
        }
        y[t * n + c] = static_cast<T>(sum);
      }
    }
  }
}

template <class T>
void conv1dGradientInput(const T *w, Index width, Index k, Index n, const T *dy, T *dx, Offsets offsets, Index begin, Index end,
                         bool accumulate) {
  const Index left = (width - 1) / 2;
  for (Index r = begin; r < end; ++r) {
    for (Index s = offsets[r]; s < offsets[r + 1]; ++s) {
      for (Index i = 0; i < k; ++i) {
        double sum = accumulate ? static_cast<double>(dx[s * k + i]) : 0.0;
        for (Index j = 0; j < width; ++j) {
          const Index t = s - j + left;
          if (t < offsets[r] || t >= offsets[r + 1]) {
            continue;
          }
          for (Index c = 0; c < n; ++c) {
            sum += static_cast<double>(dy[t * n + c]) * static_cast<double>(w[(j * k + i) * n + c]);
          }
        }
        dx[s * k + i] = static_cast<T>(sum);
      }
    }
  }
}

template <class T>
void conv1dGradientWeight(Index width, Index k, Index n, const T *x, const T *dy, Offsets offsets, Index records, T *dw) {
  const Index left = (width - 1) / 2;
  for (Index j = 0; j < width; ++j) {
    for (Index i = 0; i < k; ++i) {
      for (Index c = 0; c < n; ++c) {
        double sum = 0;
        for (Index r = 0; r < records; ++r) {
          for (Index t = offsets[r]; t < offsets[r + 1]; ++t) {
            const Index s = t + j - left;
            if (s >= offsets[r] && s < offsets[r + 1]) {
              sum += static_cast<double>(x[s * k + i]) * static_cast<double>(dy[t * n + c]);
            }
          }
        }
        dw[(j * k + i) * n + c] = static_cast<T>(sum);
      }
    }
  }
}

// ---- segments
// ----------------------------------------------------------------------------------------------------------

template <class T> void segmentSum(const T *x, Offsets offsets, Index begin, Index end, Index width, T *y) {
  for (Index r = begin; r < end; ++r) {
    for (Index c = 0; c < width; ++c) {
      double sum = 0;
      for (Index t = offsets[r]; t < offsets[r + 1]; ++t) {
        sum += static_cast<double>(x[t * width + c]);
      }
      y[r * width + c] = static_cast<T>(sum);
    }
  }
}

/// First of equal maxima. A record without rows gives 0.
template <class T> void segmentMax(const T *x, Offsets offsets, Index begin, Index end, Index width, T *y, std::int32_t *argmax) {
  for (Index r = begin; r < end; ++r) {
    for (Index c = 0; c < width; ++c) {
      T top = 0;
      std::int32_t at = 0;
      for (Index t = offsets[r]; t < offsets[r + 1]; ++t) {
        if (t == offsets[r] || x[t * width + c] > top) {
          top = x[t * width + c];
          at = static_cast<std::int32_t>(t - offsets[r]);
        }
      }
      y[r * width + c] = top;
      argmax[r * width + c] = at;
    }
  }
}

/// dx = 0 but g at row argmax of its record.
template <class T>
void segmentMaxGradient(const T *g, const std::int32_t *argmax, Offsets offsets, Index begin, Index end, Index width, T *dx) {
  for (Index r = begin; r < end; ++r) {
    for (Index t = offsets[r]; t < offsets[r + 1]; ++t) {
      for (Index c = 0; c < width; ++c) {
        dx[t * width + c] = argmax[r * width + c] == t - offsets[r] ? g[r * width + c] : T(0);
      }
    }
  }
}

template <class T> void bagSum(const T *table, const std::int32_t *ids, Offsets offsets, Index begin, Index end, Index width, T *y) {
  for (Index r = begin; r < end; ++r) {
    for (Index c = 0; c < width; ++c) {
      double sum = 0;
      for (Index t = offsets[r]; t < offsets[r + 1]; ++t) {
        sum += static_cast<double>(table[ids[t] * width + c]);
      }
      y[r * width + c] = static_cast<T>(sum);
    }
  }
}

template <class T>
void embeddingGradient(const std::int32_t *ids, const std::int32_t *source, const T *dy, Index rows, Index width, Index vocabulary,
                       T *dtable) {
  std::vector<double> sums(static_cast<std::size_t>(vocabulary * width), 0.0);
  for (Index t = 0; t < rows; ++t) {
    for (Index c = 0; c < width && ids[t] >= 0; ++c) {
      sums[static_cast<std::size_t>(ids[t] * width + c)] += static_cast<double>(dy[(source ? source[t] : t) * width + c]);
    }
  }
  for (Index i = 0; i < vocabulary * width; ++i) {
    dtable[i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
  }
}

// ---- attention
// ---------------------------------------------------------------------------------------------------------

template <class T, class Multiplier>
void attentionForward(const T *qkv, T *out, T *lse, Offsets offsets, const std::uint64_t *numbers, Index begin, Index end, Index heads,
                      Index width, Multiplier multiplier) {
  const Index ld = 3 * heads * width, ldOut = heads * width;
  const double scale = 1.0 / std::sqrt(static_cast<double>(width));
  for (Index r = begin; r < end; ++r) {
    const Index first = offsets[r], length = offsets[r + 1] - first;
    std::vector<double> p(static_cast<std::size_t>(length));
    for (Index h = 0; h < heads; ++h) {
      for (Index i = 0; i < length; ++i) {
        double top = -INFINITY, sum = 0;
        for (Index j = 0; j < length; ++j) {
          double s = 0;
          for (Index c = 0; c < width; ++c) {
            s += static_cast<double>(qkv[(first + i) * ld + h * width + c]) *
                 static_cast<double>(qkv[(first + j) * ld + ldOut + h * width + c]);
          }
          p[static_cast<std::size_t>(j)] = s * scale;
          top = std::fmax(top, s * scale);
        }
        for (double &e : p) {
          e = std::exp(e - top);
          sum += e;
        }
        lse[(first + i) * heads + h] = static_cast<T>(top + std::log(sum));
        for (Index c = 0; c < width; ++c) {
          double o = 0;
          for (Index j = 0; j < length; ++j) {
            o += p[static_cast<std::size_t>(j)] / sum * static_cast<double>(multiplier(numbers[r], h, i, j, length)) *
                 static_cast<double>(qkv[(first + j) * ld + 2 * ldOut + h * width + c]);
          }
          out[(first + i) * ldOut + h * width + c] = static_cast<T>(o);
        }
      }
    }
  }
}

template <class T, class Multiplier>
void attentionBackward(const T *qkv, const T *dout, T *dqkv, Offsets offsets, const std::uint64_t *numbers, Index begin, Index end,
                       Index heads, Index width, Multiplier multiplier) {
  const Index ld = 3 * heads * width, ldOut = heads * width;
  const double scale = 1.0 / std::sqrt(static_cast<double>(width));
  for (Index r = begin; r < end; ++r) {
    const Index first = offsets[r], length = offsets[r + 1] - first;
    std::vector<double> sums(static_cast<std::size_t>(length * ld), 0.0);
    std::vector<double> p(static_cast<std::size_t>(length)), dp(static_cast<std::size_t>(length));
    for (Index h = 0; h < heads; ++h) {
      const auto at = [&](Index row, Index part, Index c) {
        return static_cast<double>(qkv[(first + row) * ld + part * ldOut + h * width + c]);
      };
      const auto sum = [&](Index row, Index part, Index c) -> double & {
        return sums[static_cast<std::size_t>(row * ld + part * ldOut + h * width + c)];
      };
      for (Index i = 0; i < length; ++i) {
        double top = -INFINITY, total = 0, delta = 0;
        for (Index j = 0; j < length; ++j) {
          double s = 0, d = 0;
          for (Index c = 0; c < width; ++c) {
            s += at(i, 0, c) * at(j, 1, c);
            d += static_cast<double>(dout[(first + i) * ldOut + h * width + c]) * at(j, 2, c);
          }
          p[static_cast<std::size_t>(j)] = s * scale;
          dp[static_cast<std::size_t>(j)] = d * static_cast<double>(multiplier(numbers[r], h, i, j, length));
          top = std::fmax(top, s * scale);
        }
        for (double &e : p) {
          e = std::exp(e - top);
          total += e;
        }
        for (Index j = 0; j < length; ++j) {
          p[static_cast<std::size_t>(j)] /= total;
          delta += p[static_cast<std::size_t>(j)] * dp[static_cast<std::size_t>(j)];
        }
        for (Index j = 0; j < length; ++j) {
          const double prob = p[static_cast<std::size_t>(j)];
          const double ds = prob * (dp[static_cast<std::size_t>(j)] - delta) * scale;
          const double kept = prob * static_cast<double>(multiplier(numbers[r], h, i, j, length));
          for (Index c = 0; c < width; ++c) {
            sum(i, 0, c) += ds * at(j, 1, c);
            sum(j, 1, c) += ds * at(i, 0, c);
            sum(j, 2, c) += kept * static_cast<double>(dout[(first + i) * ldOut + h * width + c]);
          }
        }
      }
    }
    for (Index i = 0; i < length * ld; ++i) {
      dqkv[first * ld + i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
    }
  }
}

} // namespace penstock::reference
