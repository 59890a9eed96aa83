// The one thread pool of the project. Threads are made once; parallel_for takes no lock and allocates nothing.
#pragma once

#include "runtime/base/status.h"

#include <cstdint>
#include <memory>

namespace penstock {

class ThreadPool {
public:
  using Body = void (*)(void *context, std::int64_t begin, std::int64_t end, std::int32_t worker);

  /// `threads` >= 1 counts the calling thread; 0: one a core. Every thread flushes denormals (FTZ, DAZ), as does the caller of parallelFor
  /// while it runs. However many threads there are, at most `cores` of them, the caller among them, run or wait for work without sleeping;
  /// 0: those that this process may use (runtime/base/cores.h).
  static Result<std::unique_ptr<ThreadPool>> create(int threads, int cores = 0);
  virtual ~ThreadPool() = default;

  virtual int workers() const = 0;
  /// See penstock_parallel_for in runtime/kernels/kernels.h. One caller at a time. Within a piece it runs in place, but where the piece is
  /// the only one of its call.
  virtual void parallelFor(Body body, void *context, std::int64_t count, std::int64_t grain) = 0;

  /// The pool whose other threads have nothing to do while this thread runs the only piece of a call, or null: a kernel may share its
  /// work with them.
  static ThreadPool *idle();
};

} // namespace penstock
