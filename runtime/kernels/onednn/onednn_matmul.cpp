#include "runtime/kernels/onednn/onednn_matmul.h"

#include "runtime/base/cores.h"
#include "runtime/kernels/onednn/onednn_library.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <immintrin.h>
#include <new>
#include <string>
#include <vector>

namespace penstock {
namespace {

using std::int64_t;

constexpr std::array<int64_t, 2> blockRows = {96, 16};

std::atomic<long> primitivesCreated{0}, executes{0};

struct Destroy {
  void operator()(dnnl_engine *p) const { oneDnn().engine_destroy(p); }
  void operator()(dnnl_stream *p) const { oneDnn().stream_destroy(p); }
  void operator()(dnnl_memory *p) const { oneDnn().memory_destroy(p); }
  void operator()(dnnl_primitive *p) const { oneDnn().primitive_destroy(p); }
  void operator()(dnnl_primitive_desc *p) const { oneDnn().primitive_desc_destroy(p); }
  void operator()(dnnl_primitive_attr *p) const { oneDnn().primitive_attr_destroy(p); }
};
template <class T> using Owned = std::unique_ptr<T, Destroy>;

/// Calls `make(pointer to a raw handle)` and takes what it made.
template <class T, class F> Status take(Owned<T> &to, const char *what, F make) {
  T *raw = nullptr;
  PENSTOCK_TRY(checkOneDnn(make(&raw), what));
  to.reset(raw);
  return Status::success();
}

// The two versions differ in what a memory descriptor is (a struct in 2.x, an object in 3.x) and in
// how a primitive descriptor is made; the rest of the file is the same for both.
#if DNNL_VERSION_MAJOR >= 3
struct DescriptorDelete {
  void operator()(dnnl_memory_desc *p) const { oneDnn().memory_desc_destroy(p); }
};
using Descriptor = std::unique_ptr<dnnl_memory_desc, DescriptorDelete>;
using DescriptorView = const_dnnl_memory_desc_t;
DescriptorView view(const Descriptor &d) { return d.get(); }

Status describe(Descriptor &to, int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride) {
  const dnnl_dims_t dims = {rows, columns}, strides = {rowStride, columnStride};
  dnnl_memory_desc_t raw = nullptr;
  PENSTOCK_TRY(checkOneDnn(oneDnn().memory_desc_create_with_strides(&raw, 2, dims, dnnl_f32, strides), "a matrix"));
  to.reset(raw);
  return Status::success();
}
Status describeAny(Descriptor &to, int64_t rows, int64_t columns) {
  const dnnl_dims_t dims = {rows, columns};
  dnnl_memory_desc_t raw = nullptr;
  PENSTOCK_TRY(checkOneDnn(oneDnn().memory_desc_create_with_tag(&raw, 2, dims, dnnl_f32, dnnl_format_tag_any), "a matrix"));
  to.reset(raw);
  return Status::success();
}
Status copy(Descriptor &to, DescriptorView from) {
  dnnl_memory_desc_t raw = nullptr;
  PENSTOCK_TRY(checkOneDnn(oneDnn().memory_desc_clone(&raw, from), "a matrix"));
  to.reset(raw);
  return Status::success();
}
dnnl_status_t describeMatmul(dnnl_primitive_desc_t *to, dnnl_engine_t engine, DescriptorView src, DescriptorView weights,
                             DescriptorView bias, DescriptorView dst, const_dnnl_primitive_attr_t attributes) {
  return oneDnn().matmul_primitive_desc_create(to, engine, src, weights, bias, dst, attributes);
}
#else
using Descriptor = dnnl_memory_desc_t;
using DescriptorView = const dnnl_memory_desc_t *;
DescriptorView view(const Descriptor &d) { return &d; }

Status describe(Descriptor &to, int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride) {
  const dnnl_dims_t dims = {rows, columns}, strides = {rowStride, columnStride};
  return checkOneDnn(oneDnn().memory_desc_init_by_strides(&to, 2, dims, dnnl_f32, strides), "a matrix");
}
Status describeAny(Descriptor &to, int64_t rows, int64_t columns) {
  const dnnl_dims_t dims = {rows, columns};
  return checkOneDnn(oneDnn().memory_desc_init_by_tag(&to, 2, dims, dnnl_f32, dnnl_format_tag_any), "a matrix");
}
Status copy(Descriptor &to, DescriptorView from) {
  to = *from;
  return Status::success();
}
dnnl_status_t describeMatmul(dnnl_primitive_desc_t *to, dnnl_engine_t engine, DescriptorView src, DescriptorView weights,
                             DescriptorView bias, DescriptorView dst, const_dnnl_primitive_attr_t attributes) {
  dnnl_matmul_desc_t description;
  const dnnl_status_t status = oneDnn().matmul_desc_init(&description, src, weights, bias, dst);
  return status != dnnl_success ? status : oneDnn().primitive_desc_create(to, &description, attributes, engine, nullptr);
}
#endif

Result<dnnl_engine_t> sharedEngine() {
  static Owned<dnnl_engine> engine;
  static const Status made = take(engine, "an engine", [](dnnl_engine_t *to) { return oneDnn().engine_create(to, dnnl_cpu, 0); });
  if (!made.ok()) {
    return made;
  }
  return engine.get();
}

/// oneDNN of Debian runs on OpenMP: each thread of ours must keep it from starting teams.
void keepToThisThread() {
  thread_local bool done = false;
  if (!done && oneDnn().omp_set_num_threads != nullptr) {
    oneDnn().omp_set_num_threads(1);
  }
  done = true;
}

/// What one executing thread needs. `padded` holds rows in and out of the small block: tails, and
/// whatever is not dense or adds to old values.
struct Slot {
  std::atomic<bool> busy{false};
  Owned<dnnl_stream> stream;
  std::array<Owned<dnnl_memory>, blockRows.size()> src, dst, scratchpad;
  Owned<dnnl_memory> bias, weights;
  std::array<Floats, blockRows.size()> scratch;
  Floats padded;
};

class OneDnnMatmul final : public MatmulObject {
public:
  explicit OneDnnMatmul(const WeightShape &shape) : k(shape.k), n(shape.n), stride(shape.stride), transposed(shape.transposed) {}

