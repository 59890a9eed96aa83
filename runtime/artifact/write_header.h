// The C header of an artifact, with the pipeline's own types.
#pragma once

#include "runtime/artifact/c_layout.h"

#include <string>

namespace penstock {

std::string artifactHeader(const std::string &name, const CLayout &layout);

} // namespace penstock
