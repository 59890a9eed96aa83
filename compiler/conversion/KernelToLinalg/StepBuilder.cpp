#include "compiler/conversion/KernelToLinalg/StepBuilder.h"

#include <utility>

using namespace mlir;

namespace penstock {

Value f32Constant(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(value)));
}

StepBuilder::StepBuilder(const StepContext &context)
    : layout(context.layout), plan(context.plan), shape(context.shape), module(context.module), b(context.b), loc(context.loc),
      execution(context.execution), blockBytes(context.workerBytes) {
  beginScope();
}

void StepBuilder::beginScope() { scope.end = arith::ConstantIndexOp::create(b, loc, 0); }

//===--- numbers, and what the call holds -----------------------------------------------------------------------------===//

Value StepBuilder::constantI64(int64_t value) { return arith::ConstantIntOp::create(b, loc, b.getI64Type(), value); }
Value StepBuilder::constantI32(int64_t value) { return arith::ConstantIntOp::create(b, loc, b.getI32Type(), value); }
Value StepBuilder::nullPointer() { return LLVM::ZeroOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext())); }
Value StepBuilder::pool() { return get("pool", LLVM::LLVMPointerType::get(b.getContext())); }
Value StepBuilder::asI64(Value index) { return arith::IndexCastOp::create(b, loc, b.getI64Type(), index); }

Value StepBuilder::get(StringRef what, Type type, int64_t index) {
  auto key = std::make_pair(Attribute(b.getStringAttr(what)), index);
  Value &value = scope.gets[key];
  if (!value) {
    OpBuilder::InsertionGuard guard(b);
    insertAtScope();
    value = kernel::GetOp::create(b, loc, type, what, index, Value());
  }
  return value;
}

Value StepBuilder::number(unsigned place, Type type) {
  Value &value = scope.numbers[{type, place}];
  if (!value) {
    OpBuilder::InsertionGuard guard(b);
    insertAtScope();
    value = kernel::NumberOp::create(b, loc, type, place);
  }
  return value;
}

unsigned StepBuilder::placeOf(StepShape::Kind kind, int64_t value) {
  std::optional<unsigned> place = shape.placeOf(kind, value);
  unnamedNumber |= !place;
  return place.value_or(0);
}

Value StepBuilder::handle(FlatSymbolRefAttr symbol) {
  unsigned place = placeOf(StepShape::Kind::handle, layout.handleIndex.lookup(symbol.getValue()));
  auto key = std::make_pair(Attribute(b.getStringAttr("handle")), static_cast<int64_t>(place));
  if (Value known = scope.gets.lookup(key)) {
    return known;
  }
  Value index = number(place, b.getI64Type());
  OpBuilder::InsertionGuard guard(b);
  insertAtScope();
  return scope.gets[key] = kernel::GetOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), "handle", 0, index);
}

// Of a slot: its two numbers stand from `place` on.
Value StepBuilder::offsetAt(unsigned place, int axis) {
  if (Value known = scope.offsets.lookup(place)) {
    return known;
  }
  Type index = b.getIndexType();
  Value sum = number(place, index);
  if (axis >= 0) {
    const int part = plan.memory.sectionOf(axis);
    Value rows = get("capacity", index, part), section = get("section", index, part), bytes = number(place + 1, index);
    OpBuilder::InsertionGuard guard(b);
    insertAtScope();
    sum = arith::AddIOp::create(b, loc, sum, arith::AddIOp::create(b, loc, section, arith::MulIOp::create(b, loc, rows, bytes)));
  }
  return scope.offsets[place] = sum;
}

Value StepBuilder::constant(int64_t value) {
  Value &known = scope.constants[value];
  if (!known) {
    OpBuilder::InsertionGuard guard(b);
    insertAtScope();
    known = arith::ConstantIndexOp::create(b, loc, value);
  }
  return known;
}

Value StepBuilder::constantF32(double value) {
  Value &known = scope.floats[llvm::bit_cast<uint32_t>(static_cast<float>(value))];
  if (!known) {
    OpBuilder::InsertionGuard guard(b);
    insertAtScope();
    known = f32Constant(b, loc, value);
  }
  return known;
}

Value StepBuilder::rowsOfBuffer(const nn::RowsOf &rows) {
  switch (rows.kind) {
  case nn::RowsOf::Kind::axis:
    return get("rows", b.getIndexType(), axisOf(rows));
  case nn::RowsOf::Kind::records:
    return get("records", b.getIndexType());
  case nn::RowsOf::Kind::fixed:
    return constant(rows.rows);
  }
  return {};
}

