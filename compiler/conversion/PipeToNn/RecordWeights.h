// What records count: losses as sums in which a record of weight w stands w times (docs/design/rows_and_cells.md).
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace penstock {

/// Multiplies items and weights of every loss in `function` by `weights`, a number a record. What every part has once, such as `l2`, stays.
/// A loss whose items are of no record is an error.
mlir::LogicalResult weighRecords(mlir::func::FuncOp function, mlir::Value weights);

} // namespace penstock
