// The batch that a program reads: its inputs and axes, in the order of the module's `nn.inputs`.
#pragma once

#include "compiler/conversion/KernelToLinalg/MemoryPlan.h"

namespace penstock {

/// Fills in the places of the batch as `nn.inputs` declares them, read by an entry or not. A module without the attribute reads all of its
/// inputs. Fails, with a diagnostic, where the two do not agree.
mlir::LogicalResult addInputs(mlir::ModuleOp module, ProgramLayout &layout);

/// What a value is, as the program's table says it. Its axis is one of `layout`.
ProgramTable::ValueType valueTypeOf(mlir::Type type, const ProgramLayout &layout);

} // namespace penstock
