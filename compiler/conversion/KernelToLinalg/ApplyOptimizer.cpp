#include "compiler/conversion/KernelToLinalg/EntryEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace penstock {

// One pass over the flat buffers, chunk by chunk. Formulas are PyTorch's, in its order of operations, so that curves agree.

static constexpr int64_t chunkElements = 4096;

namespace {

// beta^exponent in float64 by repeated squaring: exact enough for bias correction at any step.
Value power(OpBuilder &b, Location loc, double beta, Value exponent) {
  auto f64 = [&](double v) -> Value { return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(v)); };
  auto i64 = [&](int64_t v) -> Value { return arith::ConstantIntOp::create(b, loc, b.getI64Type(), v); };
  auto index = [&](int64_t v) -> Value { return arith::ConstantIndexOp::create(b, loc, v); };
  auto loop = scf::ForOp::create(b, loc, index(0), index(48), index(1), ValueRange{f64(1), f64(beta), exponent});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value result = loop.getRegionIterArg(0), base = loop.getRegionIterArg(1), left = loop.getRegionIterArg(2);
  Value odd = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, arith::AndIOp::create(b, loc, left, i64(1)), i64(0));
  Value next = arith::SelectOp::create(b, loc, odd, arith::MulFOp::create(b, loc, result, base), result);
  scf::YieldOp::create(b, loc, ValueRange{next, arith::MulFOp::create(b, loc, base, base),
                                          arith::ShRUIOp::create(b, loc, left, i64(1))});
  return loop.getResult(0);
}

} // namespace

