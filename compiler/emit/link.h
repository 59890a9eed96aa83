// Links object files into a shared library without dependencies.
#pragma once

#include "runtime/base/status.h"

#include <string>
#include <vector>

namespace penstock {

/// Runs ld.lld: the one that the build found, or that of PATH. Anything left undefined is an
/// internal error that names it.
Status linkSharedLibrary(const std::vector<std::string> &objects, const std::string &output);

} // namespace penstock
