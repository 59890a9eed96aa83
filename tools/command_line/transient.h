// A word on the terminal while something takes its time, gone when it is done.
#pragma once

#include <cstdio>
#include <string_view>
#include <unistd.h>

namespace penstock {

class Transient {
public:
  /// Shows nothing where standard error is no terminal or `quiet` is set.
  Transient(std::string_view what, bool quiet) : shown(!quiet && ::isatty(STDERR_FILENO) != 0) {
    if (shown) {
      std::fprintf(stderr, "\r%.*s ...\x1b[K", static_cast<int>(what.size()), what.data());
      std::fflush(stderr);
    }
  }
  ~Transient() {
    if (shown) {
      std::fputs("\r\x1b[K", stderr);
      std::fflush(stderr);
    }
  }
  Transient(const Transient &) = delete;
  Transient &operator=(const Transient &) = delete;

private:
  bool shown;
};

} // namespace penstock
