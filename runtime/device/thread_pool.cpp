#include "runtime/device/thread_pool.h"

#include "runtime/base/cores.h"

#include <algorithm>
#include <atomic>
#include <climits>
#include <immintrin.h>
#include <linux/futex.h>
#include <new>
#include <sys/syscall.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace penstock {
namespace {

constexpr unsigned flushDenormals = 0x8040; // MXCSR: FTZ (bit 15) and DAZ (bit 6)
constexpr int spins = 4000;                 // pauses before a thread parks, some 50-150 us
constexpr int maximumThreads = 1024;

/// The worker number of this thread while it runs a piece, or -1: a nested call then runs in place.
thread_local std::int32_t currentWorker = -1;
/// See ThreadPool::idle.
thread_local ThreadPool *idlePool = nullptr;

/// `ticket` holds the number of the job in its upper half and the number of pieces not yet taken in
/// its lower half. A thread takes a piece by compare-exchange, so it can only take one of the job
/// that it saw; and as the caller returns only when every piece is done, the job's fields hold
/// still from taking a piece until it is counted in `done`. Threads that sleep through a job are
/// not waited for.
///
/// A thread is awake (it runs pieces, or spins for the next job) or asleep. `awake` counts the former and never exceeds `mostAwake`, the
/// cores beside the caller's: who wants to wake somebody, or goes back to work, first enters there. `permits` are wakings that no thread
/// has taken yet: any that sleeps may.
class SpinningPool final : public ThreadPool {
public:
  ~SpinningPool() override {
    stopping.store(true, std::memory_order_relaxed);
    signal.fetch_add(1);
    permits.fetch_add(static_cast<std::uint32_t>(threads.size()));
    wake(INT_MAX);
    for (std::thread &thread : threads) {
      thread.join();
    }
  }

  Status start(int count, int cores) {
    mostAwake = std::min(count, cores) - 1;
    try {
      threads.reserve(static_cast<std::size_t>(count - 1));
      for (int i = 1; i < count; ++i) {
        threads.emplace_back([this, i] { work(i); });
      }
    } catch (const std::system_error &failure) {
      return environmentError("thread " + std::to_string(threads.size() + 1) + " of " + std::to_string(count) + " cannot be started (" +
                              failure.code().message() + "); every worker needs a thread; ask for fewer `threads`");
    } catch (const std::bad_alloc &) {
      return environmentError("memory ran out while threads were started; ask for fewer `threads`");
    }
    return Status::success();
  }

  int workers() const override { return static_cast<int>(threads.size()) + 1; }

  void parallelFor(Body body, void *context, std::int64_t count, std::int64_t grain) override {
    if (count <= 0) {
      return;
    }
    if (grain < 1) {
      grain = 1;
    }
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | flushDenormals);
    const std::int64_t pieces = count / grain + (count % grain != 0);
    if (pieces == 1 && mostAwake != 0 && currentWorker < 0 && idlePool == nullptr) {
      idlePool = this;
      body(context, 0, count, 0);
      idlePool = nullptr;
    } else if (pieces == 1 || mostAwake == 0 || currentWorker >= 0 || pieces > INT32_MAX) {
      const std::int32_t worker = currentWorker >= 0 ? currentWorker : 0;
      const std::int32_t outer = std::exchange(currentWorker, worker);
      for (std::int64_t begin = 0; begin < count; begin += grain) {
        body(context, begin, count - begin < grain ? count : begin + grain, worker);
      }
      currentWorker = outer;
    } else {
      publish(body, context, count, grain, static_cast<std::uint32_t>(pieces));
      takePieces(jobNumber, 0);
      waitUntilDone(static_cast<std::uint32_t>(pieces));
    }
    _mm_setcsr(before);
  }

private:
  void publish(Body newBody, void *newContext, std::int64_t newCount, std::int64_t newGrain, std::uint32_t newPieces) {
    body = newBody;
    context = newContext;
    count = newCount;
    grain = newGrain;
    pieces = newPieces;
    done.store(0, std::memory_order_relaxed);
    ++jobNumber;
    ticket.store(static_cast<std::uint64_t>(jobNumber) << 32 | newPieces, std::memory_order_release);
    signal.store(jobNumber); // sequentially consistent, as is `awake`: either we see that a thread lay down or it sees the signal
    if (const int entered = enter(static_cast<int>(std::min<std::uint32_t>(newPieces - 1, static_cast<std::uint32_t>(mostAwake))))) {
      permits.fetch_add(static_cast<std::uint32_t>(entered));
      wake(entered);
    }
  }

