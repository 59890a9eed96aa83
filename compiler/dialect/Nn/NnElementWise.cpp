// Element-wise ops, each with the scalar that it is and its derivative. A new one is its entry in NnOps.td and its paragraph here.
#include "compiler/dialect/Nn/Expressions.h"

#include <cmath>

using namespace mlir;
using namespace penstock::nn;

using Cotangents = SmallVectorImpl<Value>;

//===--- of one value ----------------------------------------------------------------------------------------------===//

Value ReluOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  Value zero = s.number(0);
  return s.select(s.less(x[0], zero), zero, x[0]);
}
LogicalResult ReluOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(ReluGradOp::create(b, getLoc(), getType(), getInput(), g[0]));
  return success();
}
Value ReluGradOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  Value zero = s.number(0);
  return s.select(s.greater(x[0], zero), x[1], zero);
}

Value LeakyReluOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  Value slope = s.number(getSlope().convertToDouble());
  return s.select(s.greater(x[0], s.number(0)), x[0], s.mul(x[0], slope));
}
// What relu lets through, and of the rest the share: the sum of the two is exact, as one of them is 0.
LogicalResult LeakyReluOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  Value above = ReluGradOp::create(b, getLoc(), getType(), getInput(), g[0]);
  Value below = n.mul(n.sub(g[0], above), n.scalar(static_cast<float>(getSlope().convertToDouble())));
  out.push_back(n.add(above, below));
  return success();
}

// exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which keeps its digits near 0.
Value EluOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  Value above = s.greater(x[0], s.number(0));
  Value low = s.select(above, s.number(0), x[0]);
  Value drop = s.mul(s.tanh(s.mul(low, s.number(0.5))), s.add(s.exp(low), s.number(1)));
  return s.select(above, x[0], s.mul(drop, s.number(getAlpha().convertToDouble())));
}
// As leaky_relu's; below 0 the slope is y + alpha.
LogicalResult EluOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  Value above = ReluGradOp::create(b, getLoc(), getType(), getInput(), g[0]);
  Value slope = n.add(getResult(), n.scalar(static_cast<float>(getAlpha().convertToDouble())));
  out.push_back(n.add(above, n.mul(n.sub(g[0], above), slope)));
  return success();
}

// The same operations for gelu and for its slope, so that a loop which computes both does them once.
static Value erfOfGelu(const Scalars &s, Value x) { return s.erf(s.mul(x, s.number(M_SQRT1_2))); }

Value GeluOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  Value e = erfOfGelu(s, x[0]);
  Value half = s.mul(x[0], s.number(0.5));
  return s.add(half, s.mul(half, e));
}
LogicalResult GeluOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  // The slope needs nothing of the backward pass: it is computed beside gelu, from the same erf, and kept in place of the input.
  Value slope = GeluSlopeOp::create(b, getLoc(), getType(), getInput());
  out.push_back(Graph{b, getLoc()}.mul(g[0], slope));
  return success();
}
Value GeluSlopeOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  Value e = erfOfGelu(s, x[0]);
  Value half = s.number(0.5);
  Value cdf = s.add(half, s.mul(half, e));
  Value square = s.mul(x[0], x[0]);
  Value density = s.exp(s.mul(square, s.number(-0.5)));
  Value slope = s.mul(s.mul(x[0], s.number(M_2_SQRTPI * M_SQRT1_2 / 2)), density);
  return s.add(cdf, slope);
}

Value TanhOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.tanh(x[0]); }
LogicalResult TanhOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  Value square = n.mul(getResult(), getResult());
  out.push_back(n.mul(g[0], n.oneMinus(square)));
  return success();
}

Value SigmoidOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  Value one = s.number(1);
  Value e = s.exp(s.neg(x[0]));
  return s.div(one, s.add(one, e));
}
LogicalResult SigmoidOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  Value slope = n.mul(getResult(), n.oneMinus(getResult()));
  out.push_back(n.mul(g[0], slope));
  return success();
}

