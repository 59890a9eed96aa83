#include "compiler/conversion/KernelToLinalg/StepBuilder.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;

namespace penstock {

Value f32Constant(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(value)));
}

// The same operations for gelu and for its slope, so that a loop which computes both does them once.
static Value erfOfGelu(OpBuilder &b, Location loc, Value x) {
  return math::ErfOp::create(b, loc, arith::MulFOp::create(b, loc, x, f32Constant(b, loc, M_SQRT1_2)));
}

// Comparisons are ordered so that NaN passes through: a step that diverges must be seen in the loss.
Value emitUnary(OpBuilder &b, Location loc, Operation *op, Value x) {
  if (isa<nn::ReluOp>(op)) {
    Value zero = f32Constant(b, loc, 0);
    Value below = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, zero);
    return arith::SelectOp::create(b, loc, below, zero, x);
  }
  if (isa<nn::GeluOp>(op)) {
    Value e = erfOfGelu(b, loc, x);
    Value half = arith::MulFOp::create(b, loc, x, f32Constant(b, loc, 0.5));
    return arith::AddFOp::create(b, loc, half, arith::MulFOp::create(b, loc, half, e));
  }
  if (isa<nn::GeluSlopeOp>(op)) {
    Value e = erfOfGelu(b, loc, x);
    Value half = f32Constant(b, loc, 0.5);
    Value cdf = arith::AddFOp::create(b, loc, half, arith::MulFOp::create(b, loc, half, e));
    Value square = arith::MulFOp::create(b, loc, x, x);
    Value density = math::ExpOp::create(b, loc, arith::MulFOp::create(b, loc, square, f32Constant(b, loc, -0.5)));
    Value slope = arith::MulFOp::create(b, loc, arith::MulFOp::create(b, loc, x, f32Constant(b, loc, M_2_SQRTPI * M_SQRT1_2 / 2)), density);
    return arith::AddFOp::create(b, loc, cdf, slope);
  }
  if (isa<nn::TanhOp>(op)) {
    return math::TanhOp::create(b, loc, x);
  }
  if (isa<nn::SigmoidOp>(op)) {
    Value one = f32Constant(b, loc, 1);
    Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
    return arith::DivFOp::create(b, loc, one, arith::AddFOp::create(b, loc, one, e));
  }
  if (isa<nn::ExpOp>(op)) {
    return math::ExpOp::create(b, loc, x);
  }
  if (isa<nn::LogOp>(op)) {
    return math::LogOp::create(b, loc, x);
  }
  if (isa<nn::SqrtOp>(op)) {
    return math::SqrtOp::create(b, loc, x);
  }
  if (isa<nn::SoftplusOp>(op)) { // the exponential is at most 1, so nothing overflows
    Value zero = f32Constant(b, loc, 0), negative = arith::NegFOp::create(b, loc, x);
    Value below = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, zero);
    Value e = math::ExpOp::create(b, loc, arith::SelectOp::create(b, loc, below, x, negative));
    Value rest = math::LogOp::create(b, loc, arith::AddFOp::create(b, loc, e, f32Constant(b, loc, 1)));
    return arith::AddFOp::create(b, loc, arith::SelectOp::create(b, loc, below, zero, x), rest);
  }
  return arith::NegFOp::create(b, loc, x);
}

Value emitReluGrad(OpBuilder &b, Location loc, Value x, Value g) {
  Value zero = f32Constant(b, loc, 0);
  Value positive = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, zero);
  return arith::SelectOp::create(b, loc, positive, g, zero);
}

Value emitBinary(OpBuilder &b, Location loc, Operation *op, Value x, Value y) {
  if (isa<nn::AddOp>(op)) {
    return arith::AddFOp::create(b, loc, x, y);
  }
  if (isa<nn::SubOp>(op)) {
    return arith::SubFOp::create(b, loc, x, y);
  }
  if (isa<nn::MulOp>(op)) {
    return arith::MulFOp::create(b, loc, x, y);
  }
  return arith::DivFOp::create(b, loc, x, y);
}

} // namespace penstock