  Status make(Level level) {
    PENSTOCK_TRY(openOneDnn(level));
    keepToThisThread();
    PENSTOCK_ASSIGN(dnnl_engine_t engine, sharedEngine());
    Descriptor plain, packedDescriptor, any, bias;
    PENSTOCK_TRY(describe(plain, k, n, transposed ? 1 : stride, transposed ? stride : 1));
    PENSTOCK_TRY(describeAny(any, k, n));
    PENSTOCK_TRY(describe(bias, 1, n, n, 1));
    Owned<dnnl_primitive_attr> attributes;
    PENSTOCK_TRY(take(attributes, "attributes", [](dnnl_primitive_attr_t *to) { return oneDnn().primitive_attr_create(to); }));
    PENSTOCK_TRY(checkOneDnn(oneDnn().primitive_attr_set_scratchpad_mode(attributes.get(), dnnl_scratchpad_mode_user),
                             "a scratchpad of the caller"));

    std::array<Owned<dnnl_primitive_desc>, blockRows.size()> descriptions;
    std::array<Descriptor, blockRows.size()> src, dst;
    for (std::size_t i = 0; i < blockRows.size(); ++i) {
      PENSTOCK_TRY(describe(src[i], blockRows[i], k, k, 1));
      PENSTOCK_TRY(describe(dst[i], blockRows[i], n, n, 1));
      // The larger block chooses how weights are packed; the smaller one must take them so.
      const DescriptorView weights = i == 0 ? view(any) : view(packedDescriptor);
      PENSTOCK_TRY(take(descriptions[i], "a matmul", [&](dnnl_primitive_desc_t *to) {
        return describeMatmul(to, engine, view(src[i]), weights, view(bias), view(dst[i]), attributes.get());
      }));
      PENSTOCK_TRY(
          take(primitives[i], "a matmul", [&](dnnl_primitive_t *to) { return oneDnn().primitive_create(to, descriptions[i].get()); }));
      primitivesCreated.fetch_add(1, std::memory_order_relaxed);
      if (i == 0) {
        PENSTOCK_TRY(copy(packedDescriptor, oneDnn().primitive_desc_query_md(descriptions[0].get(), dnnl_query_weights_md, 0)));
      }
    }

    packedBytes = oneDnn().memory_desc_get_size(view(packedDescriptor));
    PENSTOCK_ASSIGN(packed, makeFloats(static_cast<int64_t>(packedBytes / sizeof(float)) + 16, "a packed weight"));
    PENSTOCK_ASSIGN(zeroBias, makeFloats(n, "a bias"));
    Owned<dnnl_primitive_desc> reorderDescription;
    PENSTOCK_TRY(take(reorderDescription, "a packing", [&](dnnl_primitive_desc_t *to) {
      return oneDnn().reorder_primitive_desc_create(to, view(plain), engine, view(packedDescriptor), engine, nullptr);
    }));
    PENSTOCK_TRY(take(reorder, "a packing", [&](dnnl_primitive_t *to) { return oneDnn().primitive_create(to, reorderDescription.get()); }));
    primitivesCreated.fetch_add(1, std::memory_order_relaxed);
    PENSTOCK_TRY(makeMemory(plainMemory, view(plain), engine, nullptr));
    PENSTOCK_TRY(makeMemory(packedMemory, view(packedDescriptor), engine, packed.get()));
    PENSTOCK_TRY(
        take(packStream, "a stream", [&](dnnl_stream_t *to) { return oneDnn().stream_create(to, engine, dnnl_stream_default_flags); }));

    slots = std::vector<Slot>(static_cast<std::size_t>(std::clamp(usableCores(), 2, 16)));
    for (Slot &slot : slots) {
      PENSTOCK_ASSIGN(slot.padded, makeFloats(blockRows.back() * (k + n), "padded rows"));
      scratchBytes += static_cast<std::size_t>(blockRows.back() * (k + n)) * sizeof(float);
      PENSTOCK_TRY(
          take(slot.stream, "a stream", [&](dnnl_stream_t *to) { return oneDnn().stream_create(to, engine, dnnl_stream_default_flags); }));
      PENSTOCK_TRY(makeMemory(slot.bias, view(bias), engine, nullptr));
      PENSTOCK_TRY(makeMemory(slot.weights, view(packedDescriptor), engine, packed.get()));
      for (std::size_t i = 0; i < blockRows.size(); ++i) {
        const DescriptorView scratchpad = oneDnn().primitive_desc_query_md(descriptions[i].get(), dnnl_query_scratchpad_md, 0);
        const int64_t bytes = static_cast<int64_t>(oneDnn().memory_desc_get_size(scratchpad));
        scratchBytes += static_cast<std::size_t>(bytes);
        PENSTOCK_ASSIGN(slot.scratch[i], makeFloats(bytes / 4 + 16, "a scratchpad"));
        PENSTOCK_TRY(makeMemory(slot.scratchpad[i], scratchpad, engine, slot.scratch[i].get()));
        PENSTOCK_TRY(makeMemory(slot.src[i], view(src[i]), engine, nullptr));
        PENSTOCK_TRY(makeMemory(slot.dst[i], view(dst[i]), engine, nullptr));
      }
    }
    return Status::success();
  }

