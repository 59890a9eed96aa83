// Whether what a compiled program says of itself can be believed.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"
#include "runtime/exec/program_image.h"

#include <string>

namespace penstock {

/// Whether a mapped program was made for an interface that this release reads. An error (environment) where it does not say so.
Result<bool> isOfThisInterface(const PenstockProgram &program, const ProgramImage &image, const std::string &path);

/// Judges the table of a mapped program of this ABI before anything in it is followed: that every count, text, array and function lies in
/// the image, that tensors have sound places and entries sound sizes. What the code does with its numbers cannot be judged. The error
/// (environment) names `path` and the part.
Status checkProgramTable(const PenstockProgram &program, const ProgramImage &image, const std::string &path);

} // namespace penstock
