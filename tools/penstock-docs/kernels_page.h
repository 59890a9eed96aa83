// docs/generated/kernels.md from the table of kernels.
#pragma once

#include <string>

namespace penstock {

std::string kernelsPage();

} // namespace penstock
