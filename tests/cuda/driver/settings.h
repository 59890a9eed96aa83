// What the environment asks of the fake driver, what it counts, and the errors that it is told to make.
//
//   PENSTOCK_FAKE_CUDA_SCHEDULE         0, 1, 2: emulator.h
//   PENSTOCK_FAKE_CUDA_CARDS            1
//   PENSTOCK_FAKE_CUDA_MULTIPROCESSORS  132
//   PENSTOCK_FAKE_CUDA_ARCHITECTURE     90
//   PENSTOCK_FAKE_CUDA_MEMORY           MiB of the card: 65536
//   PENSTOCK_FAKE_CUDA_QUEUE            so many pieces of work may wait on a stream before the oldest runs: 1024
//   PENSTOCK_FAKE_CUDA_WHOLE            1: launches run by the kernel's function for a whole launch where it has one
//   PENSTOCK_FAKE_CUDA_OPEN             1: the host may touch the device's memory at any time
//   PENSTOCK_FAKE_CUDA_FAIL             "cuLaunchKernel:17:700, cuMemAlloc_v2:3:2, work:40:719": the n-th call of the name (from 1) fails
//                                       with the error; `work`: the n-th piece of work fails when it runs, which the next call tells.
//                                       From an error of 700 and above but 900s on all calls fail with it.
//   PENSTOCK_FAKE_CUDA_SKIP             "crf_loss:2": the kernel runs without the barrier of block or warp that a thread reaches as its
//                                       third: a mistake, for tests that must find it
//   PENSTOCK_FAKE_CUDA_REPORT           a file, to which a line of JSON with all counts is added at the end of the process
#pragma once

#include "runtime/cuda/driver.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace penstock::fake {

struct Failure {
  std::string call;
  std::int64_t number;
  int error;
};

struct Settings {
  int schedule = 0, cards = 1, multiprocessors = 132, architecture = 90;
  std::int64_t memory = std::int64_t{65536} << 20, queue = 1024;
  bool whole = false, open = false;
  std::vector<Failure> failures;
  std::string skippedIn;
  int skipped = -1;
  std::string report;
};

struct Counts {
  std::map<std::string, std::int64_t> launches;
  std::int64_t copiesIn = 0, copiesOut = 0, bytesIn = 0, bytesOut = 0, sets = 0;
  std::int64_t waits = 0, queries = 0, allocations = 0, frees = 0, hostAllocations = 0, captures = 0, graphLaunches = 0, modules = 0;
  std::int64_t mostMemory = 0, work = 0;
};

const Settings &settings();
Counts &counts();

/// The error of this call, which is counted: the one that all calls have by now, or the one that was asked for.
cuda::CUresult called(const char *name);
/// From now on all calls have it.
void stick(cuda::CUresult error);
cuda::CUresult stuck();

} // namespace penstock::fake
