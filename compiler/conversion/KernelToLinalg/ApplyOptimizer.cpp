#include "compiler/conversion/KernelToLinalg/OptimizerEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace penstock {

// One pass over the flat buffers, chunk by chunk. What a step has in common is computed once and read by every piece:
// four numbers a group at the start of the scratch, behind them the partial sums of squares for the norm.

static constexpr int64_t chunkElements = 4096;
static constexpr int64_t scalarsWidth = 4; // rate, step size, correction of the root, scale of the gradient

// Partial sums stand behind the numbers of groups and tables.
static int64_t firstPartial(const ProgramLayout::Objective &objective) {
  return static_cast<int64_t>(objective.groups.size() + objective.deferredEnd - objective.firstDeferred) * scalarsWidth;
}

static int64_t chunksOfWhole(const ProgramLayout::Objective &objective) {
  return (objective.wholeEnd - objective.from + chunkElements - 1) / chunkElements;
}

/// The tables that the objective moves row by row.
static auto tablesOfRows(const ProgramLayout &layout, int64_t objective) {
  return llvm::make_filter_range(layout.parameters, [=](const ProgramLayout::Parameter &p) {
    return p.update == ProgramLayout::Update::rows && p.objective == objective && !p.frozen;
  });
}

int64_t scratchOfApply(const ProgramLayout &layout, nn::ApplyOp apply) {
  const auto &objective = layout.objectiveOf(apply);
  int64_t cells = firstPartial(objective);
  if (apply.getClipNorm().convertToDouble() > 0) {
    cells += chunksOfWhole(objective);
    for (const auto &p : tablesOfRows(layout, apply.getObjective())) {
      cells += p.rows();
    }
  }
  return cells * 4 + 64;
}

Value OptimizerEmitter::viewAt(StringRef what, Value offset, Type elements) {
  return memref::ViewOp::create(b, loc, cast<MemRefType>(elements), get(what, bytesType()), offset, ValueRange());
}

// Adds up row[i] * row[i] over a memref of one dimension.
Value OptimizerEmitter::sumOfSquares(Value memory, Value size) {
  return fold(size, constantF32(0), Combine::add, [&](Value sum, Value place) -> Value {
    Value x = loadAt(memory, place);
    return arith::AddFOp::create(b, loc, sum, arith::MulFOp::create(b, loc, x, x));
  });
}

// Adds up `count` numbers of a scratch from `first` on, in float64 and in their order.
Value OptimizerEmitter::sumOfPartials(Value sum, const Buffer &scratch, Value first, Value count) {
  return fold(count, sum, Combine::add, [&](Value before, Value place) -> Value {
    Value partial = loadScalar(rowView(scratch, arith::AddIOp::create(b, loc, first, place), 1));
    return arith::AddFOp::create(b, loc, before, arith::ExtFOp::create(b, loc, b.getF64Type(), partial));
  });
}

void OptimizerEmitter::storeScalars(const OptimizerRule::Scalars &scalars, Value memory) {
  Value all[] = {scalars.rate, scalars.stepSize, scalars.rootCorrection, scalars.scale};
  for (auto [i, value] : llvm::enumerate(all)) {
    if (value) {
      storeScalar(value, memory, static_cast<int64_t>(i));
    }
  }
}

OptimizerRule::Scalars OptimizerEmitter::loadScalars(const OptimizerRule &rule, Value memory) {
  auto load = [&](int64_t i) { return loadAt(memory, constant(i)); };
  OptimizerRule::Scalars scalars;
  scalars.rate = load(0);
  if (rule.kind != "sgd") {
    scalars.stepSize = load(1);
    scalars.rootCorrection = load(2);
  }
  if (rule.clip > 0) {
    scalars.scale = load(3);
  }
  return scalars;
}

void OptimizerEmitter::emitUpdate(const OptimizerRule &rule, const OptimizerRule::Scalars &scalars, double decay, Value gradient,
                                  ValueRange places) {
  elementwise(gradient ? ValueRange(gradient) : ValueRange(), places,
              [&](OpBuilder &n, Location, ValueRange args, llvm::function_ref<Value()>) {
                Value g = gradient ? args[0] : f32Constant(n, loc, 0);
                return rule.update(n, loc, scalars, decay, g, args[gradient ? 1 : 0], args.drop_front(gradient ? 2 : 1));
              });
}

Value OptimizerEmitter::chunk(StringRef what, int64_t offset, Value first, Value size) {
  auto type = MemRefType::get({ShapedType::kDynamic}, b.getF32Type());
  return memref::ViewOp::create(b, loc, type, get(what, bytesType()), scaled(first, 4, offset * 4), ValueRange{size});
}

void OptimizerEmitter::overChunks(int64_t from, int64_t to, llvm::function_ref<void()> prepare,
                                  llvm::function_ref<void(Value first, Value size, Value number)> body) {
  if (from == to) {
    return;
  }
  int64_t count = (to - from + chunkElements - 1) / chunkElements;
  parallel(count, 4, chunkElements, [&](Value begin, Value end) {
    prepare();
    forRange(begin, end, [&](Value i) {
      Value first = scaled(i, chunkElements, from);
      Value last = arith::MinUIOp::create(b, loc, arith::AddIOp::create(b, loc, first, constant(chunkElements)), constant(to));
      body(first, arith::SubIOp::create(b, loc, last, first), i);
    });
  });
}

