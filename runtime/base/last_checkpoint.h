// What a process that is about to end badly can still say of the run that it trained.
#pragma once

#include <atomic>
#include <cstdint>

namespace penstock {

/// Step of the newest good checkpoint of the run that this process trains, -1 while there is none. A signal handler may read it.
inline std::atomic<std::int64_t> lastCheckpointStep{-1};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

} // namespace penstock
