// The vector-Jacobian products of the Nn ops, in the order of NnOps.td.
#include "compiler/dialect/Nn/Nn.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace penstock::nn;

namespace {

using Cotangents = SmallVectorImpl<Value>;

Value scalar(OpBuilder &b, Location loc, float value) {
  auto type = RankedTensorType::get({}, b.getF32Type());
  return ConstantOp::create(b, loc, type, DenseElementsAttr::get(type, value));
}

Value add(OpBuilder &b, Location loc, Value x, Value y) { return AddOp::create(b, loc, x, y); }
Value sub(OpBuilder &b, Location loc, Value x, Value y) { return SubOp::create(b, loc, x, y); }
Value mul(OpBuilder &b, Location loc, Value x, Value y) { return MulOp::create(b, loc, x, y); }
Value div(OpBuilder &b, Location loc, Value x, Value y) { return DivOp::create(b, loc, x, y); }
Value neg(OpBuilder &b, Location loc, Value x) { return NegOp::create(b, loc, x.getType(), x); }

/// 1 - x.
Value oneMinus(OpBuilder &b, Location loc, Value x) { return add(b, loc, neg(b, loc, x), scalar(b, loc, 1.0F)); }

/// The transpose of the broadcast of a binary op's rhs: sums `full` to `target`, which is the type of `full`, a scalar, a
/// column or a vector, told apart in the order of the ops' verifier.
Value sumTo(OpBuilder &b, Location loc, Value full, Type target) {
  if (full.getType() == target) {
    return full;
  }
  if (isScalar(target)) {
    return TotalOp::create(b, loc, target, full);
  }
  if (rowsOf(full.getType()) == rowsOf(target) && widthOf(target) == 1) {
    return RowSumOp::create(b, loc, target, full);
  }
  return ColumnSumOp::create(b, loc, target, full);
}

/// The cotangent of result 0. The other results of an op are there for its own derivative only, so a cotangent that
/// reaches one is a program whose derivative is not known.
FailureOr<Value> firstOnly(Operation *op, ValueRange cotangents) {
  for (auto [i, cotangent] : llvm::enumerate(cotangents)) {
    if (i > 0 && cotangent) {
      return op->emitOpError("has no derivative through its result ") << i;
    }
  }
  return cotangents[0];
}

} // namespace

//===--- element-wise ----------------------------------------------------------------------------------------------===//

LogicalResult ReluOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(ReluGradOp::create(b, getLoc(), getType(), getInput(), g[0]));
  return success();
}

LogicalResult GeluOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  // The slope needs nothing of the backward pass: it is computed beside gelu, from the same erf, and kept in place of the input.
  Value slope = GeluSlopeOp::create(b, getLoc(), getType(), getInput());
  out.push_back(mul(b, getLoc(), g[0], slope));
  return success();
}

LogicalResult TanhOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Value square = mul(b, getLoc(), getResult(), getResult());
  out.push_back(mul(b, getLoc(), g[0], oneMinus(b, getLoc(), square)));
  return success();
}

LogicalResult SigmoidOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Value slope = mul(b, getLoc(), getResult(), oneMinus(b, getLoc(), getResult()));
  out.push_back(mul(b, getLoc(), g[0], slope));
  return success();
}

LogicalResult ExpOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(mul(b, getLoc(), g[0], getResult()));
  return success();
}

LogicalResult LogOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(div(b, getLoc(), g[0], getInput()));
  return success();
}

// 1 / (2 sqrt x).
LogicalResult SqrtOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Value half = mul(b, getLoc(), g[0], scalar(b, getLoc(), 0.5F));
  out.push_back(div(b, getLoc(), half, getResult()));
  return success();
}

LogicalResult SoftplusOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(mul(b, getLoc(), g[0], SigmoidOp::create(b, getLoc(), getType(), getInput())));
  return success();
}

LogicalResult NegOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(neg(b, getLoc(), g[0]));
  return success();
}

LogicalResult AddOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(g[0]);
  out.push_back(sumTo(b, getLoc(), g[0], getRhs().getType()));
  return success();
}

LogicalResult SubOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(g[0]);
  out.push_back(neg(b, getLoc(), sumTo(b, getLoc(), g[0], getRhs().getType())));
  return success();
}

LogicalResult MulOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(mul(b, getLoc(), g[0], getRhs()));
  out.push_back(sumTo(b, getLoc(), mul(b, getLoc(), g[0], getLhs()), getRhs().getType()));
  return success();
}

// d/drhs = - lhs / rhs^2 = - result / rhs; the division by rhs stands after the sum, where rhs is small.
LogicalResult DivOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(div(b, getLoc(), g[0], getRhs()));
  Value sum = sumTo(b, getLoc(), mul(b, getLoc(), g[0], getResult()), getRhs().getType());
  out.push_back(neg(b, getLoc(), div(b, getLoc(), sum, getRhs())));
  return success();
}

LogicalResult DropoutOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(DropoutOp::create(b, getLoc(), getType(), g[0], getPAttr(), getKeyAttr()));
  return success();
}

//===--- rows ------------------------------------------------------------------------------------------------------===//

// y * (g - sum(g * y)).
LogicalResult SoftmaxOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Value product = mul(b, getLoc(), g[0], getResult());
  Value column = RowSumOp::create(b, getLoc(), withWidth(getType(), 1), product);
  out.push_back(mul(b, getLoc(), sub(b, getLoc(), g[0], column), getResult()));
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

LogicalResult SpreadOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(sumTo(b, getLoc(), g[0], getInput().getType()));
  out.push_back({});
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
