// `_exit` and `_Exit` of this process, in place of the C library's: a plugin that calls them must not end the command in silence, let
// alone with 0. They are found before the library's because the command exports them.
#include "runtime/plugin/containment.h"

extern "C" {

__attribute__((noreturn, visibility("default"))) void _exit(int code) { penstock::endProcess(code); }
__attribute__((noreturn, visibility("default"))) void _Exit(int code) noexcept { penstock::endProcess(code); }
}
