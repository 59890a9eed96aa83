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
  // A closed window sends it from the terminal and from the shell: the second must not kill what the first asked to save. Whoever
  // started this process with it ignored (`nohup`) wants it ignored.
  struct sigaction before{};
  if (::sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) {
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGHUP, &action, nullptr);
  }
}

bool interrupted() { return flag.load(std::memory_order_relaxed); }
void setInterrupted(bool value) { flag.store(value, std::memory_order_relaxed); }

} // namespace penstock
