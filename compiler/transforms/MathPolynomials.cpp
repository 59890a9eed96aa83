#include "compiler/transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

#include <limits>

using namespace mlir;

namespace penstock {
#define GEN_PASS_DEF_MATHPOLYNOMIALSPASS
#include "compiler/transforms/Passes.h.inc"
namespace {

/// Builds arithmetic on one shape: f32, or vectors of it.
class Arithmetic {
public:
  Arithmetic(PatternRewriter &rewriter, Location location, Type type)
      : rewriter(rewriter), location(location), floats(type), integers(withElement(type, rewriter.getI32Type())) {}

  Value number(float value) { return constant(rewriter.getF32FloatAttr(value), floats); }
  Value integer(std::int32_t value) { return constant(rewriter.getI32IntegerAttr(value), integers); }
  Value add(Value a, Value b) { return arith::AddFOp::create(rewriter, location, a, b); }
  Value subtract(Value a, Value b) { return arith::SubFOp::create(rewriter, location, a, b); }
  Value multiply(Value a, Value b) { return arith::MulFOp::create(rewriter, location, a, b); }
  Value divide(Value a, Value b) { return arith::DivFOp::create(rewriter, location, a, b); }
  Value fma(Value a, Value b, Value c) { return math::FmaOp::create(rewriter, location, a, b, c); }
  Value plus(Value a, Value b) { return arith::AddIOp::create(rewriter, location, a, b); }
  Value minus(Value a, Value b) { return arith::SubIOp::create(rewriter, location, a, b); }
  Value shiftLeft(Value a, int by) { return arith::ShLIOp::create(rewriter, location, a, integer(by)); }
  Value shiftRight(Value a, int by) { return arith::ShRSIOp::create(rewriter, location, a, integer(by)); }
  Value bits(Value a) { return arith::BitcastOp::create(rewriter, location, integers, a); }
  Value fromBits(Value a) { return arith::BitcastOp::create(rewriter, location, floats, a); }
  Value toFloat(Value a) { return arith::SIToFPOp::create(rewriter, location, floats, a); }
  Value select(Value condition, Value a, Value b) { return arith::SelectOp::create(rewriter, location, condition, a, b); }
  Value compare(arith::CmpFPredicate predicate, Value a, Value b) { return arith::CmpFOp::create(rewriter, location, predicate, a, b); }
  /// min and max that leave NaN as it is: one instruction each on x86.
  Value atMost(Value x, float bound) { return select(compare(arith::CmpFPredicate::OGT, x, number(bound)), number(bound), x); }
  Value atLeast(Value x, float bound) { return select(compare(arith::CmpFPredicate::OLT, x, number(bound)), number(bound), x); }
  /// Horner's scheme; the coefficient of the lowest power first.
  Value polynomial(ArrayRef<float> coefficients, Value x) {
    Value value = number(coefficients.back());
    for (const float coefficient : llvm::reverse(coefficients.drop_back())) {
      value = fma(value, x, number(coefficient));
    }
    return value;
  }

private:
  static Type withElement(Type type, Type element) {
    auto vector = dyn_cast<VectorType>(type);
    return vector ? Type(vector.clone(element)) : element;
  }
  Value constant(TypedAttr scalar, Type type) {
    auto vector = dyn_cast<VectorType>(type);
    return arith::ConstantOp::create(rewriter, location, vector ? TypedAttr(SplatElementsAttr::get(vector, Attribute(scalar))) : scalar);
  }

