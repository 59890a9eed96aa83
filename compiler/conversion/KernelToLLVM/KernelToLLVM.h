// --penstock-kernel-to-llvm: loops, outlined bodies, and calls through the program's tables.
#pragma once

#include "compiler/emit/program_table.h"
#include "mlir/IR/BuiltinOps.h"

namespace penstock {

/// Turns linalg on rows into scf loops (marked as free of dependences between iterations), every kernel.parallel into a
/// function `penstock_body_<n>(context, begin, end, worker)` and one call of the pool, kernel.get into loads from the call
/// (abi/program_abi.h), kernel.number into loads from the step's numbers, and kernel.call into a call through the call's table
/// of symbols, whose names go to `symbols`. What is left is func, scf, memref, arith, math and llvm.
mlir::LogicalResult lowerKernelToLLVM(mlir::ModuleOp module, std::vector<std::string> &symbols);

} // namespace penstock
