// Short names for what derivatives and scalars are built of. Internal to the dialect.
#pragma once

#include "compiler/dialect/Nn/Nn.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

namespace penstock::nn {

/// Builds ops of this dialect at the place of one op.
struct Graph {
  mlir::OpBuilder &b;
  mlir::Location loc;
  using Value = mlir::Value;

  Value scalar(float value) const {
    auto type = mlir::RankedTensorType::get({}, b.getF32Type());
    return ConstantOp::create(b, loc, type, mlir::DenseElementsAttr::get(type, value));
  }
  Value add(Value x, Value y) const { return AddOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) const { return SubOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) const { return MulOp::create(b, loc, x, y); }
  Value div(Value x, Value y) const { return DivOp::create(b, loc, x, y); }
  Value neg(Value x) const { return NegOp::create(b, loc, x.getType(), x); }
  Value oneMinus(Value x) const { return add(neg(x), scalar(1.0F)); }
  /// The transpose of the broadcast of a binary op's rhs: sums `full` to `target`, which is the type of `full`, a scalar, a
  /// column or a vector, told apart in the order of the ops' verifier.
  Value sumTo(Value full, mlir::Type target) const {
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
};

/// Builds the arithmetic of one float32 element.
struct Scalars {
  mlir::OpBuilder &b;
  mlir::Location loc;
  using Value = mlir::Value;

  Value number(double value) const { return mlir::arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(value))); }
  Value add(Value x, Value y) const { return mlir::arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) const { return mlir::arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) const { return mlir::arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) const { return mlir::arith::DivFOp::create(b, loc, x, y); }
  Value neg(Value x) const { return mlir::arith::NegFOp::create(b, loc, x); }
  Value exp(Value x) const { return mlir::math::ExpOp::create(b, loc, x); }
  Value log(Value x) const { return mlir::math::LogOp::create(b, loc, x); }
  Value sqrt(Value x) const { return mlir::math::SqrtOp::create(b, loc, x); }
  Value tanh(Value x) const { return mlir::math::TanhOp::create(b, loc, x); }
  Value erf(Value x) const { return mlir::math::ErfOp::create(b, loc, x); }
  /// Ordered comparisons: false where one is NaN, so that it passes through and a step that diverges is seen in the loss.
  Value less(Value x, Value y) const { return mlir::arith::CmpFOp::create(b, loc, mlir::arith::CmpFPredicate::OLT, x, y); }
  Value greater(Value x, Value y) const { return mlir::arith::CmpFOp::create(b, loc, mlir::arith::CmpFPredicate::OGT, x, y); }
  Value select(Value condition, Value x, Value y) const { return mlir::arith::SelectOp::create(b, loc, condition, x, y); }
};

} // namespace penstock::nn
