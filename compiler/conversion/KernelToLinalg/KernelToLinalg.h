// --penstock-kernel-to-linalg: from values to memory. Every entry becomes a function over the call, with its values in one
// arena, row regions as kernel.parallel loops over blocks whose row-wise work is fused into linalg.generic on rows, and kernels
// as kernel.call.
#pragma once

#include "compiler/emit/program_table.h"
#include "mlir/IR/BuiltinOps.h"

namespace penstock {

/// Lowers all functions of `module` (after --penstock-form-regions) to `penstock_entry_<name>` and fills `table` but for
/// level and symbols. Fails with a diagnostic at the op that has no lowering.
/// With `profile` the table's steps say what they do.
mlir::LogicalResult lowerKernelToLinalg(mlir::ModuleOp module, ProgramTable &table, bool profile = false);

} // namespace penstock