void OptimizerEmitter::emit(nn::AccumulateOp accumulate) {
  const auto &objective = layout.objectiveOf(accumulate);
  auto addPart = [&](Value from, Value to, bool adds) {
    elementwise(from, to, [&](OpBuilder &n, Location, ValueRange args, llvm::function_ref<Value()>) -> SmallVector<Value> {
      return {adds ? arith::AddFOp::create(n, loc, args[1], args[0]) : args[0]};
    });
  };
  overChunks(
      objective.from, objective.gradientEnd, [] {},
      [&](Value first, Value size, Value) {
        Value from = chunk("arena", -objective.from, first, size), to = chunk("gradients", 0, first, size);
        Value begins = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, get("part", b.getI64Type()), constantI64(0));
        auto branch = scf::IfOp::create(b, loc, begins, /*withElseRegion=*/true);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(branch.thenBlock());
        addPart(from, to, false);
        b.setInsertionPointToStart(branch.elseBlock());
        addPart(from, to, true);
      });
}

// Sums of squares of the gradient, a number a chunk or row.
void OptimizerEmitter::partialsOfNorm(nn::ApplyOp apply, const Gradient &gradient, const Buffer &scratch) {
  const auto &objective = layout.objectiveOf(apply);
  int64_t cell = firstPartial(objective);
  auto store = [&](Value value, Value number) { storeScalar(value, rowView(scratch, scaled(number, 1, cell), 1)); };
  overChunks(
      objective.from, objective.wholeEnd, [] {},
      [&](Value first, Value size, Value i) { store(sumOfSquares(chunk(gradient.memory, gradient.offset, first, size), size), i); });
  cell += chunksOfWhole(objective);
  for (const auto &p : tablesOfRows(layout, apply.getObjective())) {
    parallel(p.rows(), 16, p.width(), [&](Value begin, Value end) {
      forRange(begin, end, [&](Value i) {
        Value row = chunk(gradient.memory, gradient.offset + p.offset, scaled(i, p.width()), constant(p.width()));
        store(sumOfSquares(row, constant(p.width())), i);
      });
    });
    cell += p.rows();
  }
  for (const auto &d : layout.deferredOf(objective)) {
    deferredSquares(d);
  }
}

// min(1, clip / (norm + 1e-6)), as clip_grad_norm_ does; a norm that is not a number stays one.
Value OptimizerEmitter::scaleOfGradient(nn::ApplyOp apply, const OptimizerRule &rule, const Buffer &scratch) {
  const auto &objective = layout.objectiveOf(apply);
  int64_t cells = chunksOfWhole(objective);
  for (const auto &p : tablesOfRows(layout, apply.getObjective())) {
    cells += p.rows();
  }
  auto f64 = [&](double v) -> Value { return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(v)); };
  Value sum = sumOfPartials(f64(0), scratch, constant(firstPartial(objective)), constant(cells));
  for (const auto &d : layout.deferredOf(objective)) {
    const RowsRead &read = plan.rowsRead.find(layout.parameters[d.parameter].name)->second;
    sum = sumOfPartials(sum, read.partials, constant(0), countOfRead(read));
  }
  Value norm = math::SqrtOp::create(b, loc, sum);
  Value ratio = arith::DivFOp::create(b, loc, f64(rule.clip), arith::AddFOp::create(b, loc, norm, f64(1e-6)));
  Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, ratio, f64(1));
  return arith::TruncFOp::create(b, loc, b.getF32Type(), arith::SelectOp::create(b, loc, above, f64(1), ratio));
}

void OptimizerEmitter::emit(nn::ApplyOp apply) {
  OptimizerRule rule(apply);
  Buffer scratch = plan.scratches.at(apply);
  scratch.width = 1;
  // With the gradient in parts, another entry left their sums.
  const auto &objective = layout.objectiveOf(apply);
  const Gradient gradient = apply->hasAttr("kernel.in_arena") ? Gradient{"arena", -objective.from} : Gradient{"gradients", 0};
  auto scalarsPlace = [&](size_t index) { return rowView(scratch, constant(static_cast<int64_t>(index) * scalarsWidth), scalarsWidth); };
  if (rule.clip > 0) {
    partialsOfNorm(apply, gradient, scratch);
  }
  serial([&] {
    Value scale = rule.clip > 0 ? scaleOfGradient(apply, rule, scratch) : Value();
    const OptimizerRule::Corrections corrections = rule.corrections(b, loc, get("step", b.getI64Type()));
    auto computeScalars = [&](double multiplier) {
      OptimizerRule::Scalars scalars = rule.scalars(b, loc, get("learning_rate", b.getF32Type()), multiplier, corrections);
      scalars.scale = scale;
      return scalars;
    };
    for (auto [i, group] : llvm::enumerate(objective.groups)) {
      storeScalars(computeScalars(group.rate), scalarsPlace(i));
    }
    for (auto [i, d] : llvm::enumerate(layout.deferredOf(objective))) {
      OptimizerRule::Scalars scalars = computeScalars(layout.parameters[d.parameter].rate);
      storeScalars(scalars, scalarsPlace(objective.groups.size() + i));
      rememberStep(scalars, d);
    }
  });

  size_t moments = rule.moments().size();
  for (auto [i, group] : llvm::enumerate(objective.groups)) {
    OptimizerRule::Scalars scalars;
    overChunks(
        group.from, group.to, [&] { scalars = loadScalars(rule, scalarsPlace(i)); },
        [&](Value first, Value size, Value) {
          SmallVector<Value> places{chunk("parameters", 0, first, size)};
          for (size_t m = 0; m < moments; ++m) {
            places.push_back(chunk("states", layout.momentOffset(objective, m), first, size));
          }
          emitUpdate(rule, scalars, group.decays ? rule.decay : 0, chunk(gradient.memory, gradient.offset, first, size), places);
        });
  }
  for (auto [i, d] : llvm::enumerate(layout.deferredOf(objective))) {
    emitDeferredUpdate(rule, d, [&, i = i] { return loadScalars(rule, scalarsPlace(objective.groups.size() + i)); });
  }
}

} // namespace penstock