  PatternRewriter &rewriter;
  Location location;
  Type floats, integers;
};

/// e^x = 2^n e^r, n the nearest integer to x / ln 2. n comes out of the low bits of a sum with 1.5
/// * 2^23, so that a NaN is never converted to an integer; 2^n is applied in two factors, which
/// overflow and underflow as they should.
Value expandExp(Arithmetic &a, Value x) {
  constexpr float magic = 12582912.0f;
  x = a.atLeast(a.atMost(x, 89.0f), -104.0f);
  const Value shifted = a.fma(x, a.number(1.44269504f), a.number(magic));
  const Value n = a.subtract(shifted, a.number(magic));
  Value r = a.fma(n, a.number(-0.693145751953125f), x);
  r = a.fma(n, a.number(-1.42860682030941723212e-6f), r);
  const Value power = a.polynomial(
      {1.0f, 1.0f, 0.4999999403953552f, 0.1666652113199234f, 0.04166838899254799f, 0.00836874544620514f, 0.0013814539415761828f}, r);
  const Value whole = a.minus(a.bits(shifted), a.integer(0x4B400000));
  const Value half = a.shiftRight(whole, 1);
  const auto scale = [&](Value exponent) { return a.fromBits(a.shiftLeft(a.plus(exponent, a.integer(127)), 23)); };
  return a.multiply(a.multiply(power, scale(half)), scale(a.minus(whole, half)));
}

/// x = 2^e (1 + f) with 1 + f in [sqrt 1/2, sqrt 2); log = e ln 2 + f - f^2/2 + f^3 p(f).
Value expandLog(Arithmetic &a, Value x) {
  const Value denormal = a.compare(arith::CmpFPredicate::OLT, x, a.number(std::numeric_limits<float>::min()));
  const Value normal = a.select(denormal, a.multiply(x, a.number(8388608.0f)), x);
  const Value bits = a.bits(normal);
  const Value e = a.shiftRight(a.minus(bits, a.integer(0x3F3504F3)), 23);
  const Value f = a.subtract(a.fromBits(a.minus(bits, a.shiftLeft(e, 23))), a.number(1.0f));
  const Value exponent = a.subtract(a.toFloat(e), a.select(denormal, a.number(23.0f), a.number(0.0f)));
  const Value tail = a.polynomial({0.3333333134651184f, -0.2500081956386566f, 0.20001226663589478f, -0.16623356938362122f,
                                   0.14201757311820984f, -0.13160185515880585f, 0.1276158094406128f, -0.07634492963552475f},
                                  f);
  const Value square = a.multiply(f, f);
  Value y = a.multiply(a.multiply(f, square), tail);
  y = a.fma(exponent, a.number(-2.12194440e-4f), y);
  y = a.fma(square, a.number(-0.5f), y);
  y = a.add(f, y);
  y = a.fma(exponent, a.number(0.693359375f), y);
  const float infinity = std::numeric_limits<float>::infinity();
  // Unordered or not less than infinity: infinity and NaN are their own logarithms.
  y = a.select(a.compare(arith::CmpFPredicate::ULT, x, a.number(infinity)), y, x);
  y = a.select(a.compare(arith::CmpFPredicate::UNO, x, x), x, y);
  y = a.select(a.compare(arith::CmpFPredicate::OLT, x, a.number(0.0f)), a.number(std::numeric_limits<float>::quiet_NaN()), y);
  return a.select(a.compare(arith::CmpFPredicate::OEQ, x, a.number(0.0f)), a.number(-infinity), y);
}

/// x P(x^2) / Q(x^2), saturated.
Value expandRational(Arithmetic &a, Value x, float bound, ArrayRef<float> p, ArrayRef<float> q) {
  x = a.atLeast(a.atMost(x, bound), -bound);
  const Value square = a.multiply(x, x);
  const Value y = a.divide(a.multiply(x, a.polynomial(p, square)), a.polynomial(q, square));
  return a.atLeast(a.atMost(y, 1.0f), -1.0f);
}

Value expandTanh(Arithmetic &a, Value x) {
  return expandRational(a, x, 9.02f, {1.0f, 0.1337970793247223f, 0.003494021948426962f, 2.0583269360940903e-05f, 1.3318765645919939e-08f},
                        {1.0f, 0.46713021397590637f, 0.025871025398373604f, 0.0003283072146587074f, 7.761896654301381e-07f});
}

Value expandErf(Arithmetic &a, Value x) {
  return expandRational(
      a, x, 4.0f,
      {1.1283791065216064f, 0.19155196845531464f, 0.05287560075521469f, 0.003808214096352458f, 0.00028468569507822394f,
       2.0258528365957318e-06f},
      {1.0f, 0.5030911564826965f, 0.11456024646759033f, 0.015055198222398758f, 0.0011707325465977192f, 3.78311233362183e-05f});
}

template <typename Op, Value (*expand)(Arithmetic &, Value)> struct Expand : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    const Type type = op.getType();
    auto vector = dyn_cast<VectorType>(type);
    if (!getElementTypeOrSelf(type).isF32() || !(type.isF32() || (vector && !vector.isScalable()))) {
      return failure();
    }
    Arithmetic arithmetic(rewriter, op.getLoc(), type);
    rewriter.replaceOp(op, expand(arithmetic, op.getOperand()));
    return success();
  }
};

struct MathPolynomialsPass : penstock::impl::MathPolynomialsPassBase<MathPolynomialsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<Expand<math::ExpOp, expandExp>, Expand<math::LogOp, expandLog>, Expand<math::TanhOp, expandTanh>,
                 Expand<math::ErfOp, expandErf>>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

} // namespace penstock
