// Handles over the reference loops: what `force = "reference"` gives.
#include "runtime/kernels/handles.h"
#include "runtime/kernels/reference/reference.h"

#include <algorithm>
#include <new>
#include <vector>

namespace penstock {
namespace {

using std::int32_t;
using std::int64_t;

class ReferenceMatmul final : public MatmulObject {
public:
  ReferenceMatmul(const WeightShape &shape, Floats room)
      : k(shape.k), n(shape.n), stride(shape.stride), transposed(shape.transposed), weight(std::move(room)) {}
  std::size_t bytes() const override { return static_cast<std::size_t>(k * n) * sizeof(float); }
  void pack(const float *w, void *) override {
    const int64_t rows = transposed ? n : k, columns = transposed ? k : n;
    for (int64_t i = 0; i < rows; ++i) {
      std::copy(w + i * stride, w + i * stride + columns, weight.get() + i * columns);
    }
  }
  void run(const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, const float *bias, bool accumulate) override {
    reference::matmul(weight.get(), k, n, transposed, x, ldx, y, ldy, rows, bias, accumulate);
  }

private:
  int64_t k, n, stride;
  bool transposed;
  Floats weight;
};

class ReferenceWeightGradient final : public WeightGradientObject {
public:
  ReferenceWeightGradient(int64_t inputs, int64_t outputs) : k(inputs), n(outputs) {}
  std::size_t bytes() const override { return 0; }
  void run(void *, const float *x, int64_t ldx, const float *dy, int64_t lddy, int64_t rows, float *dw, float *) override {
    reference::weightGradient(k, n, x, ldx, dy, lddy, rows, dw);
  }

private:
  int64_t k, n;
};

class ReferenceConv final : public ConvObject {
public:
  ReferenceConv(int64_t taps, int64_t inputs, int64_t outputs, Floats room) : width(taps), k(inputs), n(outputs), weight(std::move(room)) {}
  std::size_t bytes() const override { return static_cast<std::size_t>(width * k * n) * sizeof(float); }
  void pack(const float *w, void *) override { std::copy(w, w + width * k * n, weight.get()); }
  void run(const float *x, float *y, const int32_t *offsets, int64_t begin, int64_t end, const float *bias, float *) override {
    reference::conv1d(weight.get(), width, k, n, x, y, offsets, begin, end, bias);
  }
  void gradientInput(const float *dy, float *dx, const int32_t *offsets, int64_t begin, int64_t end, bool accumulate, float *) override {
    reference::conv1dGradientInput(weight.get(), width, k, n, dy, dx, offsets, begin, end, accumulate);
  }
  void gradientWeight(void *, const float *x, const float *dy, const int32_t *offsets, int64_t records, float *dw, float *) override {
    reference::conv1dGradientWeight(width, k, n, x, dy, offsets, records, dw);
  }
  void max(const float *x, const int32_t *offsets, int64_t begin, int64_t end, const float *bias, float *out, int32_t *argmax,
           float *) override {
    std::vector<float> y(static_cast<std::size_t>(offsets[end] * n));
    reference::conv1d(weight.get(), width, k, n, x, y.data(), offsets, begin, end, bias);
    reference::segmentMax(y.data(), offsets, begin, end, n, out, argmax);
  }
  void maxGradientInput(const float *, const float *g, const int32_t *argmax, float *dx, const int32_t *offsets, int64_t begin, int64_t end,
                        bool accumulate) override {
    std::vector<float> dy(static_cast<std::size_t>(offsets[end] * n));
    reference::segmentMaxGradient(g, argmax, offsets, begin, end, n, dy.data());
    reference::conv1dGradientInput(weight.get(), width, k, n, dy.data(), dx, offsets, begin, end, accumulate);
  }
  void maxGradientWeight(void *, const float *x, const float *g, const int32_t *argmax, const int32_t *offsets, int64_t records,
                         float *dw) override {
    std::vector<float> dy(static_cast<std::size_t>(offsets[records] * n));
    reference::segmentMaxGradient(g, argmax, offsets, 0, records, n, dy.data());
    reference::conv1dGradientWeight(width, k, n, x, dy.data(), offsets, records, dw);
  }

private:
  int64_t width, k, n;
  Floats weight;
};

} // namespace

MadeObject<KernelObject> makeReferenceMatmul(const WeightShape &shape) {
  PENSTOCK_ASSIGN(Floats weight, makeFloats(shape.k * shape.n, "a weight"));
  return std::unique_ptr<KernelObject>(new (std::nothrow) ReferenceMatmul(shape, std::move(weight)));
}

MadeObject<KernelObject> makeReferenceWeightGradient(int64_t k, int64_t n) {
  return std::unique_ptr<KernelObject>(new (std::nothrow) ReferenceWeightGradient(k, n));
}

MadeObject<KernelObject> makeReferenceConv(int64_t width, int64_t k, int64_t n) {
  PENSTOCK_ASSIGN(Floats weight, makeFloats(width * k * n, "a weight"));
  return std::unique_ptr<KernelObject>(new (std::nothrow) ReferenceConv(width, k, n, std::move(weight)));
}

} // namespace penstock
