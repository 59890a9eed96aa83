// What a kernel.dispatch makes for a CUDA device: what a launcher needs beside its arguments. They live in KernelHandle as the CPU's do.
#pragma once

#include "runtime/device/device.h"
#include "runtime/kernels/handles.h"

#include <cstdint>

namespace penstock::cuda {

class Handle : public KernelObject {
public:
  std::size_t bytes() const override { return 0; }
  /// From now on the weight at `weight`, on the device, is the one to multiply by: what is packed of it is enqueued.
  virtual void take(const PenstockCall *call, const float *weight) = 0;
};

/// A float32 weight is read where it lies.
class MatmulHandle final : public Handle {
public:
  explicit MatmulHandle(const WeightShape &sizes) : shape(sizes) {}
  void take(const PenstockCall *, const float *at) override { weight = at; }

  const WeightShape shape;
  const float *weight = nullptr;
};

class WeightGradientHandle final : public Handle {
public:
  WeightGradientHandle(std::int64_t inputs, std::int64_t outputs) : k(inputs), n(outputs) {}
  void take(const PenstockCall *, const float *) override {}

  const std::int64_t k, n;
};

/// A weight of width x k x n, row-major.
class ConvHandle final : public Handle {
public:
  ConvHandle(std::int64_t taps, std::int64_t inputs, std::int64_t maps) : width(taps), k(inputs), n(maps) {}
  void take(const PenstockCall *, const float *at) override { weight = at; }

  const std::int64_t width, k, n;
  const float *weight = nullptr;
};

/// Memory that it needs lies on `device`, which outlives it. Errors as makeKernelHandle's.
Result<KernelHandle> makeHandle(const PenstockDispatch &dispatch, Device &device);

} // namespace penstock::cuda
