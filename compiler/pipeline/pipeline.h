// The way of a model from Nn to loops, in order.
#pragma once

#include "compiler/emit/program_table.h"
#include "mlir/IR/BuiltinOps.h"

#include <functional>

namespace mlir {
class OpPassManager;
}

namespace penstock {

/// The dialects that the lowering writes; load them before lowerNnToLoops.
void registerLoweringDialects(mlir::DialectRegistry &registry);

/// --penstock-kernel-to-linalg: what stands between row regions and code.
void addKernelToLinalgPasses(mlir::OpPassManager &passes);

/// Called after a stage: "nn", "kernel", "memory", "steps", "linalg".
using StageObserver = std::function<void(llvm::StringRef stage, mlir::ModuleOp module)>;

/// Lowers a module of Nn (one `func.func @model`, or its entries already derived) in place to what emitSharedLibrary takes, and
/// fills `table` but for its level.
///
///   nn       segment maxima and counts fused, the entries derived, train_step differentiated
///   kernel   contractions as kernel.invoke, row-wise work grouped into kernel.rows
///   memory   every value has a place
///   steps    entries as tables of steps, and the op that each function of a step is to become
///   linalg   their code: linalg on rows inside kernel.parallel loops over blocks
///
/// and then loops, bodies as functions, calls through the program's tables. Fails with a diagnostic.
/// With `profile` the table says what every step does.
mlir::LogicalResult lowerNnToLoops(mlir::ModuleOp module, ProgramTable &table, const StageObserver &observe = {}, bool profile = false);

} // namespace penstock
