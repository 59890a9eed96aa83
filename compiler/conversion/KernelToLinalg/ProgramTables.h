// What a module says of its program: the layout of what lives long, read by every pass below the regions, and at the end the program's
// tables.
#pragma once

#include "compiler/conversion/KernelToLinalg/MemoryPlan.h"

namespace penstock {

/// The layout of the module's globals, dispatches, inputs and axes. Fails, with a diagnostic, where inputs and their declaration do not
/// agree.
mlir::FailureOr<ProgramLayout> layoutOf(mlir::ModuleOp module);

/// A profile's words about a step as an attribute, `kernel.work` of its kernel.step.
mlir::DictionaryAttr workAttribute(const ProgramTable::Work &work, mlir::Builder &b);

/// Takes what is a table of the program out of the module, once all code is written: what is left is code. All but level and symbols.
mlir::LogicalResult takeProgramTable(mlir::ModuleOp module, ProgramTable &table);

} // namespace penstock
