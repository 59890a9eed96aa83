// Attention, of all rows and of first rows.
#include "runtime/cuda/kernels/attention.h"

#include "runtime/cuda/launch.h"
#include "runtime/cuda/launchers/launchers.h"

#include <algorithm>
#include <cmath>

namespace penstock::cuda {
namespace {

/// A kernel of one width of heads, rounded up; 0: any.
struct Kernels {
  std::int64_t width;
  LibraryKernel forward, backward;
  int threads;
  std::size_t forwardBytes, backwardBytes;
};

/// Shared memory of attention_fp32.cu: rows of the width and 4 floats, and tiles of scores.
constexpr std::size_t forwardBytes(std::size_t width) {
  const std::size_t keys = width == 128 ? 32 : 64;
  return ((64 + 2 * keys) * (width + 4) + 64 * (keys + 4)) * sizeof(float);
}
constexpr std::size_t backwardBytes(std::size_t width) {
  const std::size_t others = width == 128 ? 16 : 32, rows = 2 * 64 + 2 * others;
  const std::size_t queries = 64 * (others + 4) + 2 * 64, keys = 2 * others * (64 + 4) + 2 * others;
  return (rows * (width + 4) + std::max(queries, keys)) * sizeof(float);
}

const Kernels float32Kernels[] = {
    {32, LibraryKernel("attention_32"), LibraryKernel("attention_grad_32"), 256, forwardBytes(32), backwardBytes(32)},
    {64, LibraryKernel("attention_64"), LibraryKernel("attention_grad_64"), 256, forwardBytes(64), backwardBytes(64)},
    {128, LibraryKernel("attention_128"), LibraryKernel("attention_grad_128"), 256, forwardBytes(128), backwardBytes(128)},
    {0, LibraryKernel("attention_wide"), LibraryKernel("attention_grad_wide"), 128, 0, 0},
};

const Kernels &kernelsInFloat32(std::int64_t width) {
  return *std::find_if(std::begin(float32Kernels), std::end(float32Kernels),
                       [&](const Kernels &k) { return k.width == 0 || width <= k.width; });
}

/// Shared memory of attention_bf16.cu: tiles of 64 rows.
constexpr std::size_t pairBytes(std::size_t width, std::size_t tiles) { return tiles * 64 * width * 2; }
constexpr std::size_t gradientBytes(std::size_t width) { return pairBytes(width, 4) + pairBytes(64, 2) + 2 * 64 * sizeof(float); }

const Kernels bf16Kernels[] = {
    {16, LibraryKernel("attention_bf16_16"), LibraryKernel("attention_grad_bf16_16"), 128, pairBytes(16, 3), gradientBytes(16)},
    {32, LibraryKernel("attention_bf16_32"), LibraryKernel("attention_grad_bf16_32"), 128, pairBytes(32, 3), gradientBytes(32)},
    {64, LibraryKernel("attention_bf16_64"), LibraryKernel("attention_grad_bf16_64"), 128, pairBytes(64, 3), gradientBytes(64)},
    {128, LibraryKernel("attention_bf16_128"), LibraryKernel("attention_grad_bf16_128"), 128, pairBytes(128, 3), gradientBytes(128)},
};

/// Tensor cores take heads of some widths; others are computed in float32, of rounded operands where
/// those are asked for.
const Kernels &kernelsOf(const AttentionArguments &of) {
  for (const Kernels &by : bf16Kernels) {
    if (of.round != 0 && by.width == of.width) {
      return by;
    }
  }
  return kernelsInFloat32(of.width);
}

/// Parts that the tiles of a record are dealt to: long records need many blocks, and of many records each needs few.
std::int64_t partsOf(const AttentionArguments &of) {
  const std::int64_t parallel = std::max<std::int64_t>(1, of.capacity * of.heads);
  return std::clamp<std::int64_t>(512 / parallel, 1, 32);
}

void setDropout(AttentionArguments &of, float probability) {
  of.threshold = probability > 0 ? (probability < 1 ? static_cast<unsigned>(static_cast<double>(probability) * 65536 + 0.5) : 65536) : 0;
  of.multiplier = of.threshold < 65536 ? static_cast<float>(65536.0 / (65536.0 - static_cast<double>(of.threshold))) : 0;
}

/// Whatever both directions need; `columns` of q, k and v lie in rows of ldQuery and ld.
AttentionArguments operands(const float *q, std::int64_t ldQuery, const float *kv, std::int64_t ld, const std::int32_t *offsets,
                            const std::uint64_t *numbers, std::int64_t capacity, const std::int64_t *count, std::int64_t heads,
                            std::int64_t width, float probability, const std::uint64_t *seed, const std::uint64_t *step, std::uint64_t key,
                            bool first, std::int32_t precision) {
  AttentionArguments of = {};
  of.q = q, of.k = kv, of.v = kv + heads * width;
  of.ldQuery = ldQuery, of.ld = ld;
  of.offsets = offsets, of.recordNumbers = numbers;
  of.capacity = capacity, of.count = count;
  of.heads = heads, of.width = width;
  of.seed = seed, of.step = step, of.key = key;
  of.scale = 1.0f / std::sqrt(static_cast<float>(width));
  setDropout(of, probability);
  of.first = first ? 1 : 0;
  of.round = precision;
  return of;
}

bool whole(const AttentionArguments &of, const float *pointer) {
  return of.width % 4 == 0 && reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

void forward(const PenstockCall *call, AttentionArguments &of, float *out, float *lse) {
  of.out = out, of.lse = lse;
  of.whole = whole(of, of.q) && whole(of, of.k) && whole(of, out) ? 1 : 0;
  const Kernels &by = kernelsOf(of);
  launch(call, by.forward, {of.capacity, partsOf(of), of.heads}, by.threads, by.forwardBytes, of);
}

void backward(const PenstockCall *call, AttentionArguments &of, const float *out, const float *lse, const float *dout, float *dq,
              float *dk) {
  of.out = const_cast<float *>(out), of.lse = const_cast<float *>(lse), of.dout = dout;
  of.dq = dq, of.dk = dk, of.dv = dk + of.heads * of.width;
  of.whole = whole(of, of.q) && whole(of, of.k) && whole(of, of.dout) && whole(of, of.dq) && whole(of, of.dk) ? 1 : 0;
  const Kernels &by = kernelsOf(of);
  launch(call, by.backward, {of.capacity, 2 * partsOf(of), of.heads}, by.threads, by.backwardBytes, of);
}

} // namespace
} // namespace penstock::cuda

using namespace penstock::cuda;

extern "C" {

void penstock_cuda_attention(const PenstockCall *call, const float *qkv, float *out, float *lse, const std::int32_t *offsets,
                             const std::uint64_t *numbers, std::int64_t capacity, const std::int64_t *count, std::int64_t heads,
                             std::int64_t width, float probability, const std::uint64_t *seed, const std::uint64_t *step, std::uint64_t key,
                             std::int32_t precision) {
  const std::int64_t columns = heads * width;
  AttentionArguments of = operands(qkv, 3 * columns, qkv + columns, 3 * columns, offsets, numbers, capacity, count, heads, width,
                                   probability, seed, step, key, false, precision);
  forward(call, of, out, lse);
}

void penstock_cuda_attention_grad(const PenstockCall *call, const float *qkv, const float *out, const float *lse, const float *dout,
                                  float *dqkv, const std::int32_t *offsets, const std::uint64_t *numbers, std::int64_t capacity,
                                  const std::int64_t *count, std::int64_t heads, std::int64_t width, float probability,
                                  const std::uint64_t *seed, const std::uint64_t *step, std::uint64_t key, std::int32_t precision) {
  const std::int64_t columns = heads * width;
  AttentionArguments of = operands(qkv, 3 * columns, qkv + columns, 3 * columns, offsets, numbers, capacity, count, heads, width,
                                   probability, seed, step, key, false, precision);
  backward(call, of, out, lse, dout, dqkv, dqkv + columns);
}

void penstock_cuda_attention_first(const PenstockCall *call, const float *q, const float *kv, float *out, float *lse,
                                   const std::int32_t *offsets, const std::uint64_t *numbers, std::int64_t capacity,
                                   const std::int64_t *count, std::int64_t heads, std::int64_t width, float probability,
                                   const std::uint64_t *seed, const std::uint64_t *step, std::uint64_t key, std::int32_t precision) {
  const std::int64_t columns = heads * width;
  AttentionArguments of =
      operands(q, columns, kv, 2 * columns, offsets, numbers, capacity, count, heads, width, probability, seed, step, key, true, precision);
  forward(call, of, out, lse);
}

void penstock_cuda_attention_first_grad(const PenstockCall *call, const float *q, const float *kv, const float *out, const float *lse,
                                        const float *dout, float *dq, float *dkv, const std::int32_t *offsets, const std::uint64_t *numbers,
                                        std::int64_t capacity, const std::int64_t *count, std::int64_t heads, std::int64_t width,
                                        float probability, const std::uint64_t *seed, const std::uint64_t *step, std::uint64_t key,
                                        std::int32_t precision) {
  const std::int64_t columns = heads * width;
  AttentionArguments of =
      operands(q, columns, kv, 2 * columns, offsets, numbers, capacity, count, heads, width, probability, seed, step, key, true, precision);
  backward(call, of, out, lse, dout, dq, dkv);
}

} // extern "C"
