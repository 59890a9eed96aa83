#include "runtime/exec/interrupt.h"

#include <atomic>
#include <csignal>

namespace penstock {

static std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" {
static void onInterrupt(int) { flag.store(true, std::memory_order_relaxed); }
}

void catchInterrupts() {
  struct sigaction action{};
  action.sa_handler = onInterrupt;
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigemptyset(&action.sa_mask);
  std::signal(SIGXFSZ, SIG_IGN);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return flag.load(std::memory_order_relaxed); }
void setInterrupted(bool value) { flag.store(value, std::memory_order_relaxed); }

} // namespace penstock
