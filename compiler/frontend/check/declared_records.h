// What a pipeline says of its records (docs/design/record_program.md): how files become the batches that the model reads, and where it is
// said.
#pragma once

#include "compiler/frontend/check/model.h"
#include "compiler/frontend/check/training.h"

namespace penstock::frontend {

DeclaredRecords declaredRecords(const Records &records, const Model &model, const GraphBuilder &builder, const Training &training);

} // namespace penstock::frontend