  std::size_t bytes() const override { return packedBytes + scratchBytes; }

  void pack(const float *w, void *) override {
    keepToThisThread();
    note(oneDnn().memory_set_data_handle(plainMemory.get(), const_cast<float *>(w)));
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, plainMemory.get()}, {DNNL_ARG_TO, packedMemory.get()}};
    note(oneDnn().primitive_execute(reorder.get(), packStream.get(), 2, arguments));
    note(oneDnn().stream_wait(packStream.get()));
    executes.fetch_add(1, std::memory_order_relaxed);
  }

  void run(const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, const float *bias, bool accumulate) override {
    keepToThisThread();
    Slot &slot = acquire();
    note(oneDnn().memory_set_data_handle(slot.bias.get(), const_cast<float *>(bias != nullptr ? bias : zeroBias.get())));
    const bool direct = ldx == k && ldy == n && !accumulate;
    float *room = slot.padded.get(), *results = room + blockRows.back() * k;
    for (int64_t first = 0; first < rows;) {
      const std::size_t i = direct && rows - first >= blockRows[0] ? 0 : 1;
      const int64_t here = std::min(blockRows[i], rows - first);
      const float *from = x + first * ldx;
      float *to = y + first * ldy;
      first += here;
      if (direct && here == blockRows[i]) {
        execute(slot, i, from, to);
        continue;
      }
      for (int64_t r = 0; r < here; ++r) {
        std::memcpy(room + r * k, from + r * ldx, static_cast<std::size_t>(k) * sizeof(float));
      }
      std::memset(room + here * k, 0, static_cast<std::size_t>((blockRows[i] - here) * k) * sizeof(float));
      execute(slot, i, room, results);
      for (int64_t r = 0; r < here; ++r) {
        for (int64_t j = 0; j < n; ++j) {
          to[r * ldy + j] = accumulate ? to[r * ldy + j] + results[r * n + j] : results[r * n + j];
        }
      }
    }
    slot.busy.store(false, std::memory_order_release);
  }

