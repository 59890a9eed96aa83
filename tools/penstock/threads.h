// What is said about the number of threads.
#pragma once

#include <cstdint>

namespace penstock {

/// Warns on standard error, once, where there are more threads than this process has cores: the others would sleep.
void warnOfIdleThreads(std::int64_t threads);

} // namespace penstock
