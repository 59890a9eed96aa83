#include "tools/command_line/threads.h"

#include "runtime/base/cores.h"

#include <cstdio>

namespace penstock {

void warnOfIdleThreads(const std::string &who, std::int64_t threads) {
  static bool said = false;
  const int cores = usableCores();
  if (threads > cores && !said) {
    said = true;
    std::fprintf(stderr,
                 "%s: warning: %lld threads were asked for and this process may use %d %s; the others sleep (0 threads is one a core)\n",
                 who.c_str(), static_cast<long long>(threads), cores, cores == 1 ? "core" : "cores");
  }
}

} // namespace penstock
