#include "runtime/exec/machine_peak.h"

#include "runtime/exec/progress.h"

#include <immintrin.h>

#include <algorithm>
#include <vector>

namespace penstock {
namespace {

constexpr std::int64_t rounds = 1 << 19;
constexpr int chains = 12; // enough to hide the latency of a multiply-add on two ports

// The sums end in `kept`, so that the work is not removed.
__attribute__((target("avx2,fma"))) void multiplyAdd256(float *kept) {
  __m256 sums[chains];
  const __m256 factor = _mm256_set1_ps(0.999f), addend = _mm256_set1_ps(0.001f);
  for (__m256 &sum : sums) {
    sum = _mm256_set1_ps(1);
  }
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma clang loop unroll(full)
    for (int c = 0; c < chains; ++c) {
      sums[c] = _mm256_fmadd_ps(sums[c], factor, addend);
    }
  }
  for (const __m256 &sum : sums) {
    *kept += _mm256_cvtss_f32(sum);
  }
}

__attribute__((target("avx512f"))) void multiplyAdd512(float *kept) {
  __m512 sums[chains];
  const __m512 factor = _mm512_set1_ps(0.999f), addend = _mm512_set1_ps(0.001f);
  for (__m512 &sum : sums) {
    sum = _mm512_set1_ps(1);
  }
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma clang loop unroll(full)
    for (int c = 0; c < chains; ++c) {
      sums[c] = _mm512_fmadd_ps(sums[c], factor, addend);
    }
  }
  for (const __m512 &sum : sums) {
    *kept += _mm512_cvtss_f32(sum);
  }
}

struct Work {
  bool wide = false;
  std::vector<float> kept;
  std::vector<float> to, left, right;
};

void multiplyAdds(void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
  auto &work = *static_cast<Work *>(context);
  for (std::int64_t i = begin; i < end; ++i) {
    float *kept = &work.kept[static_cast<std::size_t>(i) * 16];
    work.wide ? multiplyAdd512(kept) : multiplyAdd256(kept);
  }
}

void triad(void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
  auto &work = *static_cast<Work *>(context);
  float *to = work.to.data();
  const float *left = work.left.data(), *right = work.right.data();
  for (std::int64_t i = begin; i < end; ++i) {
    to[i] = left[i] + 0.5f * right[i];
  }
}

double best(ThreadPool &pool, ThreadPool::Body body, Work &work, std::int64_t count, std::int64_t grain) {
  std::int64_t least = std::int64_t{1} << 62;
  for (int i = 0; i < 6; ++i) {
    const std::int64_t begin = monotonicNow();
    pool.parallelFor(body, &work, count, grain);
    least = std::min(least, monotonicNow() - begin);
  }
  return static_cast<double>(std::max<std::int64_t>(least, 1)) * 1e-9;
}

} // namespace

MachinePeak measurePeak(ThreadPool &pool) {
  MachinePeak peak;
  Work work;
  work.wide = __builtin_cpu_supports("avx512f");
  const std::int64_t workers = pool.workers();
  work.kept.assign(static_cast<std::size_t>(workers) * 16, 0);
  const double flops = static_cast<double>(workers) * rounds * chains * (work.wide ? 32 : 16);
  peak.flops = flops / best(pool, multiplyAdds, work, workers, 1);
  constexpr std::size_t elements = std::size_t{1} << 23; // three arrays of 32 MiB
  work.to.assign(elements, 0);
  work.left.assign(elements, 1);
  work.right.assign(elements, 2);
  const auto count = static_cast<std::int64_t>(elements);
  peak.bytes = 12.0 * static_cast<double>(elements) / best(pool, triad, work, count, (count + workers - 1) / workers);
  return peak;
}

} // namespace penstock