  /// Counts as many more threads as awake as are needed for `wanted` of them; gives how many.
  int enter(int wanted) {
    int now = awake.load();
    while (now < wanted && !awake.compare_exchange_weak(now, wanted)) {
    }
    return std::max(wanted - now, 0);
  }

  void wake(int count) { ::syscall(SYS_futex, &permits, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0); }

  /// Sleeps until there is a permit, and takes it.
  void sleep() {
    for (;;) {
      std::uint32_t now = permits.load();
      while (now != 0) {
        if (permits.compare_exchange_weak(now, now - 1)) {
          return;
        }
      }
      ::syscall(SYS_futex, &permits, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
  }

  void takePieces(std::uint32_t job, std::int32_t worker) {
    currentWorker = worker;
    std::uint64_t seen = ticket.load(std::memory_order_acquire);
    while (static_cast<std::uint32_t>(seen >> 32) == job && static_cast<std::uint32_t>(seen) != 0) {
      if (!ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        continue;
      }
      const std::uint32_t all = pieces;
      const std::int64_t begin = static_cast<std::int64_t>(all - static_cast<std::uint32_t>(seen)) * grain;
      body(context, begin, count - begin < grain ? count : begin + grain, worker);
      if (done.fetch_add(1) + 1 == all && callerParked.load()) {
        done.notify_one();
      }
      seen = ticket.load(std::memory_order_acquire);
    }
    currentWorker = -1;
  }

  void waitUntilDone(std::uint32_t all) {
    for (int i = 0; i < spins; ++i) {
      if (done.load(std::memory_order_acquire) == all) {
        return;
      }
      _mm_pause();
    }
    callerParked.store(true);
    for (std::uint32_t now = done.load(); now != all; now = done.load()) {
      done.wait(now);
    }
    callerParked.store(false, std::memory_order_relaxed);
  }

  void work(std::int32_t worker) {
    _mm_setcsr(_mm_getcsr() | flushDenormals);
    std::uint32_t last = 0;
    sleep();
    for (;;) {
      std::uint32_t now = signal.load(std::memory_order_acquire);
      for (int i = 0; now == last && i < spins; ++i) {
        _mm_pause();
        now = signal.load(std::memory_order_acquire);
      }
      if (stopping.load(std::memory_order_relaxed)) {
        return;
      }
      if (now == last) {
        awake.fetch_sub(1);
        // A job that came meanwhile counted on this thread.
        if (signal.load() == last || !enterAgain()) {
          sleep();
        }
        continue;
      }
      last = now;
      takePieces(now, worker);
    }
  }

  bool enterAgain() {
    int now = awake.load();
    while (now < mostAwake) {
      if (awake.compare_exchange_weak(now, now + 1)) {
        return true;
      }
    }
    return false;
  }

  // Written by the caller between jobs.
  Body body = nullptr;
  void *context = nullptr;
  std::int64_t count = 0, grain = 1;
  std::uint32_t pieces = 0, jobNumber = 0;
  int mostAwake = 0; // set once

  alignas(64) std::atomic<std::uint64_t> ticket{0};
  alignas(64) std::atomic<std::uint32_t> done{0};
  std::atomic<bool> callerParked{false};
  alignas(64) std::atomic<std::uint32_t> signal{0};
  alignas(64) std::atomic<std::uint32_t> permits{0};
  std::atomic<int> awake{0};
  std::atomic<bool> stopping{false};
  std::vector<std::thread> threads;
};

} // namespace

ThreadPool *ThreadPool::idle() { return currentWorker < 0 ? idlePool : nullptr; }

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads, int cores) {
  if (threads < 0 || threads > maximumThreads) {
    return invalidInput("`threads` is " + std::to_string(threads) + "; it must be between 1 and " + std::to_string(maximumThreads) +
                        ", or 0 for one a core");
  }
  cores = cores > 0 ? cores : usableCores();
  auto pool = std::make_unique<SpinningPool>();
  PENSTOCK_TRY(pool->start(threads == 0 ? std::min(cores, maximumThreads) : threads, cores));
  return std::unique_ptr<ThreadPool>(std::move(pool));
}

} // namespace penstock
