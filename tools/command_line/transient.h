// A word on the terminal while something takes its time, gone when it is done.
#pragma once

#include "runtime/base/terminal.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <unistd.h>

namespace penstock {

class Transient {
public:
  /// Shows nothing where standard error is no terminal or `quiet` is set.
  Transient(std::string_view what, bool quiet) : shown(!quiet && ::isatty(STDERR_FILENO) != 0) {
    if (shown) { // in one row, so that it can be taken back
      const std::string text = std::string(what) + " ...";
      const int columns = std::max(terminalColumns(STDERR_FILENO) - 1, 1);
      std::fprintf(stderr, "\r%.*s\x1b[K", std::min(columns, static_cast<int>(text.size())), text.c_str());
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
