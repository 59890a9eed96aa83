// Tables of which a step touches only the rows that it reads (transforms/DeferRows.h).
//
// The memory of PenstockCall.deferred holds for every such table, and every row of it, the step up to which the row was
// updated, counted from `deferred_first`; and the numbers that each step since then had in common. All of it is zero after
// @settle. A step that passed a row by is made up for by the same element-wise code with a gradient of zero.

#include "compiler/conversion/KernelToLinalg/EntryEmitter.h"
#include "compiler/conversion/KernelToLinalg/Optimizer.h"

using namespace mlir;

namespace penstock {

// What penstock_group_rows writes: the number of different ids, at byte 64 the ids in order, then where the rows of each begin
// and the rows themselves.
static constexpr int64_t groupsBytes = 128, groupsBytesPerRow = 12, idsAt = 64;
static constexpr int64_t stepBytes = 16; // of one table in one step
static constexpr int64_t grain = 8;

void EntryEmitter::planRefresh(nn::RefreshOp refresh) {
  auto reserve = [&](int64_t constantBytes, int64_t bytesPerRow) {
    nn::RowsOf rows = nn::rowsOf(refresh.getIds().getType());
    Extent extent{constantBytes, bytesPerRow, plan.axisOf(rows)};
    if (extent.axis < 0) {
      extent = {constantBytes + rows.rows * bytesPerRow, 0, -1};
    }
    Buffer buffer;
    buffer.slot = plan.allocate(extent); // until the end of the step
    buffer.element = Float32Type::get(refresh.getContext());
    return buffer;
  };
  const ProgramLayout::Parameter &p = layout.parameter(refresh.getName());
  RowsRead &read = rowsRead[refresh.getName()];
  read.ids = refresh.getIds();
  read.groups = reserve(groupsBytes, groupsBytesPerRow);
  read.gradient = reserve(64, p.width() * 4);
  read.gradient.width = p.width();
  read.partials = reserve(64, 4);
  read.partials.width = 1;
}

Value EntryEmitter::loadIndex(StringRef what, Value offset) {
  Value cell = viewAt(what, offset, MemRefType::get({1}, b.getI32Type()));
  Value number = memref::LoadOp::create(b, loc, cell, ValueRange{constant(0)});
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), number);
}

Value EntryEmitter::countOfRead(const RowsRead &read) { return loadIndex("arena", byteOffset(read.groups)); }

Value EntryEmitter::idOfRead(const RowsRead &read, Value number) {
  return loadIndex("arena", arith::AddIOp::create(b, loc, byteOffset(read.groups), scaled(number, 4, idsAt)));
}

/// Steps since `deferred_first`.
Value EntryEmitter::stepsDeferred() {
  Value steps = arith::SubIOp::create(b, loc, get("step", b.getI64Type()), get("deferred_first", b.getI64Type()));
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), steps);
}

Value EntryEmitter::stepNumbers(const ProgramLayout::Deferred &d, Value step) {
  int64_t place = layout.historyOffset + static_cast<int64_t>(&d - layout.deferred.data()) * stepBytes;
  return viewAt("deferred", scaled(step, static_cast<int64_t>(layout.deferred.size()) * stepBytes, place),
                MemRefType::get({4}, b.getF32Type()));
}

void EntryEmitter::rememberStep(const OptimizerRule::Scalars &scalars, const ProgramLayout::Deferred &d) {
  OptimizerRule::Scalars kept = scalars;
  kept.scale = Value();
  storeScalars(kept, stepNumbers(d, stepsDeferred()));
}

SmallVector<Value> EntryEmitter::placesOfRow(const OptimizerRule &rule, const ProgramLayout::Parameter &p, Value id) {
  Type type = MemRefType::get({p.width()}, b.getF32Type());
  SmallVector<Value> places{viewAt("parameters", scaled(id, p.width() * 4, p.offset * 4), type)};
  for (size_t m = 0; m < rule.moments().size(); ++m) {
    int64_t first = static_cast<int64_t>(m) * layout.trainedElements + p.offset;
    places.push_back(viewAt("states", scaled(id, p.width() * 4, first * 4), type));
  }
  return places;
}

