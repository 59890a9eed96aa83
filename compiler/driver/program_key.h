// The key of a compiled program: everything that decides its code, and nothing else.
#pragma once

#include "compiler/frontend/typed_pipeline.h"

#include <string>

namespace penstock {

/// Canonical text of the tensor program that the pipeline asks for: model, batch layout, and of the
/// training settings those that are compiled in. Places in the file, names of files, schedule,
/// seed, metrics and learning rate are left out.
std::string canonicalProgram(const frontend::TypedPipeline &pipeline);

/// The places of the model's nodes, which a program for a profile names.
std::string placesOf(const frontend::TypedPipeline &pipeline);

/// 32 hexadecimal digits of `text`.
std::string keyOf(const std::string &text);

} // namespace penstock
