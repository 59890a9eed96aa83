// NVIDIA's assembler, where a machine has it: machine code of a card in place of text that its driver compiles.
#pragma once

#include "runtime/base/status.h"

#include <string>

namespace penstock {

/// The path of `ptxas`: what PENSTOCK_PTXAS names (nothing: there is none), what is on the PATH, or that of the usual place of CUDA's
/// toolkit;
/// "" where there is none.
std::string findPtxas();

/// A cubin of the text for an architecture, 80 or 90; `scratch`: path of a file that may be written. An error where `ptxas` refuses the
/// text.
Result<std::string> assemblePtx(const std::string &ptxas, const std::string &text, int architecture, const std::string &scratch);

} // namespace penstock
