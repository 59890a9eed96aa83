// What an objective is made of: losses, each a sum of items and the sum of their weights (docs/design/losses.md).
#pragma once

#include "compiler/dialect/Nn/Nn.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace penstock {

/// One term of an objective: coefficient * (sum of items / sum of weights).
struct Loss {
  double coefficient = 1;
  mlir::Value items, weights; // rows, whose elements are summed, or a scalar, which is a sum already
};

/// The losses that `objective`, a scalar of `function`, is a sum of, in the order in which it names them. A number that is added is a
/// loss that every part has once. What is no sum of losses times numbers is, as a whole, a loss whose weight is the records: a mean over
/// each part, as a head gives it that knows nothing of weights. Builds what it needs at the end of `function`; `nn.mean` stays.
llvm::SmallVector<Loss> lossesOf(mlir::func::FuncOp function, mlir::Value objective);

/// Makes every `nn.mean` the quotient of the sums over a batch, and 0 where its weights are.
void lowerMeans(mlir::func::FuncOp function, bool training);

/// The sum of all elements; a scalar is one already. In training every record has its class, for train says which classes there are, so
/// there the sum of the weights of classes, where they are 1, is the number of records.
mlir::Value sumOf(mlir::OpBuilder &builder, mlir::Value rows, bool training);

} // namespace penstock
