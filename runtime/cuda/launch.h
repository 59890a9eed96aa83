// How the host's side of a kernel enqueues it. A launcher is a plain function of kernel_types.h's type:
//
//     static const LibraryKernel kernel("segment_sum");
//     void penstock_cuda_segment_sum(const PenstockCall *call, const float *x, ...) {
//       launch(call, kernel, {blocksX, blocksY}, threads, sharedBytes, x, ..., count);
//     }
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/cuda/kernels/contractions.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace penstock::cuda {

/// A kernel of the library (runtime/cuda/kernels/*.cu), by the name of its function there. Made once, before main.
class LibraryKernel {
public:
  explicit LibraryKernel(const char *name);
  const char *name() const { return named; }
  int index() const { return number; }

private:
  const char *named;
  int number;
};

struct Grid {
  std::int64_t x = 1, y = 1, z = 1;
};

/// Enqueues on the stream of the call. `arguments`: addresses of the values, `sizes` their bytes. Nothing is enqueued where the grid is
/// empty. What goes wrong is kept by the stream, which tells it when it is waited for; nothing is enqueued after it.
void enqueue(const PenstockCall *call, const LibraryKernel &kernel, const Grid &grid, int threads, std::size_t sharedBytes,
             void *const *arguments, const std::uint32_t *sizes, int count);

template <class... Arguments>
void launch(const PenstockCall *call, const LibraryKernel &kernel, const Grid &grid, int threads, std::size_t sharedBytes,
            Arguments... arguments) {
  static_assert((std::is_trivially_copyable_v<Arguments> && ...));
  void *const places[] = {&arguments...};
  const std::uint32_t sizes[] = {sizeof(arguments)...};
  enqueue(call, kernel, grid, threads, sharedBytes, places, sizes, sizeof...(Arguments));
}

/// Packs a weight before whatever is enqueued next: all that were asked for since then together. The job's `block` is not read.
void packLater(const PenstockCall *call, const PackJob &job);
/// Enqueues these.
void launchPacking(const PenstockCall *call, std::span<const PackJob> jobs);

} // namespace penstock::cuda

extern "C" {
/// What generated code calls: the kernel `code` of the program's table of device code, `blocks` blocks of the threads and shared bytes that
/// the table names. Every argument is 8 bytes.
void penstock_launch(const PenstockCall *call, std::int64_t code, std::int64_t blocks, void *const *arguments, std::int64_t count);
}
