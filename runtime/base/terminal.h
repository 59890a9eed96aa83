// What a descriptor is for a person.
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

namespace penstock {

/// How wide the terminal is that a descriptor leads to, in columns; 0 where it leads to none. One that does not say has 80.
inline int terminalColumns(int descriptor) {
  if (::isatty(descriptor) == 0) {
    return 0;
  }
  winsize window{};
  return ::ioctl(descriptor, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : 80;
}

} // namespace penstock
