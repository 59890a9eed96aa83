// What a kernel handle points to. Inside penstock_kernels only; the world sees void * (kernels.h)
// and KernelHandle.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/kernels/level_table.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace penstock {

struct FreeFloats {
  void *memory = nullptr; // what the floats lie in
  void operator()(float *) const { std::free(memory); }
};
/// 64-byte aligned, zeros; a large one takes no pages before something is written.
using Floats = std::unique_ptr<float[], FreeFloats>;
Result<Floats> makeFloats(std::int64_t count, const char *what);

class KernelObject {
public:
  virtual ~KernelObject() = default;
  virtual std::size_t bytes() const = 0;
  /// Takes the weight, where it multiplies by one, into memory of its own.
  virtual void pack(const float *, void *) {}
  /// How the weight lies packed. Where that has a number: packs into other memory, computes with what was packed there and outlives it.
  virtual PackedForm form() const { return {}; }
  virtual void packInto(const float *, void *, float *) const {}
  virtual void adopt(const float *) {}
  /// What it computes with: of its form.
  virtual const void *packed() const { return nullptr; }
  /// What went wrong in a step, once it is over: kernels of our own cannot fail.
  virtual Status status() const { return {}; }
};

/// A weight as its matmul reads it: k x n, or n x k where transposed, its rows `stride` apart.
struct WeightShape {
  std::int64_t k, n;
  bool transposed;
  std::int64_t stride;

  static WeightShape dense(std::int64_t k, std::int64_t n, bool transposed) { return {k, n, transposed, transposed ? k : n}; }
};

class MatmulObject : public KernelObject {
public:
  virtual void run(const float *x, std::int64_t ldx, float *y, std::int64_t ldy, std::int64_t rows, const float *bias, bool accumulate) = 0;
};

class WeightGradientObject : public KernelObject {
public:
  virtual void run(void *pool, const float *x, std::int64_t ldx, const float *dy, std::int64_t lddy, std::int64_t rows, float *dw,
                   float *scratch) = 0;
};

class ConvObject : public KernelObject {
public:
  virtual void run(const float *x, float *y, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, const float *bias,
                   float *scratch) = 0;
  virtual void gradientInput(const float *dy, float *dx, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, bool accumulate,
                             float *scratch) = 0;
  virtual void gradientWeight(void *pool, const float *x, const float *dy, const std::int32_t *offsets, std::int64_t records, float *dw,
                              float *scratch) = 0;
  virtual void max(const float *x, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, const float *bias, float *out,
                   std::int32_t *argmax, float *scratch) = 0;
  virtual void maxGradientInput(const float *w, const float *g, const std::int32_t *argmax, float *dx, const std::int32_t *offsets,
                                std::int64_t begin, std::int64_t end, bool accumulate) = 0;
  virtual void maxGradientWeight(void *pool, const float *x, const float *g, const std::int32_t *argmax, const std::int32_t *offsets,
                                 std::int64_t records, float *dw) = 0;
};

template <class T> using MadeObject = Result<std::unique_ptr<T>>;

/// The kind of what a dispatch asks for, its numbers checked; an error says what is wrong with them.
Result<const KernelHandleKind *> checkDispatch(const PenstockDispatch &dispatch);

const PenstockLevelTable &levelTable(Level level);
/// Contractions that round their operands to bf16, or null where the machine has no instructions for them at `level`.
const PenstockContractions *bf16Contractions(Level level);

MadeObject<KernelObject> makePackedMatmul(const PenstockContractions &by, const WeightShape &shape);
MadeObject<KernelObject> makePackedWeightGradient(const PenstockContractions &by, std::int64_t k, std::int64_t n);
MadeObject<KernelObject> makePackedConv(const PenstockLevelTable &table, std::int64_t width, std::int64_t k, std::int64_t n);
MadeObject<KernelObject> makeReferenceMatmul(const WeightShape &shape);
MadeObject<KernelObject> makeReferenceWeightGradient(std::int64_t k, std::int64_t n);
MadeObject<KernelObject> makeReferenceConv(std::int64_t width, std::int64_t k, std::int64_t n);

} // namespace penstock