// x * sigmoid(x); the slope is s + y (1 - s).
Value SiluOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  return s.div(x[0], s.add(s.number(1), s.exp(s.neg(x[0]))));
}
LogicalResult SiluOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  Value share = SigmoidOp::create(b, getLoc(), getType(), getInput());
  Value rest = n.mul(getResult(), n.oneMinus(share));
  Value slope = AddOp::create(b, getLoc(), share, rest);
  out.push_back(n.mul(g[0], slope));
  return success();
}

Value ExpOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.exp(x[0]); }
LogicalResult ExpOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(Graph{b, getLoc()}.mul(g[0], getResult()));
  return success();
}

Value LogOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.log(x[0]); }
LogicalResult LogOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(Graph{b, getLoc()}.div(g[0], getInput()));
  return success();
}

Value SqrtOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.sqrt(x[0]); }
// 1 / (2 sqrt x).
LogicalResult SqrtOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  Value half = n.mul(g[0], n.scalar(0.5F));
  out.push_back(n.div(half, getResult()));
  return success();
}

// The exponential is at most 1, so nothing overflows.
Value SoftplusOp::buildElement(OpBuilder &b, ValueRange x) {
  Scalars s{b, getLoc()};
  Value zero = s.number(0), negative = s.neg(x[0]);
  Value below = s.less(x[0], zero);
  Value e = s.exp(s.select(below, x[0], negative));
  Value rest = s.log(s.add(e, s.number(1)));
  return s.add(s.select(below, zero, x[0]), rest);
}
LogicalResult SoftplusOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(Graph{b, getLoc()}.mul(g[0], SigmoidOp::create(b, getLoc(), getType(), getInput())));
  return success();
}

Value NegOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.neg(x[0]); }
LogicalResult NegOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(Graph{b, getLoc()}.neg(g[0]));
  return success();
}

//===--- of two values ---------------------------------------------------------------------------------------------===//

static LogicalResult verifyBinary(Operation *op) {
  Type lhs = op->getOperand(0).getType(), rhs = op->getOperand(1).getType();
  if (op->getResult(0).getType() != lhs) {
    return op->emitOpError("the result has the type of lhs");
  }
  if (broadcasts(rhs, lhs)) {
    return success();
  }
  return op->emitOpError("rhs is of the type of lhs, a vector of its width, a column of its rows, or a scalar; lhs is ")
         << lhs << ", rhs " << rhs;
}

LogicalResult AddOp::verify() { return verifyBinary(*this); }
Value AddOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.add(x[0], x[1]); }
LogicalResult AddOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(g[0]);
  out.push_back(Graph{b, getLoc()}.sumTo(g[0], getRhs().getType()));
  return success();
}

LogicalResult SubOp::verify() { return verifyBinary(*this); }
Value SubOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.sub(x[0], x[1]); }
LogicalResult SubOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  out.push_back(g[0]);
  out.push_back(n.neg(n.sumTo(g[0], getRhs().getType())));
  return success();
}

LogicalResult MulOp::verify() { return verifyBinary(*this); }
Value MulOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.mul(x[0], x[1]); }
LogicalResult MulOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  out.push_back(n.mul(g[0], getRhs()));
  out.push_back(n.sumTo(n.mul(g[0], getLhs()), getRhs().getType()));
  return success();
}

LogicalResult DivOp::verify() { return verifyBinary(*this); }
Value DivOp::buildElement(OpBuilder &b, ValueRange x) { return Scalars{b, getLoc()}.div(x[0], x[1]); }
// d/drhs = - lhs / rhs^2 = - result / rhs; the division by rhs stands after the sum, where rhs is small.
LogicalResult DivOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  Graph n{b, getLoc()};
  out.push_back(n.div(g[0], getRhs()));
  Value sum = n.sumTo(n.mul(g[0], getResult()), getRhs().getType());
  out.push_back(n.neg(n.div(sum, getRhs())));
  return success();
}

//===--- spread ----------------------------------------------------------------------------------------------------===//

bool SpreadOp::reads(unsigned operand) { return operand == 0; } // of `like`, the rows alone
Value SpreadOp::buildElement(OpBuilder &, ValueRange x) { return x[0]; }
LogicalResult SpreadOp::buildVjp(OpBuilder &b, ValueRange g, Cotangents &out) {
  out.push_back(Graph{b, getLoc()}.sumTo(g[0], getInput().getType()));
  out.push_back({});
  return success();
}
