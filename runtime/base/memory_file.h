// Files that lie in this process's memory alone.
#pragma once

#include "runtime/base/file.h"

#include <string_view>

namespace penstock {

/// A sealed file with these bytes: its pages may be run where pages that were written may not, and nobody can change it. None where the
/// system gives no such file.
Descriptor memoryFile(std::string_view bytes, const char *name);

} // namespace penstock