void EntryEmitter::emitMissedSteps(const OptimizerRule &rule, const ProgramLayout::Deferred &d, Value from, Value to,
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

void EntryEmitter::emitRefresh(nn::RefreshOp refresh) {
  const ProgramLayout::Deferred &d = layout.deferredTable(refresh.getName());
  const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
  const RowsRead &read = rowsRead[refresh.getName()];
  OptimizerRule rule(*source.getOps<nn::ApplyOp>().begin());
  auto i64 = [&](int64_t v) -> Value { return arith::ConstantIntOp::create(b, loc, b.getI64Type(), v); };
  call("penstock_group_rows",
       {rowView(buffers[read.ids], {}, 1), rowsOfBuffer(nn::rowsOf(read.ids.getType())), i64(p.rows()), rowView(read.groups, {}, 1)});
  parallel(countOfRead(read), grain, [&](Value begin, Value end) {
    Value now = stepsDeferred();
    forRange(begin, end, [&](Value number) {
      Value id = idOfRead(read, number);
      Value since = loadIndex("deferred", scaled(id, 4, d.offset));
      emitMissedSteps(rule, d, since, now, placesOfRow(rule, p, id));
    });
  });
}

void EntryEmitter::emitRowGradient(nn::RowGradientOp gradient) {
  const RowsRead &read = rowsRead[gradient.getName()];
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  nn::RowsOf rows = nn::rowsOf(read.ids.getType());
  bool perRecord = !(nn::rowsOf(gradient.getCotangent().getType()) == rows);
  Value from = perRecord ? get("row_record", bytes, plan.axisOf(rows)) : LLVM::ZeroOp::create(b, loc, pointer).getResult();
  call("penstock_grouped_gradient",
       {get("pool", pointer), rowView(read.groups, {}, 1), from, rowView(buffers[gradient.getCotangent()], {}, 1), rowsOfBuffer(rows),
        arith::ConstantIntOp::create(b, loc, b.getI64Type(), read.gradient.width), rowView(read.gradient, {}, 1)});
}

Value EntryEmitter::sumDeferredSquares(Value sum, const ProgramLayout::Deferred &d) {
  const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
  const RowsRead &read = rowsRead[p.name];
  parallel(countOfRead(read), grain, [&](Value begin, Value end) {
    forRange(begin, end, [&](Value number) {
      Value squares = sumOfSquares(rowView(read.gradient, number, p.width()), constant(p.width()));
      memref::StoreOp::create(b, loc, squares, rowView(read.partials, number, 1), ValueRange{constant(0)});
    });
  });
  return sumOfPartials(sum, read.partials, constant(0), countOfRead(read));
}

void EntryEmitter::storeStep(const ProgramLayout::Deferred &d, Value id, Value step) {
  Value cell = viewAt("deferred", scaled(id, 4, d.offset), MemRefType::get({1}, b.getI32Type()));
  memref::StoreOp::create(b, loc, arith::IndexCastOp::create(b, loc, b.getI32Type(), step), cell, ValueRange{constant(0)});
}

void EntryEmitter::emitDeferredUpdate(const OptimizerRule &rule, const ProgramLayout::Deferred &d,
                                      llvm::function_ref<OptimizerRule::Scalars()> load) {
  const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
  const RowsRead &read = rowsRead[p.name];
  parallel(countOfRead(read), grain, [&](Value begin, Value end) {
    OptimizerRule::Scalars scalars = load();
    Value next = arith::AddIOp::create(b, loc, stepsDeferred(), constant(1));
    forRange(begin, end, [&](Value number) {
      Value id = idOfRead(read, number);
      emitUpdate(rule, scalars, p.decays ? rule.decay : 0, rowView(read.gradient, number, p.width()), placesOfRow(rule, p, id));
      storeStep(d, id, next);
    });
  });
}

void EntryEmitter::emitSettle(nn::SettleOp settle) {
  OptimizerRule rule(settle.getOptimizer());
  for (const ProgramLayout::Deferred &d : layout.deferred) {
    const ProgramLayout::Parameter &p = layout.parameters[d.parameter];
    double decay = p.decays ? rule.decay : 0;
    parallel(constant(p.rows()), 2 * grain, [&](Value begin, Value end) {
      Value now = stepsDeferred();
      forRange(begin, end, [&](Value id) {
        Value since = loadIndex("deferred", scaled(id, 4, d.offset));
        SmallVector<Value> places = placesOfRow(rule, p, id);
        if (!rule.restsWithoutMoments(decay)) {
          emitMissedSteps(rule, d, since, now, places);
          storeStep(d, id, constant(0));
          return;
        }
        // A row that never had a gradient only decays: its moments are zero, bit for bit.
        auto loop = scf::ForOp::create(b, loc, constant(0), constant(p.width()), constant(1),
                                       ValueRange{arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0)});
        {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToStart(loop.getBody());
          Value any = loop.getRegionIterArg(0);
          for (Value moment : ArrayRef(places).drop_front()) {
            Value x = memref::LoadOp::create(b, loc, moment, ValueRange{loop.getInductionVar()});
            any = arith::OrIOp::create(b, loc, any, arith::BitcastOp::create(b, loc, b.getI32Type(), x));
          }
          scf::YieldOp::create(b, loc, ValueRange{any});
        }
        Value moved = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, loop.getResult(0),
                                            arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0));
        auto branch = scf::IfOp::create(b, loc, moved, /*withElseRegion=*/decay != 0);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(branch.thenBlock());
        emitMissedSteps(rule, d, since, now, places);
        if (decay != 0) {
          b.setInsertionPointToStart(branch.elseBlock());
          forRange(since, now, [&](Value step) {
            Value rate = loadScalars(rule, stepNumbers(d, step)).rate;
            linalg::GenericOp::create(b, loc, ValueRange{}, ValueRange{places[0]}, ArrayRef<AffineMap>{b.getMultiDimIdentityMap(1)},
                                      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
                                      [&](OpBuilder &n, Location, ValueRange args) {
                                        linalg::YieldOp::create(n, loc, rule.decayed(n, loc, args[0], rate, decay));
                                      });
          });
        }
        b.setInsertionPointAfter(branch);
        storeStep(d, id, constant(0));
      });
    });
  }
}

} // namespace penstock
