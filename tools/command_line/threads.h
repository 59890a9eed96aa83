// What is said about the number of threads.
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

/// Warns on standard error, once, where there are more threads than this process has cores: the others would sleep. `who` says so: the
/// command.
void warnOfIdleThreads(const std::string &who, std::int64_t threads);

} // namespace penstock