  Status status() const override { return checkOneDnn(failed.load(std::memory_order_relaxed), "a matmul of the step"); }

private:
  /// A call inside a step has nobody to tell: the first failure is kept until the step is over.
  void note(dnnl_status_t result) {
    dnnl_status_t none = dnnl_success;
    if (result != dnnl_success) {
      failed.compare_exchange_strong(none, result, std::memory_order_relaxed);
    }
  }

  static Status makeMemory(Owned<dnnl_memory> &to, DescriptorView descriptor, dnnl_engine_t engine, void *data) {
    return take(to, "a buffer", [&](dnnl_memory_t *raw) {
      return oneDnn().memory_create(raw, descriptor, engine, data != nullptr ? data : DNNL_MEMORY_NONE);
    });
  }

  Slot &acquire() {
    for (;;) {
      for (Slot &slot : slots) {
        if (!slot.busy.load(std::memory_order_relaxed) && !slot.busy.exchange(true, std::memory_order_acquire)) {
          return slot;
        }
      }
      _mm_pause();
    }
  }

  void execute(Slot &slot, std::size_t i, const float *x, float *y) {
    note(oneDnn().memory_set_data_handle(slot.src[i].get(), const_cast<float *>(x)));
    note(oneDnn().memory_set_data_handle(slot.dst[i].get(), y));
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, slot.src[i].get()},
                                         {DNNL_ARG_WEIGHTS, slot.weights.get()},
                                         {DNNL_ARG_BIAS, slot.bias.get()},
                                         {DNNL_ARG_DST, slot.dst[i].get()},
                                         {DNNL_ARG_SCRATCHPAD, slot.scratchpad[i].get()}};
    note(oneDnn().primitive_execute(primitives[i].get(), slot.stream.get(), 5, arguments));
    note(oneDnn().stream_wait(slot.stream.get()));
    executes.fetch_add(1, std::memory_order_relaxed);
  }

  int64_t k, n, stride;
  bool transposed;
  std::atomic<dnnl_status_t> failed{dnnl_success};
  std::array<Owned<dnnl_primitive>, blockRows.size()> primitives;
  Owned<dnnl_primitive> reorder;
  Floats packed, zeroBias;
  std::size_t packedBytes = 0, scratchBytes = 0;
  Owned<dnnl_memory> plainMemory, packedMemory;
  Owned<dnnl_stream> packStream;
  std::vector<Slot> slots;
};

} // namespace

MadeObject<KernelObject> makeOneDnnMatmul(const WeightShape &shape, Level level) {
  std::unique_ptr<OneDnnMatmul> made(new (std::nothrow) OneDnnMatmul(shape));
  if (made != nullptr) {
    PENSTOCK_TRY(made->make(level));
  }
  return std::unique_ptr<KernelObject>(std::move(made));
}

KernelCounters oneDnnCounters() { return {primitivesCreated.load(std::memory_order_relaxed), executes.load(std::memory_order_relaxed)}; }

} // namespace penstock
