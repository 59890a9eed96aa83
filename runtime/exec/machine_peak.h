// What this machine can do at most, measured.
#pragma once

#include "runtime/device/thread_pool.h"

namespace penstock {

struct MachinePeak {
  double flops = 0; // float32 multiply-adds of all workers, counted as two, a second
  double bytes = 0; // of a triad over arrays that no cache holds, a second: two read, one written
};

/// Takes about half a second. The best of several tries, since the machine may be shared.
MachinePeak measurePeak(ThreadPool &pool);

} // namespace penstock
