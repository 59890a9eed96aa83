// Runs ld.lld: the one that the build found, or that of PATH.
#pragma once

#include "runtime/base/status.h"

#include <string>
#include <vector>

namespace penstock {

/// What the linker is told: its words but for `-o` and the output. `what` is what is linked, for messages: "the compiled program". Without
/// a success there is no output. Anything left undefined is an internal error that names it, a disk that is full one of the environment.
Status runLinker(std::vector<std::string> words, const std::string &output, const std::string &what);

} // namespace penstock