MemRefType StepBuilder::bytesType() { return MemRefType::get({ShapedType::kDynamic}, b.getI8Type()); }

Value StepBuilder::base(const Buffer &buffer) {
  Type bytes = bytesType();
  switch (buffer.kind) {
  case Buffer::Kind::parameter:
    return get("parameters", bytes);
  case Buffer::Kind::state:
    return get("states", bytes);
  case Buffer::Kind::fitted:
    return get("fitted", bytes);
  case Buffer::Kind::input:
    return get("input", bytes, buffer.index);
  case Buffer::Kind::output:
    return get("output", bytes, buffer.index);
  case Buffer::Kind::worker:
    return get(execution.scratchInArena() ? "arena" : "shared", bytes);
  case Buffer::Kind::arena:
    return get("arena", bytes);
  }
  return {};
}

Value StepBuilder::byteOffset(const Buffer &buffer) {
  switch (buffer.kind) {
  case Buffer::Kind::parameter:
  case Buffer::Kind::state:
  case Buffer::Kind::fitted: {
    Value offset = number(StepShape::Kind::offset, buffer.offset, b.getIndexType());
    if (buffer.stride != 0) {
      offset.getDefiningOp()->setAttr("kernel.unaligned", b.getUnitAttr()); // columns may begin anywhere
    }
    return offset;
  }
  case Buffer::Kind::input:
  case Buffer::Kind::output:
    return constant(0);
  case Buffer::Kind::arena:
    return buffer.slot < 0 ? number(StepShape::Kind::offset, buffer.offset, b.getIndexType())
                           : offsetAt(placeOf(StepShape::Kind::slot, buffer.slot), buffer.axis);
  case Buffer::Kind::worker:
    break;
  }
  if (!execution.scratchInArena()) {
    return scaledBytes(get("team_shared", b.getIndexType()), scope.worker, buffer.offset + execution.reservedBytes());
  }
  // Outside of a parallel body the calling thread has the first worker's scratch.
  // Of a device the unit is that of this step's teams: the size that the numbers say is that of all.
  Value begin = number(StepShape::scratchBegin, b.getIndexType());
  Value size = layout.onDevice ? get("team_shared", b.getIndexType()) : number(StepShape::scratchSize, b.getIndexType());
  Value section = get("section", b.getIndexType(), plan.memory.workersSection());
  Value offset = constant(buffer.offset);
  OpBuilder::InsertionGuard guard(b);
  insertAtScope();
  begin = arith::AddIOp::create(b, loc, begin, section);
  if (scope.worker) {
    begin = arith::AddIOp::create(b, loc, begin, arith::MulIOp::create(b, loc, scope.worker, size));
  }
  return arith::AddIOp::create(b, loc, begin, offset);
}

/// unit * number + plus, for a scope's whole length.
Value StepBuilder::scaledBytes(Value unit, Value number, int64_t plus) {
  Value more = constant(plus);
  OpBuilder::InsertionGuard guard(b);
  insertAtScope();
  return arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, unit, number), more);
}

Value StepBuilder::rowView(const Buffer &buffer, Value at, int64_t width) {
  Value offset = byteOffset(buffer);
  if (at) {
    Value scaled = arith::MulIOp::create(b, loc, at, constant(buffer.rowBytes()));
    offset = arith::AddIOp::create(b, loc, offset, scaled);
  }
  return memref::ViewOp::create(b, loc, MemRefType::get({width}, buffer.element), base(buffer), offset, ValueRange());
}

Value StepBuilder::axisArray(StringRef what, const nn::RowsOf &rows, Value at, Type elementType) {
  Value array = get(what, bytesType(), rows.kind == nn::RowsOf::Kind::axis ? axisOf(rows) : 0);
  Value offset = arith::MulIOp::create(b, loc, at, constant(elementType.getIntOrFloatBitWidth() / 8));
  Value cell = memref::ViewOp::create(b, loc, MemRefType::get({1}, elementType), array, offset, ValueRange());
  return loadScalar(cell);
}

Value StepBuilder::loadAt(Value memory, Value place) { return memref::LoadOp::create(b, loc, memory, ValueRange{place}); }

