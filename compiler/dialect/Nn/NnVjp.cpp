// The vector-Jacobian products of the ops that are not element-wise, in the order of NnOps.td.
#include "compiler/dialect/Nn/Expressions.h"

using namespace mlir;
using namespace penstock::nn;

using Cotangents = SmallVectorImpl<Value>;

/// The cotangent of result 0. The other results of an op are there for its own derivative only, so a cotangent that
/// reaches one is a program whose derivative is not known.
static FailureOr<Value> firstOnly(Operation *op, ValueRange cotangents) {
  for (auto [i, cotangent] : llvm::enumerate(cotangents)) {
    if (i > 0 && cotangent) {
      return op->emitOpError("has no derivative through its result ") << i;
    }
  }
  return cotangents[0];
}

LogicalResult DropoutOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(DropoutOp::create(b, getLoc(), getType(), g[0], getPAttr(), getKeyAttr()));
  return success();
}

//===--- rows ------------------------------------------------------------------------------------------------------===//

// y * (g - sum(g * y)).
LogicalResult SoftmaxOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  Value product = n.mul(g[0], getResult());
  Value column = RowSumOp::create(b, getLoc(), withWidth(getType(), 1), product);
  out.push_back(n.mul(n.sub(g[0], column), getResult()));
  return success();
}

LogicalResult NormalizeOp::buildVjp(OpBuilder &b, ValueRange cotangents, Cotangents &out) {
  FailureOr<Value> g = firstOnly(*this, cotangents);
  if (failed(g)) {
    return failure();
  }
  out.push_back(NormalizeGradOp::create(b, getLoc(), getInput().getType(), getResult(), getRstd(), *g));
  return success();
}

LogicalResult RowSumOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(SpreadOp::create(b, getLoc(), getInput().getType(), g[0], getInput()));
  return success();
}

LogicalResult ColumnSumOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(SpreadOp::create(b, getLoc(), getInput().getType(), g[0], getInput()));
  return success();
}

LogicalResult TotalOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(SpreadOp::create(b, getLoc(), getInput().getType(), g[0], getInput()));
  return success();
}

LogicalResult ConcatOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  int64_t offset = 0;
  for (Value input : getInputs()) {
    out.push_back(SliceOp::create(b, getLoc(), input.getType(), g[0], offset));
    offset += widthOf(input.getType());
  }
  return success();
}

LogicalResult SliceOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(PadOp::create(b, getLoc(), getInput().getType(), g[0], getOffset()));
  return success();
}

//===--- losses ----------------------------------------------------------------------------------------------------===//

LogicalResult CrossEntropyOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(CrossEntropyGradOp::create(b, getLoc(), getLogits().getType(), getLogits(), getTarget(), g[0], getLabelSmoothingAttr(),
                                           getClassWeightsAttr()));
  out.push_back({});
  return success();
}

LogicalResult CrfLossOp::buildVjp(OpBuilder &b, ValueRange cotangents, Cotangents &out) {
  FailureOr<Value> g = firstOnly(*this, cotangents);
  if (failed(g)) {
    return failure();
  }
  int64_t size = widthOf(getTransitions().getType());
  Type byRecord = parentType(getLogits().getType(), size);
  auto grad =
      CrfLossGradOp::create(b, getLoc(), getLogits().getType(), byRecord, getLogits(), getTarget(), getTransitions(), getAlpha(), *g);
  out.push_back(grad.getResult());
  out.push_back({});
  out.push_back(ColumnSumOp::create(b, getLoc(), getTransitions().getType(), grad.getByRecord()));
  return success();
}

//===--- contractions ----------------------------------------------------------------------------------------------===//

LogicalResult MatmulOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(MatmulOp::create(b, getLoc(), getInput().getType(), g[0], getWeight(), !getTransposed()));
  Value rows = getTransposed() ? Value(g[0]) : Value(getInput());
  Value columns = getTransposed() ? Value(getInput()) : Value(g[0]);
  out.push_back(WeightGradOp::create(b, getLoc(), getWeight().getType(), rows, columns));
  return success();
}

