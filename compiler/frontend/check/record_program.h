// The record program (docs/design/record_program.md): how files become the batches that the model reads, as JSON text.
#pragma once

#include "compiler/frontend/check/model.h"
#include "compiler/frontend/check/training.h"

namespace penstock::frontend {

/// "" where the data block cannot be described.
std::string recordProgram(const Records &records, const Model &model, const GraphBuilder &builder, const Training &training);

} // namespace penstock::frontend