Value StepBuilder::scaled(Value index, int64_t factor, int64_t plus) {
  Value product = arith::MulIOp::create(b, loc, index, constant(factor));
  return plus == 0 ? product : arith::AddIOp::create(b, loc, product, constant(plus)).getResult();
}

//===--- calls and loops ----------------------------------------------------------------------------------------------===//

void StepBuilder::call(StringRef kernel, ValueRange operands) {
  SmallVector<Value> arguments(operands);
  if (layout.onDevice) {
    arguments.push_back(constantI32(layout.precision));
  }
  kernel::CallOp::create(b, loc, kernel, arguments, layout.onDevice);
}

void StepBuilder::forRange(Value from, Value to, llvm::function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, loc, from, to, constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

void StepBuilder::parallel(int64_t count, int64_t grain, int64_t width, Execution::Body body) {
  auto all = [&] { return constant(count); };
  parallel({-1, count, all, grain, width}, body);
}

Work StepBuilder::workOver(const nn::RowsOf &rows, int64_t width, llvm::function_ref<Value()> count, int64_t grain) const {
  const int axis = axisOf(rows);
  return {axis < 0 ? -1 : plan.memory.sectionOf(axis), axis < 0 ? rows.rows : 0, count, grain, width};
}

void StepBuilder::inScope(Block &body, Value worker, llvm::function_ref<void()> write) {
  OpBuilder::InsertionGuard guard(b);
  Scope around = std::move(scope);
  scope = Scope();
  b.setInsertionPointToStart(&body);
  beginScope();
  scope.worker = worker;
  write();
  scope = std::move(around);
}

//===--- on the CPU ---------------------------------------------------------------------------------------------------===//

namespace {

class HostExecution final : public Execution {
public:
  void parallel(StepBuilder &at, const Work &work, Body body) override {
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    auto op = kernel::ParallelOp::create(b, loc, work.count(), work.grain);
    Block &block = op.getBody().emplaceBlock();
    Type index = b.getIndexType();
    block.addArguments({index, index, index}, {loc, loc, loc});
    at.inScope(block, block.getArgument(2), [&] { body(block.getArgument(0), block.getArgument(1)); });
  }
  void serial(StepBuilder &, llvm::function_ref<void()> body) override { body(); }
  void betweenRows(StepBuilder &) override {}

  void elementwise(StepBuilder &at, ValueRange ins, ValueRange outs, Element body) override {
    OpBuilder &b = at.builder();
    SmallVector<AffineMap> maps(ins.size() + outs.size(), b.getMultiDimIdentityMap(1));
    linalg::GenericOp::create(b, at.where(), ins, outs, maps, ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
                              [&](OpBuilder &nested, Location l, ValueRange elements) {
                                Value place;
                                auto index = [&]() -> Value {
                                  if (!place) {
                                    place = linalg::IndexOp::create(nested, l, 0);
                                  }
                                  return place;
                                };
                                linalg::YieldOp::create(nested, l, body(nested, l, elements, index));
                              });
  }

  Value fold(StepBuilder &at, Value count, Value initial, Combine, Fold step) override {
    OpBuilder &b = at.builder();
    auto loop = scf::ForOp::create(b, at.where(), at.constant(0), count, at.constant(1), ValueRange{initial});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(b, at.where(), ValueRange{step(loop.getRegionIterArg(0), loop.getInductionVar())});
    return loop.getResult(0);
  }

  void fill(StepBuilder &at, Value number, Value memory) override { linalg::FillOp::create(at.builder(), at.where(), number, memory); }
  void storeScalar(StepBuilder &at, Value value, Value memory, Value place) override {
    memref::StoreOp::create(at.builder(), at.where(), value, memory, ValueRange{place});
  }
  void addScalar(StepBuilder &at, Value value, Value memory) override {
    Value sum = arith::AddFOp::create(at.builder(), at.where(), at.loadAt(memory, at.constant(0)), value);
    storeScalar(at, sum, memory, at.constant(0));
  }
  void dropoutRow(StepBuilder &at, Value mask, int64_t width, ValueRange counters, double p) override {
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    SmallVector<Value> arguments{mask, arith::ConstantIntOp::create(b, loc, b.getI64Type(), width)};
    llvm::append_range(arguments, counters);
    arguments.push_back(f32Constant(b, loc, p));
    kernel::CallOp::create(b, loc, "dropout_row", arguments, /*device=*/false);
  }
};

} // namespace

std::unique_ptr<Execution> hostExecution() { return std::make_unique<HostExecution>(); }

} // namespace penstock
