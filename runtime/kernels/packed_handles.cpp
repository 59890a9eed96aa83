// Handles of our own kernels: weights in panels of a level.
#include "runtime/base/checked.h"
#include "runtime/device/thread_pool.h"
#include "runtime/kernels/handles.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

namespace penstock {
namespace {

constexpr std::size_t panelAlignment = 64;

class PackedMatmul final : public MatmulObject {
public:
  PackedMatmul(const PenstockContractions &contractions, const WeightShape &weight, Floats own)
      : by(contractions), shape(weight), room(std::move(own)) {}
  std::size_t bytes() const override { return static_cast<std::size_t>(by.packedFloats(shape.k, shape.n)) * sizeof(float); }
  PackedForm form() const override { return {bytes(), panelAlignment, by.format}; }
  void pack(const float *w, void *pool) override {
    packInto(w, pool, room.get());
    adopt(room.get());
  }
  void packInto(const float *w, void *pool, float *into) const override {
    by.pack(pool, w, shape.stride, shape.k, shape.n, shape.transposed ? 1 : 0, into);
  }
  void adopt(const float *from) override { weight = from; }
  const void *packed() const override { return weight; }
  void run(const float *x, std::int64_t ldx, float *y, std::int64_t ldy, std::int64_t rows, const float *bias, bool accumulate) override {
    Product product = {*this, x, ldx, y, ldy, rows, bias, accumulate ? 1 : 0};
    ThreadPool *pool = shape.k * shape.n < leastShared ? nullptr : ThreadPool::idle();
    if (pool == nullptr) {
      product.columns(0, shape.n);
      return;
    }
    const std::int64_t pieces = (shape.n + sharedColumns - 1) / sharedColumns;
    pool->parallelFor([](void *context, std::int64_t begin, std::int64_t end,
                         std::int32_t) { static_cast<const Product *>(context)->columns(begin * sharedColumns, end * sharedColumns); },
                      &product, pieces, std::max<std::int64_t>(1, pieces / (2 * pool->workers())));
  }

private:
  /// Few rows are one piece, and streaming the weight takes longest: so threads without work take some of its columns. No bit depends on
  /// that. A weight of fewer elements is multiplied before another thread has begun.
  static constexpr std::int64_t leastShared = 65536;
  static constexpr std::int64_t sharedColumns = 32; // whole panels of each layout

  struct Product {
    const PackedMatmul &of;
    const float *x;
    std::int64_t ldx;
    float *y;
    std::int64_t ldy, rows;
    const float *bias;
    std::int32_t accumulate;

    void columns(std::int64_t begin, std::int64_t end) const {
      const std::int64_t k = of.shape.k;
      of.by.matmul(of.weight + of.by.packedFloats(k, begin), k, std::min(end, of.shape.n) - begin, x, ldx, y + begin, ldy, rows,
                   bias != nullptr ? bias + begin : nullptr, accumulate);
    }
  };

