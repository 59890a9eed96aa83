#include "tools/penstock/threads.h"

#include "runtime/base/cores.h"

#include <cstdio>

namespace penstock {

void warnOfIdleThreads(std::int64_t threads) {
  static bool said = false;
  const int cores = usableCores();
  if (threads > cores && !said) {
    said = true;
    std::fprintf(
        stderr,
        "penstock: warning: %lld threads were asked for and this process may use %d %s; the others sleep (`threads: 0` is one a core)\n",
        static_cast<long long>(threads), cores, cores == 1 ? "core" : "cores");
  }
}

} // namespace penstock
