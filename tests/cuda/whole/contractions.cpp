// Whole launches of matmul, weight gradient and packing, by the CPU's kernels for AVX2, which every machine has: their sums are the same
// chains. Products of bf16 are exact in float32, so rounded operands give the bits of the emulated tensor cores.
#include "runtime/cuda/kernels/contractions.h"
#include "runtime/cuda/kernels/device.h"
#include "runtime/kernels/level_table.h"

#include <vector>

/// In place of the runtime's, which flushes denormal numbers, and a card does not: all of it here and now.
extern "C" void penstock_parallel_for(void *, void (*body)(void *context, int64_t begin, int64_t end, int32_t worker), void *context,
                                      int64_t count, int64_t) {
  if (count > 0) {
    body(context, 0, count, 0);
  }
}

namespace {

const PenstockContractions &cpu = penstockAvx2Table.contractions;

float roundedToBf16(float x) { return bf16Low(packBf16(x, 0.0f)); }

/// rows x columns, dense.
std::vector<float> roundedRows(const float *from, i64 ld, i64 rows, i64 columns) {
  std::vector<float> to(static_cast<std::size_t>(rows * columns));
  for (i64 row = 0; row < rows; ++row) {
    for (i64 column = 0; column < columns; ++column) {
      to[static_cast<std::size_t>(row * columns + column)] = roundedToBf16(from[row * ld + column]);
    }
  }
  return to;
}

void multiply(const MatmulArguments &of, const float *x, i64 ldx, const float *w, i64 ldw, bool transposed) {
  const i64 rows = countOf(of.rows, of.count);
  static std::vector<float> room;
  room.resize(static_cast<std::size_t>(cpu.packedFloats(of.k, of.n) + 16));
  float *const packed = reinterpret_cast<float *>((reinterpret_cast<u64>(room.data()) + 63) / 64 * 64);
  cpu.pack(nullptr, w, ldw, of.k, of.n, transposed ? 1 : 0, packed);
  cpu.matmul(packed, of.k, of.n, x, ldx, of.y, of.ldy, rows, of.bias, of.accumulate);
}

void matmul(const MatmulArguments &of) { multiply(of, of.x, of.ldx, of.w, of.ldw, of.transposed != 0); }

void matmulBf16(const MatmulArguments &of) {
  const i64 depth = packedDepthOf(of.k);
  const u32 *const packed = reinterpret_cast<const u32 *>(of.w);
  std::vector<float> w(static_cast<std::size_t>(of.n * depth));
  for (i64 i = 0; i < of.n * depth; i += 2) {
    w[static_cast<std::size_t>(i)] = bf16Low(packed[i / 2]);
    w[static_cast<std::size_t>(i + 1)] = bf16High(packed[i / 2]);
  }
  const std::vector<float> x = roundedRows(of.x, of.ldx, countOf(of.rows, of.count), of.k);
  multiply(of, x.data(), of.k, w.data(), depth, true);
}

void multiplyGradient(const WeightGradientArguments &of, const float *x, i64 ldx, const float *dy, i64 lddy) {
  const i64 rows = countOf(of.rows, of.count);
  std::vector<float> scratch(static_cast<std::size_t>(4096 + rows * ((of.k + 31) / 32 * 32 + (of.n + 31) / 32 * 32)));
  cpu.weightGradient(nullptr, of.k, of.n, x, ldx, dy, lddy, rows, of.dw, scratch.data());
}

void gradient(const WeightGradientArguments &of) { multiplyGradient(of, of.x, of.ldx, of.dy, of.lddy); }

void gradientBf16(const WeightGradientArguments &of) {
  const i64 rows = countOf(of.rows, of.count);
  const std::vector<float> x = roundedRows(of.x, of.ldx, rows, of.k), dy = roundedRows(of.dy, of.lddy, rows, of.n);
  multiplyGradient(of, x.data(), of.k, dy.data(), of.n);
}

} // namespace

WHOLE_KERNEL(matmul_large, (MatmulArguments of)) { matmul(of); }
WHOLE_KERNEL(matmul_small, (MatmulArguments of)) { matmul(of); }
WHOLE_KERNEL(matmul_bf16_large, (MatmulArguments of)) { matmulBf16(of); }
WHOLE_KERNEL(matmul_bf16_tiny, (MatmulArguments of)) { matmulBf16(of); }
WHOLE_KERNEL(matmul_bf16_small, (MatmulArguments of)) { matmulBf16(of); }
WHOLE_KERNEL(weight_gradient_large, (WeightGradientArguments of)) { gradient(of); }
WHOLE_KERNEL(weight_gradient_small, (WeightGradientArguments of)) { gradient(of); }
WHOLE_KERNEL(weight_gradient_bf16_large, (WeightGradientArguments of)) { gradientBf16(of); }
WHOLE_KERNEL(weight_gradient_bf16_tiny, (WeightGradientArguments of)) { gradientBf16(of); }
WHOLE_KERNEL(weight_gradient_bf16_small, (WeightGradientArguments of)) { gradientBf16(of); }

WHOLE_KERNEL(pack_bf16, (PackJobs all)) {
  for (int number = 0; number < all.count; ++number) {
    const PackJob &of = all.jobs[number];
    const i64 depth = packedDepthOf(of.k);
    const auto at = [&](i64 d, i64 j) { return d < of.k ? of.w[of.transposed != 0 ? j * of.ldw + d : d * of.ldw + j] : 0.0f; };
    for (i64 j = 0; j < of.n; ++j) {
      for (i64 d = 0; d < depth; d += 2) {
        of.to[(j * depth + d) / 2] = packBf16(at(d, j), at(d + 1, j));
      }
    }
  }
}