void EntryEmitter::emitApply(nn::ApplyOp apply, const Buffer &partials) {
  auto number = [](APFloat v) { return v.convertToDouble(); };
  double clip = number(apply.getClipNorm()), decay = number(apply.getWeightDecay());
  double beta1 = number(apply.getBeta1()), beta2 = number(apply.getBeta2());
  double momentum = number(apply.getMomentum());
  StringRef kind = apply.getKind();
  Type dynamic = MemRefType::get({ShapedType::kDynamic}, b.getF32Type());
  auto mul = [&](OpBuilder &n, Value x, Value y) -> Value { return arith::MulFOp::create(n, loc, x, y); };
  auto add = [&](OpBuilder &n, Value x, Value y) -> Value { return arith::AddFOp::create(n, loc, x, y); };
  auto sub = [&](OpBuilder &n, Value x, Value y) -> Value { return arith::SubFOp::create(n, loc, x, y); };
  auto toF32 = [&](Value v) -> Value { return arith::TruncFOp::create(b, loc, b.getF32Type(), v); };

  // A chunk of a flat buffer: `first` and `size` in elements.
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  auto chunk = [&](StringRef what, int64_t offset, Value first, Value size) -> Value {
    Value at = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, first, constant(4)), constant(offset * 4));
    return memref::ViewOp::create(b, loc, cast<MemRefType>(dynamic), get(what, bytes), at, ValueRange{size});
  };
  auto overChunks = [&](int64_t from, int64_t to, llvm::function_ref<void()> prepare,
                        llvm::function_ref<void(Value first, Value size, Value number)> body) {
    if (from == to) {
      return;
    }
    int64_t count = (to - from + chunkElements - 1) / chunkElements;
    parallel(constant(count), 4, [&](Value begin, Value end) {
      prepare();
      forRange(begin, end, [&](Value i) {
        Value first = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, i, constant(chunkElements)), constant(from));
        Value last = arith::MinUIOp::create(b, loc, arith::AddIOp::create(b, loc, first, constant(chunkElements)), constant(to));
        body(first, arith::SubIOp::create(b, loc, last, first), i);
      });
    });
  };
  auto partialCell = [&](Value i) {
    Buffer cell = partials;
    cell.width = 1;
    return rowView(cell, i, 1);
  };

  int64_t total = layout.parameterElements;
  if (clip > 0) {
    overChunks(0, total, [] {}, [&](Value first, Value size, Value i) {
      Value g = chunk("arena", 0, first, size);
      auto loop = scf::ForOp::create(b, loc, constant(0), size, constant(1), ValueRange{constantF32(0)});
      {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(loop.getBody());
        Value x = memref::LoadOp::create(b, loc, g, ValueRange{loop.getInductionVar()});
        scf::YieldOp::create(b, loc, ValueRange{add(b, loop.getRegionIterArg(0), mul(b, x, x))});
      }
      memref::StoreOp::create(b, loc, loop.getResult(0), partialCell(i), ValueRange{constant(0)});
    });
  }

  Value scale, rate, stepSize, rootCorrection;
  auto prepare = [&] {
    rate = get("learning_rate", b.getF32Type());
    if (clip > 0) {
      int64_t count = (total + chunkElements - 1) / chunkElements;
      auto f64 = [&](double v) -> Value { return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(v)); };
      auto loop = scf::ForOp::create(b, loc, constant(0), constant(count), constant(1), ValueRange{f64(0)});
      {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(loop.getBody());
        Value x = loadScalar(partialCell(loop.getInductionVar()));
        scf::YieldOp::create(b, loc, ValueRange{arith::AddFOp::create(b, loc, loop.getRegionIterArg(0),
                                                                      arith::ExtFOp::create(b, loc, b.getF64Type(), x))});
      }
      // min(1, clip / (norm + 1e-6)), as clip_grad_norm_ does; a norm that is not a number stays one.
      Value norm = math::SqrtOp::create(b, loc, loop.getResult(0));
      Value ratio = arith::DivFOp::create(b, loc, f64(clip), arith::AddFOp::create(b, loc, norm, f64(1e-6)));
      Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, ratio, f64(1));
      scale = toF32(arith::SelectOp::create(b, loc, above, f64(1), ratio));
    }
    if (kind != "sgd") {
      Value t = arith::AddIOp::create(b, loc, get("step", b.getI64Type()),
                                      arith::ConstantIntOp::create(b, loc, b.getI64Type(), 1));
      auto one = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(1));
      Value first = arith::SubFOp::create(b, loc, one, power(b, loc, beta1, t));
      Value second = arith::SubFOp::create(b, loc, one, power(b, loc, beta2, t));
      Value wide = arith::ExtFOp::create(b, loc, b.getF64Type(), rate);
      stepSize = toF32(arith::DivFOp::create(b, loc, wide, first));
      rootCorrection = toF32(arith::DivFOp::create(b, loc, one, math::SqrtOp::create(b, loc, second)));
    }
  };

  auto update = [&](int64_t from, int64_t to, double weightDecay) {
    overChunks(from, to, prepare, [&](Value first, Value size, Value) {
      Value g = chunk("arena", 0, first, size), p = chunk("parameters", 0, first, size);
      SmallVector<Value> outs{p};
      if (kind != "sgd") {
        outs.push_back(chunk("states", 0, first, size));
        outs.push_back(chunk("states", total, first, size));
      } else if (momentum != 0) {
        outs.push_back(chunk("states", 0, first, size));
      }
      SmallVector<AffineMap> maps(outs.size() + 1, b.getMultiDimIdentityMap(1));
      auto body = [&](OpBuilder &n, Location, ValueRange args) {
        auto c = [&](double v) { return f32Constant(n, loc, v); };
        Value gradient = args[0], weight = args[1];
        if (scale) {
          gradient = mul(n, gradient, scale);
        }
        if (weightDecay != 0 && kind == "adamw") {
          weight = mul(n, weight, sub(n, c(1), mul(n, rate, c(weightDecay))));
        } else if (weightDecay != 0) {
          gradient = add(n, gradient, mul(n, weight, c(weightDecay)));
        }
        if (kind == "sgd") {
          Value direction = gradient;
          SmallVector<Value> results;
          if (momentum != 0) {
            Value v = add(n, mul(n, args[2], c(momentum)), gradient);
            direction = apply.getNesterov() ? add(n, gradient, mul(n, v, c(momentum))) : v;
            results = {sub(n, weight, mul(n, rate, direction)), v};
          } else {
            results = {sub(n, weight, mul(n, rate, direction))};
          }
          linalg::YieldOp::create(n, loc, results);
          return;
        }
        Value m = add(n, mul(n, args[2], c(beta1)), mul(n, gradient, c(1 - beta1)));
        Value v = add(n, mul(n, args[3], c(beta2)), mul(n, mul(n, gradient, gradient), c(1 - beta2)));
        Value root = mul(n, math::SqrtOp::create(n, loc, v), rootCorrection);
        Value denominator = add(n, root, c(number(apply.getEpsilon())));
        Value moved = sub(n, weight, mul(n, stepSize, arith::DivFOp::create(n, loc, m, denominator)));
        linalg::YieldOp::create(n, loc, ValueRange{moved, m, v});
      };
      linalg::GenericOp::create(b, loc, ValueRange{g}, outs, maps,
                                ArrayRef<utils::IteratorType>{utils::IteratorType::parallel}, body);
    });
  };
  if (decay == 0) {
    update(0, total, 0);
  } else {
    update(0, layout.decayingElements, decay);
    update(layout.decayingElements, total, 0);
  }
}

} // namespace penstock
