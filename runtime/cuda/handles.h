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

/// A float32 weight is read where it lies; one that is rounded to bf16 lies packed in memory of the handle.
class MatmulHandle final : public Handle {
public:
  explicit MatmulHandle(const WeightShape &sizes) : shape(sizes) {}
  MatmulHandle(const WeightShape &sizes, DeviceMemory room)
      : shape(sizes), rounds(true), packed(std::move(room)), weight(packed.floats()) {}
  std::size_t bytes() const override { return packed.size(); }
  void take(const PenstockCall *call, const float *at) override;

  const WeightShape shape;
  const bool rounds = false; // bf16

private:
  DeviceMemory packed;

public:
  const float *weight = nullptr; // to read: its own, or `packed`
};

class WeightGradientHandle final : public Handle {
public:
  WeightGradientHandle(std::int64_t inputs, std::int64_t outputs, bool toBf16) : k(inputs), n(outputs), rounds(toBf16) {}
  void take(const PenstockCall *, const float *) override {}

  const std::int64_t k, n;
  const bool rounds;
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
