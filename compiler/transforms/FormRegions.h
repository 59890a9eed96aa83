// --penstock-form-regions: groups row-wise work into kernel.rows.
#pragma once

#include "compiler/dialect/Nn/Nn.h"
#include "mlir/Pass/Pass.h"

#include <memory>

namespace penstock {

/// Schedules every function (a straight line of ops) so that all work over the rows of one axis that can run without waiting
/// for other rows stands in one kernel.rows region: element-wise ops, row reductions, matmuls by packed weights, gathers. A
/// region ends where an op needs rows of other blocks (attention, weight gradients, sums over rows), and within bounds where the
/// program begins to repeat it. A concatenation of many parts becomes one of concatenations.
std::unique_ptr<mlir::Pass> createFormRegionsPass();

/// The rows that an op of a region runs over: those of its result, or of its operand for sums over rows.
nn::RowsOf iterationRows(mlir::Operation *op);
/// Sums over rows: their result is complete only after the region.
bool isRowReduction(mlir::Operation *op);

} // namespace penstock