LogicalResult EmbeddingOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back({});
  out.push_back(EmbeddingGradOp::create(b, getLoc(), getTable().getType(), getIds(), g[0]));
  return success();
}

LogicalResult PositionRowsOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(PositionRowsGradOp::create(b, getLoc(), getTable().getType(), g[0], getOfAttr()));
  return success();
}

LogicalResult BagSumOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back({});
  out.push_back(BagSumGradOp::create(b, getLoc(), getTable().getType(), getIds(), g[0]));
  return success();
}

LogicalResult Conv1dOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(Conv1dInputGradOp::create(b, getLoc(), getInput().getType(), g[0], getWeight()));
  out.push_back(Conv1dWeightGradOp::create(b, getLoc(), getWeight().getType(), getInput(), g[0]));
  return success();
}

LogicalResult Conv1dMaxOp::buildVjp(OpBuilder &b, ValueRange cotangents, Cotangents &out) {
  FailureOr<Value> g = firstOnly(*this, cotangents);
  if (failed(g)) {
    return failure();
  }
  out.push_back(Conv1dMaxInputGradOp::create(b, getLoc(), getInput().getType(), *g, getArgmax(), getWeight()));
  out.push_back(Conv1dMaxWeightGradOp::create(b, getLoc(), getWeight().getType(), getInput(), *g, getArgmax()));
  return success();
}

//===--- between rows and records ----------------------------------------------------------------------------------===//

LogicalResult SegmentSumOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(BroadcastRecordsOp::create(b, getLoc(), getInput().getType(), g[0]));
  return success();
}

LogicalResult BroadcastRecordsOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(SegmentSumOp::create(b, getLoc(), getInput().getType(), g[0]));
  return success();
}

LogicalResult SegmentMaxOp::buildVjp(OpBuilder &b, ValueRange cotangents, Cotangents &out) {
  FailureOr<Value> g = firstOnly(*this, cotangents);
  if (failed(g)) {
    return failure();
  }
  out.push_back(SegmentMaxGradOp::create(b, getLoc(), getInput().getType(), *g, getArgmax()));
  return success();
}

LogicalResult SegmentSoftmaxOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(SegmentSoftmaxGradOp::create(b, getLoc(), getInput().getType(), getResult(), g[0]));
  return success();
}

// A row is part of its own sum and of all sums behind it.
LogicalResult RunningSumOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(RunningSumOp::create(b, getLoc(), getInput().getType(), g[0], b.getI64IntegerAttr(1 - getBackward())));
  return success();
}

LogicalResult SegmentFirstOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(SegmentFirstGradOp::create(b, getLoc(), getInput().getType(), g[0]));
  return success();
}

LogicalResult AttentionOp::buildVjp(OpBuilder &b, ValueRange cotangents, Cotangents &out) {
  FailureOr<Value> g = firstOnly(*this, cotangents);
  if (failed(g)) {
    return failure();
  }
  out.push_back(AttentionGradOp::create(b, getLoc(), getQkv().getType(), getQkv(), getResult(), getLse(), *g, getHeadsAttr(),
                                        getDropoutAttr(), getKeyAttr()));
  return success();
}

LogicalResult AttentionFirstOp::buildVjp(OpBuilder &b, ValueRange cotangents, Cotangents &out) {
  FailureOr<Value> g = firstOnly(*this, cotangents);
  if (failed(g)) {
    return failure();
  }
  auto grad = AttentionFirstGradOp::create(b, getLoc(), getQuery().getType(), getKeysValues().getType(), getQuery(), getKeysValues(),
                                           getResult(), getLse(), *g, getHeadsAttr(), getDropoutAttr(), getKeyAttr());
  out.append(grad->result_begin(), grad->result_end());
  return success();
}
