// The key of a compiled program: everything that decides its code, and nothing else.
#pragma once

#include "compiler/frontend/typed_pipeline.h"

#include <string>

namespace penstock {

/// Canonical text of the tensor program that the pipeline asks for: the model, and what of the
/// pipeline's value decides code, but for the level.
std::string canonicalProgram(const frontend::TypedPipeline &pipeline);

/// The places of the model's nodes, which a program for a profile names.
std::string placesOf(const frontend::TypedPipeline &pipeline);

/// 32 hexadecimal digits of `text`.
std::string keyOf(const std::string &text);

} // namespace penstock