  const PenstockContractions &by;
  WeightShape shape;
  Floats room;
  const float *weight = room.get();
};

class PackedWeightGradient final : public WeightGradientObject {
public:
  PackedWeightGradient(const PenstockContractions &contractions, std::int64_t inputs, std::int64_t outputs)
      : by(contractions), k(inputs), n(outputs) {}
  std::size_t bytes() const override { return 0; }
  void run(void *pool, const float *x, std::int64_t ldx, const float *dy, std::int64_t lddy, std::int64_t rows, float *dw,
           float *scratch) override {
    by.weightGradient(pool, k, n, x, ldx, dy, lddy, rows, dw, scratch);
  }

private:
  const PenstockContractions &by;
  std::int64_t k, n;
};

class PackedConv final : public ConvObject {
public:
  PackedConv(const PenstockLevelTable &levelTable, const PenstockConv &sizes, Floats own)
      : table(levelTable), conv(sizes), room(std::move(own)) {
    PackedConv::adopt(room.get());
  }
  std::size_t bytes() const override {
    return static_cast<std::size_t>(flippedBegin(table, conv) + table.contractions.packedFloats(conv.width * conv.n, conv.k)) *
           sizeof(float);
  }
  PackedForm form() const override { return {bytes(), panelAlignment, table.contractions.format}; }
  void pack(const float *w, void *pool) override {
    packInto(w, pool, room.get());
    adopt(room.get());
  }
  void packInto(const float *w, void *pool, float *into) const override {
    table.convPack(&conv, w, pool, into, into + flippedBegin(table, conv));
  }
  void adopt(const float *from) override {
    conv.packed = from;
    conv.packedFlipped = from + flippedBegin(table, conv);
  }
  const void *packed() const override { return conv.packed; }
  /// The weight with its taps reversed lies behind the other, at a line of its own.
  static std::int64_t flippedBegin(const PenstockLevelTable &table, const PenstockConv &conv) {
    return (table.contractions.packedFloats(conv.width * conv.k, conv.n) + 15) / 16 * 16;
  }
  void run(const float *x, float *y, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, const float *bias,
           float *scratch) override {
    table.convRun(&conv, x, y, offsets, begin, end, bias, scratch);
  }
  void gradientInput(const float *dy, float *dx, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, bool accumulate,
                     float *scratch) override {
    table.convGradientInput(&conv, dy, dx, offsets, begin, end, accumulate ? 1 : 0, scratch);
  }
  void gradientWeight(void *pool, const float *x, const float *dy, const std::int32_t *offsets, std::int64_t records, float *dw,
                      float *scratch) override {
    table.convGradientWeight(&conv, pool, x, dy, offsets, records, dw, scratch);
  }
  void max(const float *x, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, const float *bias, float *out,
           std::int32_t *argmax, float *scratch) override {
    table.convMax(&conv, x, offsets, begin, end, bias, out, argmax, scratch);
  }
  void maxGradientInput(const float *w, const float *g, const std::int32_t *argmax, float *dx, const std::int32_t *offsets,
                        std::int64_t begin, std::int64_t end, bool accumulate) override {
    table.convMaxGradientInput(&conv, w, g, argmax, dx, offsets, begin, end, accumulate ? 1 : 0);
  }
  void maxGradientWeight(void *pool, const float *x, const float *g, const std::int32_t *argmax, const std::int32_t *offsets,
                         std::int64_t records, float *dw) override {
    table.convMaxGradientWeight(&conv, pool, x, g, argmax, offsets, records, dw);
  }

private:
  const PenstockLevelTable &table;
  PenstockConv conv;
  Floats room;
};

/// Whether what packing k x n takes can be counted at all. Sizes may come from a damaged artifact; no layout takes more than k and n
/// rounded up to 32.
Status checkPanels(std::int64_t k, std::int64_t n) { return ((Checked(k) + 31) * (Checked(n) + 31)).get("a packed weight").status(); }

} // namespace

Result<Floats> makeFloats(std::int64_t count, const char *what) {
  PENSTOCK_ASSIGN(const std::size_t bytes, ((Checked(count) * 4 + 127)).size(what));
  std::size_t left = bytes;
  void *memory = std::calloc(bytes, 1), *at = memory;
  if (memory == nullptr) {
    return environmentError(std::string(what) + " of " + std::to_string(bytes) +
                            " bytes does not fit into memory; take a smaller model or a larger machine");
  }
  std::align(64, bytes - 63, at, left);
  return Floats(static_cast<float *>(at), FreeFloats{memory});
}

MadeObject<KernelObject> makePackedMatmul(const PenstockContractions &by, const WeightShape &shape) {
  PENSTOCK_TRY(checkPanels(shape.k, shape.n));
  PENSTOCK_ASSIGN(Floats packed, makeFloats(by.packedFloats(shape.k, shape.n), "a packed weight"));
  return std::unique_ptr<KernelObject>(new (std::nothrow) PackedMatmul(by, shape, std::move(packed)));
}

MadeObject<KernelObject> makePackedWeightGradient(const PenstockContractions &by, std::int64_t k, std::int64_t n) {
  return std::unique_ptr<KernelObject>(new (std::nothrow) PackedWeightGradient(by, k, n));
}

MadeObject<KernelObject> makePackedConv(const PenstockLevelTable &table, std::int64_t width, std::int64_t k, std::int64_t n) {
  PENSTOCK_TRY(checkPanels(width * k, n));
  PENSTOCK_TRY(checkPanels(width * n, k));
  const PenstockConv conv = {width, k, n, nullptr, nullptr};
  const std::int64_t first = PackedConv::flippedBegin(table, conv), second = table.contractions.packedFloats(width * n, k);
  PENSTOCK_ASSIGN(const std::int64_t both, (Checked(first) + second).get("a packed weight"));
  PENSTOCK_ASSIGN(Floats packed, makeFloats(both, "a packed weight"));
  return std::unique_ptr<KernelObject>(new (std::nothrow) PackedConv(table, conv, std::move(packed)));
}

} // namespace penstock
