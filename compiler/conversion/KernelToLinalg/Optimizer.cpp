#include "compiler/conversion/KernelToLinalg/Optimizer.h"

#include "compiler/conversion/KernelToLinalg/StepBuilder.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace penstock {

OptimizerRule::OptimizerRule(nn::ApplyOp apply) : OptimizerRule(apply->getAttrDictionary()) {}

OptimizerRule::OptimizerRule(DictionaryAttr attributes) {
  auto number = [&](StringRef name, double &value) {
    if (auto given = attributes.getAs<FloatAttr>(name)) {
      value = given.getValueAsDouble();
    }
  };
  kind = attributes.getAs<StringAttr>("kind").getValue();
  number("momentum", momentum);
  number("beta1", beta1);
  number("beta2", beta2);
  number("epsilon", epsilon);
  number("weight_decay", decay);
  number("clip_norm", clip);
  if (auto given = attributes.getAs<BoolAttr>("nesterov")) {
    nesterov = given.getValue();
  }
}

std::vector<std::string> OptimizerRule::moments() const {
  if (kind != "sgd") {
    return {"adam.m/", "adam.v/"};
  }
  return momentum != 0 ? std::vector<std::string>{"sgd.momentum/"} : std::vector<std::string>{};
}

// beta^exponent in float64 by repeated squaring: exact enough for bias correction at any step.
static Value power(OpBuilder &b, Location loc, double beta, Value exponent) {
  auto f64 = [&](double v) -> Value { return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(v)); };
  auto i64 = [&](int64_t v) -> Value { return arith::ConstantIntOp::create(b, loc, b.getI64Type(), v); };
  auto index = [&](int64_t v) -> Value { return arith::ConstantIndexOp::create(b, loc, v); };
  auto loop = scf::ForOp::create(b, loc, index(0), index(48), index(1), ValueRange{f64(1), f64(beta), exponent});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value result = loop.getRegionIterArg(0), base = loop.getRegionIterArg(1), left = loop.getRegionIterArg(2);
  Value odd = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, arith::AndIOp::create(b, loc, left, i64(1)), i64(0));
  Value next = arith::SelectOp::create(b, loc, odd, arith::MulFOp::create(b, loc, result, base), result);
  scf::YieldOp::create(b, loc, ValueRange{next, arith::MulFOp::create(b, loc, base, base), arith::ShRUIOp::create(b, loc, left, i64(1))});
  return loop.getResult(0);
}

OptimizerRule::Corrections OptimizerRule::corrections(OpBuilder &b, Location loc, Value step) const {
  if (kind == "sgd") {
    return {};
  }
  Value one = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(1));
  Value t = arith::AddIOp::create(b, loc, step, arith::ConstantIntOp::create(b, loc, b.getI64Type(), 1));
  Value first = arith::SubFOp::create(b, loc, one, power(b, loc, beta1, t));
  Value second = arith::SubFOp::create(b, loc, one, power(b, loc, beta2, t));
  return {first, second};
}

OptimizerRule::Scalars OptimizerRule::scalars(OpBuilder &b, Location loc, Value rate, double multiplier,
                                              const Corrections &corrections) const {
  auto f64 = [&](double v) -> Value { return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(v)); };
  auto toF32 = [&](Value v) -> Value { return arith::TruncFOp::create(b, loc, b.getF32Type(), v); };
  Scalars result;
  auto widen = [&](Value v) -> Value { return arith::ExtFOp::create(b, loc, b.getF64Type(), v); };
  result.rate = multiplier == 1 ? rate : toF32(arith::MulFOp::create(b, loc, widen(rate), f64(multiplier)));
  if (kind == "sgd") {
    return result;
  }
  Value wide = widen(result.rate);
  result.stepSize = toF32(arith::DivFOp::create(b, loc, wide, corrections.first));
  result.rootCorrection = toF32(arith::DivFOp::create(b, loc, f64(1), math::SqrtOp::create(b, loc, corrections.second)));
  return result;
}

Value OptimizerRule::decayed(OpBuilder &b, Location loc, Value weight, Value rate, double decayHere) const {
  Value product = arith::MulFOp::create(b, loc, rate, f32Constant(b, loc, decayHere));
  return arith::MulFOp::create(b, loc, weight, arith::SubFOp::create(b, loc, f32Constant(b, loc, 1), product));
}

SmallVector<Value> OptimizerRule::update(OpBuilder &b, Location loc, const Scalars &scalars, double decayHere, Value gradient, Value weight,
                                         ValueRange moments) const {
  auto c = [&](double v) { return f32Constant(b, loc, v); };
  auto mul = [&](Value x, Value y) -> Value { return arith::MulFOp::create(b, loc, x, y); };
  auto add = [&](Value x, Value y) -> Value { return arith::AddFOp::create(b, loc, x, y); };
  auto sub = [&](Value x, Value y) -> Value { return arith::SubFOp::create(b, loc, x, y); };
  if (scalars.scale) {
    gradient = mul(gradient, scalars.scale);
  }
  if (decayHere != 0 && kind == "adamw") {
    weight = decayed(b, loc, weight, scalars.rate, decayHere);
  } else if (decayHere != 0) {
    gradient = add(gradient, mul(weight, c(decayHere)));
  }
  if (kind == "sgd") {
    if (momentum == 0) {
      return {sub(weight, mul(scalars.rate, gradient))};
    }
    Value v = add(mul(moments[0], c(momentum)), gradient);
    Value direction = nesterov ? add(gradient, mul(v, c(momentum))) : v;
    return {sub(weight, mul(scalars.rate, direction)), v};
  }
  Value m = add(mul(moments[0], c(beta1)), mul(gradient, c(1 - beta1)));
  Value v = add(mul(moments[1], c(beta2)), mul(mul(gradient, gradient), c(1 - beta2)));
  Value root = mul(math::SqrtOp::create(b, loc, v), scalars.rootCorrection);
  Value moved = sub(weight, mul(scalars.stepSize, arith::DivFOp::create(b, loc, m, add(root, c(epsilon)))));
  return {moved, m, v};
}

} // namespace penstock
