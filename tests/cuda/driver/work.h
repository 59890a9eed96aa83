// Streams, events and graphs of the fake driver. What is enqueued waits, and runs when something waits for it, asks after it, or too much
// waits; so a host that does not wait sees what was there before.
#pragma once

#include "tests/cuda/driver/modules.h"

#include <chrono>
#include <deque>
#include <string>
#include <vector>

namespace penstock::fake {

enum class WorkKind { launch, copyIn, copyOut, set, record, wait, graph };

struct Work {
  WorkKind kind = WorkKind::launch;
  cuda::CUfunction function = nullptr;
  unsigned grid[3] = {1, 1, 1}, threads = 1, sharedBytes = 0;
  std::vector<std::vector<unsigned char>> arguments; // bytes of each
  void *to = nullptr;
  const void *from = nullptr;
  std::size_t bytes = 0;
  unsigned char value = 0;
  cuda::CUevent event = nullptr;
  cuda::CUstream other = nullptr; // that the event was recorded on, and the number there
  std::int64_t number = 0;
  std::vector<Work> nodes; // of a graph
};

} // namespace penstock::fake

namespace penstock::cuda {
struct CUstream_st {
  std::deque<fake::Work> waiting;
  std::int64_t enqueued = 0, finished = 0;
  bool capturing = false, invalid = false; // invalid: something was called that a capture does not allow
  std::vector<fake::Work> captured;
};
struct CUevent_st {
  CUstream stream = nullptr; // null: not recorded, or the stream is gone
  std::int64_t number = 0;
  std::chrono::steady_clock::time_point time;
};
struct CUgraph_st {
  std::vector<fake::Work> nodes;
};
struct CUgraphExec_st {
  std::vector<fake::Work> nodes;
};
} // namespace penstock::cuda

namespace penstock::fake {

/// The stream of a call: null means the default one.
cuda::CUstream streamOf(cuda::CUstream stream);
cuda::CUstream makeStream();
/// What waits runs first.
void dropStream(cuda::CUstream stream);
cuda::CUresult enqueue(cuda::CUstream stream, Work work);
/// Runs what waits on the stream until `number` is done, or `most` pieces of it.
void run(cuda::CUstream stream, std::int64_t number, std::int64_t most);
void runAll();
bool done(const cuda::CUevent_st &event);

} // namespace penstock::fake
