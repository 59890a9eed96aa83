// What a step does, for a profile.
#pragma once

#include "compiler/conversion/KernelToLinalg/MemoryPlan.h"

namespace penstock {

/// The operations of a step (a row region, an operation by itself, or null: the zeros between gradients), where they stand in the `.pipe`
/// file, and what they cost. Arithmetic of contractions and attention is counted exactly; every other operation on a row counts one for an
/// element that it reads, whatever its function costs. Bytes are those of values outside of the workers' scratch, each read and written
/// once, weights included; rows of a table that is updated by rows count once for each id, and steps that are made up for count as one.
ProgramTable::Work workOf(mlir::Operation *step, const ProgramLayout &layout);

} // namespace penstock
