// A block of a GPU's threads on one thread of the host: each is a fiber, which runs straight on until it waits for others. Blocks run one
// after another. Used by one thread of the host at a time; what a kernel does wrong (a barrier that not all reach, a warp split at a
// collective, a copy or matrix out of place) ends the process with a sentence.
//
// What a kernel calls is declared in runtime/cuda/kernels/emulated.h, and what a generated kernel calls is below.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
struct EmulatedKernel;
}

namespace penstock::emulator {

/// In which order threads and blocks run, and when asynchronous copies land.
enum class Schedule : int {
  up = 0,    // a warp until it waits at the block's barrier, then the next one; copies land as late as they may
  down = 1,  // the same from the last block, warp and thread to the first; copies land at once
  mixed = 2, // each thread until it waits, in an order that changes; copies land as late as they may
};

struct Launch {
  int grid[3] = {1, 1, 1};
  int threads = 1;
  std::size_t sharedBytes = 0;
  const char *name = "";   // in messages
  int skippedBarrier = -1; // of a block or warp, counted by each thread: a mistake, for tests that must find it
};

/// Runs `body(context)` for each thread of each block.
void run(const Launch &launch, Schedule schedule, void (*body)(void *context), void *context);

/// The kernel of this name, or null; `whole`: its function for a whole launch.
const EmulatedKernel *findKernel(const char *name, bool whole);

/// What runs, for a message; empty where nothing does.
const char *running(int (&block)[3], int &thread);

} // namespace penstock::emulator

#pragma GCC visibility push(default)
extern "C" {
std::int32_t penstock_thread_index(void);
std::int32_t penstock_block_index(void);
std::int32_t penstock_grid_size(void);
void penstock_sync_block(void);
void penstock_sync_warp(void);
std::int32_t penstock_shuffle_xor(std::int32_t bits, std::int32_t mask);
void *penstock_shared(void);
}
#pragma GCC visibility pop
