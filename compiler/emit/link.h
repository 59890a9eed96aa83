// Links one object file into a shared library without dependencies.
#pragma once

#include "runtime/base/status.h"

#include <string>

namespace penstock {

/// Runs ld.lld: the one that the build found, or that of PATH. Anything left undefined is an
/// internal error that names it.
Status linkSharedLibrary(const std::string &object, const std::string &output);

} // namespace penstock
