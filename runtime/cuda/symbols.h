// The functions that a program for a CUDA device calls, by name.
#pragma once

#include "runtime/base/status.h"

#include <string_view>
#include <vector>

namespace penstock::cuda {

/// The launcher of the kernel "penstock_NAME", or "penstock_launch". An error names what has no CUDA code.
Result<void *> symbol(std::string_view name);

/// The rows of the table of kernels that have no launcher.
std::vector<std::string_view> kernelsWithoutCode();

} // namespace penstock::cuda
