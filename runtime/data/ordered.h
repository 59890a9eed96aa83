// Blocks of work made in order, worked on by several threads, taken in order.
#pragma once

#include "runtime/base/status.h"

#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace penstock {

/// `body()`, with what libraries throw as a Status.
template <typename Body> Status caught(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return environmentError("not enough memory to read the data");
  } catch (const std::exception &) {
    return internalError("reading the data failed unexpectedly; please report this with the file");
  }
}

/// produce(item) -> Result<bool> (false: nothing more) and consume(item) -> Status run on the
/// calling thread, in order; work(item) -> Status runs on `threads` threads of its own (1: on the
/// calling one). Items are reused; at most 2 * threads + 1 exist. The first failure in order ends
/// everything and comes back.
template <typename Item, typename Produce, typename Work, typename Consume>
Status runOrdered(int threads, Produce produce, Work work, Consume consume) {
  if (threads <= 1) {
    Item item;
    for (;;) {
      PENSTOCK_ASSIGN(const bool more, produce(item));
      if (!more) {
        return Status::success();
      }
      PENSTOCK_TRY(work(item));
      PENSTOCK_TRY(consume(item));
    }
  }

  struct Slot {
    Item item;
    Status status;
    bool done = false;
  };
  std::vector<Slot> slots(static_cast<std::size_t>(2 * threads + 1));
  std::mutex mutex;
  std::condition_variable ready, finished;
  std::size_t made = 0, taken = 0,
              used = 0; // counts of slots produced, begun by a worker, consumed
  bool closed = false;

  const auto worker = [&] {
    std::unique_lock lock(mutex);
    for (;;) {
      ready.wait(lock, [&] { return closed || taken < made; });
      if (closed) {
        return;
      }
      Slot &slot = slots[taken++ % slots.size()];
      lock.unlock();
      Status status = caught([&] { return work(slot.item); });
      lock.lock();
      slot.status = std::move(status);
      slot.done = true;
      finished.notify_one();
    }
  };
  std::vector<std::thread> workers;
  const auto stop = [&] {
    {
      const std::lock_guard lock(mutex);
      closed = true;
    }
    ready.notify_all();
    for (std::thread &thread : workers) {
      thread.join();
    }
  };
  try {
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back(worker);
    }
  } catch (const std::system_error &error) {
    if (workers.empty()) {
      return environmentError(std::string("cannot start a thread: ") + std::strerror(error.code().value()));
    }
  }

  const auto consumeOldest = [&]() -> Status {
    Slot &slot = slots[used % slots.size()];
    {
      std::unique_lock lock(mutex);
      finished.wait(lock, [&] { return slot.done; });
    }
    ++used;
    PENSTOCK_TRY(slot.status);
    return consume(slot.item);
  };
  const auto drive = [&]() -> Status {
    for (;;) {
      if (made - used == slots.size()) {
        PENSTOCK_TRY(consumeOldest());
      }
      Slot &slot = slots[made % slots.size()];
      slot.done = false;
      PENSTOCK_ASSIGN(const bool more, produce(slot.item));
      if (!more) {
        break;
      }
      {
        const std::lock_guard lock(mutex);
        ++made;
      }
      ready.notify_one();
    }
    while (used < made) {
      PENSTOCK_TRY(consumeOldest());
    }
    return Status::success();
  };
  const Status status = caught(drive);
  stop();
  return status;
}

} // namespace penstock
