// Tables of which a step touches only the rows that it reads (--penstock-defer-rows).
//
// The memory of PenstockCall.deferred holds for every such table, and every row of it, the step up to which the row was
// updated, counted from `deferred_first`; and the numbers that each step since then had in common. All of it is zero after
// @settle. A step that passed a row by is made up for by the same element-wise code with a gradient of zero.

#include "compiler/conversion/KernelToLinalg/OptimizerEmitter.h"

using namespace mlir;

namespace penstock {

// What penstock_group_rows writes: the number of different ids, at byte 64 the ids in order, then where the rows of each begin
// and the rows themselves.
static constexpr int64_t groupsBytes = 128, groupsBytesPerRow = 12, idsAt = 64;
static constexpr int64_t stepBytes = 16; // of one table in one step
static constexpr int64_t grain = 8;

RowsRead planRowsRead(const ProgramLayout &layout, MemoryPlan &memory, nn::RefreshOp refresh) {
  auto reserve = [&](int64_t constantBytes, int64_t bytesPerRow) {
    Extent extent = memory.extentOf(nn::rowsOf(refresh.getIds().getType()), bytesPerRow);
    extent.constant += constantBytes;
    Buffer buffer;
    buffer.axis = extent.axis;
    buffer.slot = memory.allocate(extent); // until the end of the step
    buffer.element = Float32Type::get(refresh.getContext());
    return buffer;
  };
  const ProgramLayout::Parameter &p = layout.parameter(refresh.getName());
  RowsRead read;
  read.groups = reserve(groupsBytes, groupsBytesPerRow);
  read.gradient = reserve(64, p.width() * 4);
  read.gradient.width = p.width();
  read.partials = reserve(64, 4);
  read.partials.width = 1;
  return read;
}

Value OptimizerEmitter::loadIndex(StringRef what, Value offset) {
  Value cell = viewAt(what, offset, MemRefType::get({1}, b.getI32Type()));
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), loadScalar(cell));
}

Value OptimizerEmitter::countOfRead(const RowsRead &read) { return loadIndex("arena", byteOffset(read.groups)); }

Value OptimizerEmitter::idOfRead(const RowsRead &read, Value number) {
  return loadIndex("arena", arith::AddIOp::create(b, loc, byteOffset(read.groups), scaled(number, 4, idsAt)));
}

/// Steps since `deferred_first`.
Value OptimizerEmitter::stepsDeferred() {
  Value steps = arith::SubIOp::create(b, loc, get("step", b.getI64Type()), get("deferred_first", b.getI64Type()));
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), steps);
}

Value OptimizerEmitter::stepNumbers(const ProgramLayout::Deferred &d, Value step) {
  int64_t place = layout.historyOffset + static_cast<int64_t>(&d - layout.deferred.data()) * stepBytes;
  return viewAt("deferred", scaled(step, static_cast<int64_t>(layout.deferred.size()) * stepBytes, place),
                MemRefType::get({4}, b.getF32Type()));
}

void OptimizerEmitter::rememberStep(const OptimizerRule::Scalars &scalars, const ProgramLayout::Deferred &d) {
  OptimizerRule::Scalars kept = scalars;
  kept.scale = Value();
  storeScalars(kept, stepNumbers(d, stepsDeferred()));
}

SmallVector<Value> OptimizerEmitter::placesOfRow(const OptimizerRule &rule, const ProgramLayout::Parameter &p, Value id) {
  Type type = MemRefType::get({p.width()}, b.getF32Type());
  SmallVector<Value> places{viewAt("parameters", scaled(id, p.width() * 4, p.offset * 4), type)};
  for (size_t m = 0; m < rule.moments().size(); ++m) {
    int64_t first = layout.momentOffset(layout.objectives[p.objective], m) + p.offset;
    places.push_back(viewAt("states", scaled(id, p.width() * 4, first * 4), type));
  }
  return places;
}

void OptimizerEmitter::emitMissedSteps(const OptimizerRule &rule, const ProgramLayout::Deferred &d, Value from, Value to,
                                       ArrayRef<Value> places) {
  const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
  forRange(from, to, [&](Value step) {
    OptimizerRule::Scalars scalars = loadScalars(rule, stepNumbers(d, step));
    if (rule.clip > 0) {
      scalars.scale = constantF32(1); // of a gradient of zero
    }
    emitUpdate(rule, scalars, p.decays ? rule.decay : 0, Value(), places);
  });
}

void OptimizerEmitter::emit(nn::RefreshOp refresh) {
  const ProgramLayout::Deferred &d = layout.deferredTable(refresh.getName());
  const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
  const RowsRead &read = plan.rowsRead.find(refresh.getName())->second;
  OptimizerRule rule(refresh->getAttrOfType<DictionaryAttr>("kernel.optimizer"));
  SmallVector<Value> arguments{rowView(bufferOf(refresh.getIds()), {}, 1)};
  addRows(arguments, nn::rowsOf(refresh.getIds().getType()));
  arguments.append({constantI64(p.rows()), rowView(read.groups, {}, 1)});
  call("group_rows", arguments);
  if (rule.rests(p.decays ? rule.decay : 0)) {
    return; // nothing was missed
  }
  auto count = [&] { return countOfRead(read); };
  parallel(workOfRead(read, count), [&](Value begin, Value end) {
    Value now = stepsDeferred();
    forRange(begin, end, [&](Value number) {
      Value id = idOfRead(read, number);
      Value since = loadIndex("deferred", scaled(id, 4, d.offset));
      emitMissedSteps(rule, d, since, now, placesOfRow(rule, p, id));
    });
  });
}

void OptimizerEmitter::emit(nn::RowGradientOp gradient) {
  const RowsRead &read = plan.rowsRead.find(gradient.getName())->second;
  nn::RowsOf rows = nn::rowsOf(gradient.getIds().getType());
  bool perRecord = !(nn::rowsOf(gradient.getCotangent().getType()) == rows);
  Value from = perRecord ? get("row_parent", bytesType(), axisOf(rows)) : nullPointer();
  SmallVector<Value> arguments;
  addPool(arguments);
  arguments.append({rowView(read.groups, {}, 1), from, rowView(bufferOf(gradient.getCotangent()), {}, 1)});
  addRows(arguments, rows);
  arguments.append({constantI64(read.gradient.width), rowView(read.gradient, {}, 1)});
  call("grouped_gradient", arguments);
}

Work OptimizerEmitter::workOfRead(const RowsRead &read, llvm::function_ref<Value()> count) const {
  return {plan.memory.sectionOf(read.gradient.axis), 0, count, grain, read.gradient.width};
}

void OptimizerEmitter::deferredSquares(const ProgramLayout::Deferred &d) {
  const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
  const RowsRead &read = plan.rowsRead.find(p.name)->second;
  auto count = [&] { return countOfRead(read); };
  parallel(workOfRead(read, count), [&](Value begin, Value end) {
    forRange(begin, end, [&](Value number) {
      Value squares = sumOfSquares(rowView(read.gradient, number, p.width()), constant(p.width()));
      storeScalar(squares, rowView(read.partials, number, 1));
    });
  });
}

void OptimizerEmitter::storeStep(const ProgramLayout::Deferred &d, Value id, Value step) {
  Value cell = viewAt("deferred", scaled(id, 4, d.offset), MemRefType::get({1}, b.getI32Type()));
  storeScalar(arith::IndexCastOp::create(b, loc, b.getI32Type(), step), cell);
}

void OptimizerEmitter::emitDeferredUpdate(const OptimizerRule &rule, const ProgramLayout::Deferred &d,
                                          llvm::function_ref<OptimizerRule::Scalars()> load) {
  const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
  const RowsRead &read = plan.rowsRead.find(p.name)->second;
  auto count = [&] { return countOfRead(read); };
  parallel(workOfRead(read, count), [&](Value begin, Value end) {
    OptimizerRule::Scalars scalars = load();
    Value next = arith::AddIOp::create(b, loc, stepsDeferred(), constant(1));
    forRange(begin, end, [&](Value number) {
      Value id = idOfRead(read, number);
      emitUpdate(rule, scalars, p.decays ? rule.decay : 0, rowView(read.gradient, number, p.width()), placesOfRow(rule, p, id));
      storeStep(d, id, next);
    });
  });
}

void OptimizerEmitter::settleRow(const OptimizerRule &rule, const ProgramLayout::Deferred &d, Value now, Value id) {
  const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
  double decay = p.decays ? rule.decay : 0;
  Value since = loadIndex("deferred", scaled(id, 4, d.offset));
  SmallVector<Value> places = placesOfRow(rule, p, id);
  if (!rule.restsWithoutMoments(decay)) {
    emitMissedSteps(rule, d, since, now, places);
    storeStep(d, id, constant(0));
    return;
  }
  // A row that never had a gradient only decays: its moments are zero, bit for bit.
  Value bits = fold(constant(p.width()), constantI32(0), Combine::bitOr, [&](Value any, Value place) {
    for (Value moment : ArrayRef(places).drop_front()) {
      any = arith::OrIOp::create(b, loc, any, arith::BitcastOp::create(b, loc, b.getI32Type(), loadAt(moment, place)));
    }
    return any;
  });
  Value moved = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, bits, constantI32(0));
  auto branch = scf::IfOp::create(b, loc, moved, /*withElseRegion=*/decay != 0);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitMissedSteps(rule, d, since, now, places);
  if (decay != 0) {
    b.setInsertionPointToStart(branch.elseBlock());
    forRange(since, now, [&](Value step) {
      Value rate = loadScalars(rule, stepNumbers(d, step)).rate;
      elementwise({}, places[0], [&](OpBuilder &n, Location, ValueRange args, llvm::function_ref<Value()>) -> SmallVector<Value> {
        return {rule.decayed(n, loc, args[0], rate, decay)};
      });
    });
  }
  b.setInsertionPointAfter(branch);
  storeStep(d, id, constant(0));
}

void OptimizerEmitter::emit(nn::SettleOp settle) {
  OptimizerRule rule(settle.getOptimizer());
  for (const ProgramLayout::Deferred &d : layout.deferredOf(layout.objectiveOf(settle))) {
    const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
    parallel(p.rows(), 2 * grain, p.width(), [&](Value begin, Value end) {
      Value now = stepsDeferred();
      forRange(begin, end, [&](Value id) { settleRow(rule, d, now, id); });
    });
  }
}

} // namespace penstock
