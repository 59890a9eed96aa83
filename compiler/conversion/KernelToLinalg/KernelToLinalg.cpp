#include "compiler/conversion/KernelToLinalg/KernelToLinalg.h"

#include "compiler/conversion/KernelToLinalg/EntryEmitter.h"
#include "compiler/conversion/KernelToLinalg/ProgramInputs.h"
#include "compiler/conversion/KernelToLinalg/StepWork.h"
#include "compiler/conversion/Passes.h"
#include "compiler/transforms/FormRegions.h"
#include "runtime/abi/program_abi.h"

#include <algorithm>

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_KERNELTOLINALGPASS
#include "compiler/conversion/Passes.h.inc"

//===--- views ------------------------------------------------------------------------------------------------------===//

void EntryEmitter::beginScope(Location location) {
  prologueEnd = arith::ConstantIndexOp::create(b, location, 0);
  scopeGets.clear();
  scopePlaces.clear();
  scopeOffsets.clear();
  scopeConstants.clear();
  scopeNumbers.clear();
  worker = Value();
}

Value EntryEmitter::get(StringRef what, Type type, int64_t index) {
  auto key = std::make_pair(Attribute(b.getStringAttr(what)), index);
  Value &value = scopeGets[key];
  if (!value) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(prologueEnd);
    value = kernel::GetOp::create(b, loc, type, what, index, Value());
  }
  return value;
}

Value EntryEmitter::number(unsigned place, Type type) {
  Value &value = scopePlaces[{type, place}];
  if (!value) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(prologueEnd);
    value = kernel::NumberOp::create(b, loc, type, place);
  }
  return value;
}

unsigned EntryEmitter::placeOf(StepShape::Kind kind, int64_t value) {
  std::optional<unsigned> place = shape->placeOf(kind, value);
  unnamedNumber |= !place;
  return place.value_or(0);
}

Value EntryEmitter::handle(FlatSymbolRefAttr symbol) {
  unsigned place = placeOf(StepShape::Kind::handle, layout.handleIndex.lookup(symbol.getValue()));
  auto key = std::make_pair(Attribute(b.getStringAttr("handle")), static_cast<int64_t>(place));
  if (Value known = scopeGets.lookup(key)) {
    return known;
  }
  Value index = number(place, b.getI64Type());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(prologueEnd);
  return scopeGets[key] = kernel::GetOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), "handle", 0, index);
}

Value EntryEmitter::offsetAt(unsigned place) {
  if (Value known = scopeOffsets.lookup(place)) {
    return known;
  }
  Type index = b.getIndexType();
  SmallVector<Value> rows, scales;
  unsigned axes = static_cast<unsigned>(layout.table.axes.size());
  Value sum = number(place, index);
  for (unsigned axis = 0; axis <= axes; ++axis) {
    rows.push_back(axis == axes ? get("records16", index) : get("rows16", index, axis));
    scales.push_back(number(place + 1 + axis, index));
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(prologueEnd);
  for (auto [row, scale] : llvm::zip(rows, scales)) {
    sum = arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, row, scale));
  }
  return scopeOffsets[place] = sum;
}

Value EntryEmitter::constant(int64_t value) {
  Value &known = scopeConstants[value];
  if (!known) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(prologueEnd);
    known = arith::ConstantIndexOp::create(b, loc, value);
  }
  return known;
}

Value EntryEmitter::constantF32(double value) {
  Value &known = scopeNumbers[llvm::bit_cast<uint32_t>(static_cast<float>(value))];
  if (!known) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(prologueEnd);
    known = f32Constant(b, loc, value);
  }
  return known;
}

Value EntryEmitter::rowsOfBuffer(const nn::RowsOf &rows) {
  switch (rows.kind) {
  case nn::RowsOf::Kind::axis:
    return get("rows", b.getIndexType(), plan.axisOf(rows));
  case nn::RowsOf::Kind::records:
    return get("records", b.getIndexType());
  case nn::RowsOf::Kind::fixed:
    return constant(rows.rows);
  }
  return {};
}

// A function of the number of rows alone: sums over rows have one partial result a block.
Value EntryEmitter::blockSize(const nn::RowsOf &rows, int64_t most) {
  if (rows.kind == nn::RowsOf::Kind::fixed) {
    return constant(most);
  }
  Value total = rowsOfBuffer(rows);
  Value rounds = arith::CeilDivUIOp::create(b, loc, total, constant(most * blockPieces));
  Value pieces = arith::MaxUIOp::create(b, loc, arith::MulIOp::create(b, loc, rounds, constant(blockPieces)), constant(1));
  Value even = arith::CeilDivUIOp::create(b, loc, total, pieces);
  return arith::MaxUIOp::create(b, loc, even, constant(leastBlockRows));
}

Value EntryEmitter::base(const Buffer &buffer) {
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  switch (buffer.kind) {
  case Buffer::Kind::parameter:
    return get("parameters", bytes);
  case Buffer::Kind::fitted:
    return get("fitted", bytes);
  case Buffer::Kind::input:
    return get("input", bytes, buffer.index);
  case Buffer::Kind::output:
    return get("output", bytes, buffer.index);
  case Buffer::Kind::arena:
  case Buffer::Kind::worker:
  case Buffer::Kind::row:
    return get("arena", bytes);
  }
  return {};
}

Value EntryEmitter::byteOffset(const Buffer &buffer) {
  switch (buffer.kind) {
  case Buffer::Kind::parameter:
  case Buffer::Kind::fitted:
    return number(placeOf(StepShape::Kind::offset, buffer.offset), b.getIndexType());
  case Buffer::Kind::input:
  case Buffer::Kind::output:
    return constant(0);
  case Buffer::Kind::arena:
    return buffer.slot < 0 ? number(placeOf(StepShape::Kind::offset, buffer.offset), b.getIndexType())
                           : offsetAt(placeOf(StepShape::Kind::slot, buffer.slot));
  case Buffer::Kind::worker:
  case Buffer::Kind::row:
    break;
  }
  // Outside of a parallel body the calling thread has the first worker's scratch.
  Value begin = offsetAt(StepShape::scratchBegin), size = number(StepShape::scratchSize, b.getIndexType());
  Value forRow = buffer.kind == Buffer::Kind::row ? number(StepShape::rowScratchBegin, b.getIndexType()) : Value();
  Value offset = constant(buffer.offset);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(prologueEnd);
  if (worker) {
    begin = arith::AddIOp::create(b, loc, begin, arith::MulIOp::create(b, loc, worker, size));
  }
  if (forRow) {
    begin = arith::AddIOp::create(b, loc, begin, forRow);
  }
  return arith::AddIOp::create(b, loc, begin, offset);
}

Value EntryEmitter::rowView(const Buffer &buffer, Value at, int64_t width, int64_t extra) {
  Value offset = byteOffset(buffer);
  if (at) {
    Value scaled = arith::MulIOp::create(b, loc, at, constant(std::max(buffer.width, buffer.stride) * 4));
    offset = arith::AddIOp::create(b, loc, offset, scaled);
  }
  if (extra != 0) {
    offset = arith::AddIOp::create(b, loc, offset, constant(extra));
  }
  return memref::ViewOp::create(b, loc, MemRefType::get({width}, buffer.element), base(buffer), offset, ValueRange());
}

// One number of an array of the batch: offsets, row_record, row_position of an axis, or record_numbers.
Value EntryEmitter::axisArray(StringRef what, const nn::RowsOf &rows, Value at, Type elementType) {
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  Value array = get(what, bytes, rows.kind == nn::RowsOf::Kind::axis ? plan.axisOf(rows) : 0);
  Value offset = arith::MulIOp::create(b, loc, at, constant(elementType.getIntOrFloatBitWidth() / 8));
  Value cell = memref::ViewOp::create(b, loc, MemRefType::get({1}, elementType), array, offset, ValueRange());
  return memref::LoadOp::create(b, loc, cell, ValueRange{constant(0)});
}

//===--- emission ---------------------------------------------------------------------------------------------------===//

void EntryEmitter::call(StringRef symbol, ValueRange operands) { kernel::CallOp::create(b, loc, symbol, operands); }

void EntryEmitter::forRange(Value from, Value to, llvm::function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, loc, from, to, constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

void EntryEmitter::parallel(Value count, int64_t grain, llvm::function_ref<void(Value, Value)> body) {
  auto op = kernel::ParallelOp::create(b, loc, count, grain);
  Block &block = op.getBody().emplaceBlock();
  Type index = b.getIndexType();
  block.addArguments({index, index, index}, {loc, loc, loc});
  OpBuilder::InsertionGuard guard(b);
  auto savedGets = scopeGets;
  auto savedPlaces = scopePlaces;
  auto savedOffsets = scopeOffsets;
  auto savedConstants = scopeConstants, savedNumbers = scopeNumbers;
  Operation *savedPrologue = prologueEnd;
  Value savedWorker = worker;
  b.setInsertionPointToStart(&block);
  beginScope(loc);
  worker = block.getArgument(2);
  body(block.getArgument(0), block.getArgument(1));
  scopeGets = savedGets;
  scopePlaces = savedPlaces;
  scopeOffsets = savedOffsets;
  scopeConstants = savedConstants;
  scopeNumbers = savedNumbers;
  prologueEnd = savedPrologue;
  worker = savedWorker;
}

void EntryEmitter::emitCopy(Value value, const Buffer &to) {
  // Small and rare: a parameter or constant handed out as it is.
  Value one = constant(1);
  Value rows = rowsOfBuffer(nn::rowsOf(value.getType()));
  rowValues.clear();
  scf::ForOp loop = scf::ForOp::create(b, loc, constant(0), rows, one);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  row = localRow = loop.getInductionVar();
  rowsHere = nn::rowsOf(value.getType());
  rowScratchOffset = 0;
  flush({{value, rowView(to, row, to.width)}});
}

/// Elements of a query of one head of an attention kernel.
static int64_t headWidth(kernel::InvokeOp attention) {
  int64_t width = nn::widthOf(attention.getOperands()[0].getType()) / attention->getAttrOfType<IntegerAttr>("heads").getInt();
  return attention.getKernel().starts_with("attention_first") ? width : width / 3; // of q | k | v
}

// Everything that the code of an op reads: what this leaves out must not decide anything in its emission.
StepShape EntryEmitter::shapeOf(Operation *op) {
  StepShape result(layout);
  auto bufferOf = [&](Value v) -> const Buffer * {
    auto it = buffers.find(v);
    return it == buffers.end() ? nullptr : &it->second;
  };
  if (auto region = dyn_cast<kernel::RowsOp>(op)) {
    RegionPlan &regionPlan = regions[op];
    result.add(region.getAxisAttr().getAsOpaquePointer());
    result.add(regionPlan.block);
    for (Operation &inner : region.getBody().front().without_terminator()) {
      result.addOp(&inner, bufferOf);
      if (auto it = regionPlan.partials.find(&inner); it != regionPlan.partials.end()) {
        result.addBuffer(it->second);
      }
    }
    return result;
  }
  auto invoke = dyn_cast<kernel::InvokeOp>(op);
  if (invoke || isa<kernel::PackOp>(op)) {
    result.addKernel(op, bufferOf);
    if (invoke && invoke.getKernel().starts_with("attention")) {
      result.addNumber(StepShape::Kind::count, headWidth(invoke));
    }
  } else {
    result.addOp(op, bufferOf);
  }
  if (auto it = scratches.find(op); it != scratches.end()) {
    result.addBuffer(it->second);
  }
  return result;
}

// The shape of a step that is like no other: its code holds the layout of the parameters, and it may read what is known of the rows
// of a deferred table.
StepShape EntryEmitter::ownShape(Operation *op) {
  StepShape result = shapeOf(op);
  result.add(static_cast<const void *>(op));
  for (auto &entry : rowsRead) {
    const RowsRead &read = entry.second;
    for (const Buffer &buffer : {read.groups, read.gradient, read.partials, buffers[read.ids]}) {
      result.addBuffer(buffer);
    }
  }
  return result;
}

LogicalResult EntryEmitter::step(Operation *op, StepShape stepShape, llvm::function_ref<LogicalResult()> emit) {
  auto [it, isNew] = codes.try_emplace(stepShape.text());
  StepCode &code = it->second;
  if (isNew) {
    code.function = "penstock_step_" + std::to_string(codes.size() - 1);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(source);
    Type pointer = LLVM::LLVMPointerType::get(b.getContext());
    auto function = func::FuncOp::create(b, loc, code.function, b.getFunctionType({pointer, pointer}, {}));
    function.setPrivate();
    b.setInsertionPointToStart(function.addEntryBlock());
    beginScope(loc);
    shape = &stepShape;
    rowScratchPeak = 0;
    if (failed(emit())) {
      return failure();
    }
    func::ReturnOp::create(b, loc);
    if (unnamedNumber) {
      return function.emitError("the code of a step reads a number that its shape does not name");
    }
    code.rowScratch = rowScratchPeak;
  }
  rowScratchEnd = std::max(rowScratchEnd, code.rowScratch);
  steps.push_back({code.function, std::move(stepShape), op});
  return success();
}

LogicalResult EntryEmitter::emitCopyStep(Operation *op, Value value, const Buffer &to) {
  auto it = buffers.find(value);
  if (it != buffers.end() && it->second.kind == to.kind && it->second.slot == to.slot && it->second.offset == to.offset &&
      it->second.index == to.index) {
    return success(); // computed in place
  }
  StepShape result(layout);
  result.add(op->getName().getAsOpaquePointer());
  result.addValue(value, it == buffers.end() ? nullptr : &it->second);
  result.addBuffer(to);
  return step(op, std::move(result), [&] {
    emitCopy(value, to);
    return success();
  });
}

LogicalResult EntryEmitter::emitOp(Operation &op) {
  loc = op.getLoc();
  if (isa<nn::ParameterOp, nn::InputOp, nn::ConstantOp, nn::RecordCountOp, nn::SliceOp, func::ReturnOp>(op)) {
    return success(); // a slice outside of a region is one of a parameter
  }
  if (auto region = dyn_cast<kernel::RowsOp>(op)) {
    return step(&op, shapeOf(&op), [&] { return emitRegion(region); });
  }
  if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
    return step(&op, shapeOf(&op), [&] { return emitInvoke(invoke); });
  }
  if (auto pack = dyn_cast<kernel::PackOp>(op)) {
    auto dispatch = module.lookup<kernel::DispatchOp>(pack.getHandle());
    StepShape packShape = shapeOf(&op);
    packShape.add(dispatch.getKernelAttr().getAsOpaquePointer());
    return step(&op, std::move(packShape), [&] {
      call(("penstock_" + dispatch.getKernel() + "_pack").str(), {handle(pack.getHandleAttr()), rowView(buffers[pack.getWeight()], {}, 1),
                                                                  get("pool", LLVM::LLVMPointerType::get(op.getContext()))});
      return success();
    });
  }
  Buffer to;
  to.element = b.getF32Type();
  if (auto gradient = dyn_cast<nn::GradientOp>(op)) {
    to.rows = nn::rowsOf(gradient.getGradient().getType());
    to.width = nn::widthOf(gradient.getGradient().getType());
    to.offset = layout.parameter(gradient.getName()).offset * 4;
    return emitCopyStep(&op, gradient.getGradient(), to);
  }
  if (auto output = dyn_cast<nn::OutputOp>(op)) {
    to.kind = Buffer::Kind::output;
    to.index = static_cast<int>(output.getIndex());
    to.rows = nn::rowsOf(output.getValue().getType());
    to.width = nn::widthOf(output.getValue().getType());
    return emitCopyStep(&op, output.getValue(), to);
  }
  if (auto apply = dyn_cast<nn::ApplyOp>(op)) {
    if (training && failed(emitFillGaps())) {
      return failure();
    }
    return step(&op, ownShape(&op), [&] {
      emitApply(apply);
      return success();
    });
  }
  if (isa<nn::AccumulateOp>(op)) {
    if (failed(emitFillGaps())) {
      return failure();
    }
    return step(&op, ownShape(&op), [&] {
      emitAccumulate();
      return success();
    });
  }
  if (auto refresh = dyn_cast<nn::RefreshOp>(op)) {
    return step(&op, ownShape(&op), [&] {
      emitRefresh(refresh);
      return success();
    });
  }
  if (auto gradient = dyn_cast<nn::RowGradientOp>(op)) {
    return step(&op, ownShape(&op), [&] {
      emitRowGradient(gradient);
      return success();
    });
  }
  if (auto settle = dyn_cast<nn::SettleOp>(op)) {
    return step(&op, ownShape(&op), [&] {
      emitSettle(settle);
      return success();
    });
  }
  return op.emitError("no code for this operation");
}

LogicalResult EntryEmitter::emitRegion(kernel::RowsOp region) {
  RegionPlan &regionPlan = regions[region];
  Operation &first = region.getBody().front().front();
  nn::RowsOf rows = iterationRows(&first);
  LogicalResult result = success();
  if (rows.kind == nn::RowsOf::Kind::fixed && rows.rows <= regionPlan.block) {
    result = emitBlock(region, regionPlan, constant(0), constant(rows.rows), constant(0));
  } else {
    Value blocks = arith::CeilDivUIOp::create(b, loc, rowsOfBuffer(rows), blockSize(rows, regionPlan.block));
    parallel(blocks, 1, [&](Value begin, Value end) {
      Value size = blockSize(rows, regionPlan.block), total = rowsOfBuffer(rows);
      forRange(begin, end, [&](Value block) {
        Value firstRow = arith::MulIOp::create(b, loc, block, size);
        Value last = arith::AddIOp::create(b, loc, firstRow, size);
        Value endRow = arith::MinUIOp::create(b, loc, last, total);
        result = emitBlock(region, regionPlan, firstRow, endRow, block);
      });
    });
  }
  if (failed(result)) {
    return failure();
  }
  for (Operation &op : region.getBody().front().without_terminator()) {
    if (auto it = regionPlan.partials.find(&op); it != regionPlan.partials.end()) {
      finishPartial(&op, it->second, regionPlan.block);
    }
  }
  return success();
}

LogicalResult EntryEmitter::emitBlock(kernel::RowsOp region, RegionPlan &regionPlan, Value firstRow, Value endRow, Value block) {
  for (Operation &op : region.getBody().front().without_terminator()) {
    if (auto it = regionPlan.partials.find(&op); it != regionPlan.partials.end()) {
      Value partial = rowView(it->second, block, it->second.width);
      linalg::FillOp::create(b, loc, constantF32(0), partial);
    }
  }
  for (Stage &stage : regionPlan.stages) {
    if (stage.rows) {
      if (failed(emitRowStage(regionPlan, stage, firstRow, endRow, block))) {
        return failure();
      }
      continue;
    }
    Value rows = arith::SubIOp::create(b, loc, endRow, firstRow);
    for (Operation *op : stage.ops) {
      loc = op->getLoc();
      if (failed(emitRowsKernel(cast<kernel::InvokeOp>(op), firstRow, rows))) {
        return failure();
      }
    }
  }
  return success();
}

static Value asI64(OpBuilder &b, Location loc, Value index) { return arith::IndexCastOp::create(b, loc, b.getI64Type(), index); }

LogicalResult EntryEmitter::emitRowsKernel(kernel::InvokeOp invoke, Value firstRow, Value rows) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto i64 = [&](int64_t v) -> Value { return arith::ConstantIntOp::create(b, loc, b.getI64Type(), v); };
  // Values of the worker's scratch begin at the block's first row.
  auto block = [&](Value v) {
    const Buffer &buffer = buffers[v];
    return rowView(buffer, buffer.kind == Buffer::Kind::worker ? Value() : firstRow, 1);
  };
  Value x = invoke.getOperands()[0], y = invoke.getResult(0);
  Value bias = invoke.getOperands().size() > 1 ? rowView(buffers[invoke.getOperands()[1]], {}, 1)
                                               : LLVM::ZeroOp::create(b, loc, pointer).getResult();
  call(kernel::findKernel(invoke.getKernel())->symbol,
       {handle(invoke.getHandleAttr()), block(x), i64(nn::widthOf(x.getType())), block(y), i64(nn::widthOf(y.getType())),
        asI64(b, loc, rows), bias, arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0)});
  return success();
}

LogicalResult EntryEmitter::emitInvoke(kernel::InvokeOp invoke) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  StringRef kernel = invoke.getKernel();
  const kernel::KernelRow *table = kernel::findKernel(kernel);
  auto i64 = [&](int64_t v) -> Value { return arith::ConstantIntOp::create(b, loc, b.getI64Type(), v); };
  // Sizes are numbers of the step: values of other widths go through the same code.
  auto size = [&](int64_t v) -> Value { return number(placeOf(StepShape::Kind::count, v), b.getI64Type()); };
  auto widthOf = [&](Value v) -> Value { return size(nn::widthOf(v.getType())); };
  auto countOf = [&](Value v) -> Value {
    nn::RowsOf rows = nn::rowsOf(v.getType());
    return rows.kind == nn::RowsOf::Kind::fixed ? size(rows.rows) : asI64(b, loc, rowsOfBuffer(rows));
  };
  auto i32 = [&](int64_t v) -> Value { return arith::ConstantIntOp::create(b, loc, b.getI32Type(), v); };
  auto at = [&](Value v) { return rowView(buffers[v], {}, 1); };
  auto operand = [&](unsigned i) { return at(invoke.getOperands()[i]); };
  auto result = [&](unsigned i) { return at(invoke.getResult(i)); };
  auto bias = [&](unsigned i) -> Value {
    return invoke.getOperands().size() > i ? operand(i) : LLVM::ZeroOp::create(b, loc, pointer).getResult();
  };
  auto handleOf = [&] { return handle(invoke.getHandleAttr()); };
  // The ragged axis that the kernel works along.
  nn::RowsOf rows;
  for (Value v : llvm::concat<Value>(invoke.getOperands(), invoke.getResults())) {
    if (isa<nn::RaggedType>(v.getType())) {
      rows = nn::rowsOf(v.getType());
      break;
    }
  }
  auto axis = [&] { return plan.axisOf(rows); };
  auto offsets = [&] { return get("offsets", bytes, axis()); };

  if (table->scope == kernel::Scope::whole) {
    Value pool = get("pool", pointer);
    if (kernel == "weight_gradient") {
      Value x = invoke.getOperands()[0], dy = invoke.getOperands()[1];
      call(table->symbol,
           {handleOf(), pool, at(x), widthOf(x), at(dy), widthOf(dy), countOf(x), result(0), rowView(scratches[invoke], {}, 1)});
    } else if (kernel == "conv1d_weight_grad") {
      call(table->symbol, {handleOf(), pool, operand(0), operand(1), offsets(), asI64(b, loc, get("records", b.getIndexType())), result(0),
                           rowView(scratches[invoke], {}, 1)});
    } else if (kernel == "conv1d_max_weight_grad") {
      call(table->symbol,
           {handleOf(), pool, operand(0), operand(1), operand(2), offsets(), asI64(b, loc, get("records", b.getIndexType())), result(0)});
    } else {
      auto shape = cast<RankedTensorType>(invoke.getResult(0).getType());
      bool positions = kernel == "position_rows_grad";
      auto of = invoke->getAttrOfType<StringAttr>("of"); // position or segment
      Value ids = positions ? get(("row_" + (of ? of.getValue() : "position")).str(), bytes, axis()) : operand(0);
      Value dy = positions ? operand(0) : operand(1);
      Value from = kernel == "bag_sum_grad" ? get("row_record", bytes, axis()) : LLVM::ZeroOp::create(b, loc, pointer).getResult();
      call(table->symbol, {pool, ids, from, dy, countOf(invoke.getOperands()[0]), size(shape.getDimSize(1)), size(shape.getDimSize(0)),
                           result(0), rowView(scratches[invoke], {}, 1)});
    }
    return success();
  }
  if (table->scope == kernel::Scope::rows) {
    return invoke.emitError("a row kernel stands outside a row region");
  }

  bool heavy = kernel.starts_with("attention") || kernel.starts_with("conv1d") || kernel.starts_with("crf_");
  parallel(get("records", b.getIndexType()), heavy ? 1 : 16, [&](Value beginIndex, Value endIndex) {
    Value begin = asI64(b, loc, beginIndex), end = asI64(b, loc, endIndex);
    auto scratch = [&] {
      Buffer buffer;
      buffer.kind = Buffer::Kind::worker;
      buffer.offset = 0;
      buffer.element = b.getF32Type();
      return rowView(buffer, {}, 1);
    };
    if (kernel.starts_with("attention")) {
      int64_t heads = invoke->getAttrOfType<IntegerAttr>("heads").getInt();
      auto dropoutAttr = invoke->getAttrOfType<FloatAttr>("dropout");
      auto keyAttr = invoke->getAttrOfType<IntegerAttr>("key");
      SmallVector<Value> arguments; // operands and results, in the order of the C functions
      for (Value v : llvm::concat<Value>(invoke.getOperands(), invoke.getResults())) {
        arguments.push_back(at(v));
      }
      arguments.append({offsets(), get("record_numbers", bytes), begin, end, i64(heads), size(headWidth(invoke)),
                        constantF32(dropoutAttr ? dropoutAttr.getValueAsDouble() : 0), get("seed", b.getI64Type()),
                        get("step", b.getI64Type()),
                        keyAttr ? number(placeOf(StepShape::Kind::randomKey, keyAttr.getInt()), b.getI64Type()) : i64(0), scratch()});
      call(table->symbol, arguments);
    } else if (kernel == "conv1d") {
      call(table->symbol, {handleOf(), operand(0), result(0), offsets(), begin, end, bias(1), scratch()});
    } else if (kernel == "conv1d_max") {
      call(table->symbol, {handleOf(), operand(0), offsets(), begin, end, bias(1), result(0), result(1), scratch()});
    } else if (kernel == "conv1d_input_grad") {
      call(table->symbol, {handleOf(), operand(0), result(0), offsets(), begin, end, i32(0), scratch()});
    } else if (kernel == "conv1d_max_input_grad") {
      call(table->symbol, {handleOf(), operand(0), operand(1), operand(2), result(0), offsets(), begin, end, i32(0)});
    } else if (kernel.starts_with("crf_")) {
      // Operands, where the records' rows and words are, and results, in the order of the C functions.
      SmallVector<Value> arguments;
      for (Value v : invoke.getOperands()) {
        arguments.push_back(at(v));
      }
      arguments.push_back(offsets());
      if (kernel == "crf_decode") {
        arguments.push_back(get("row_word", bytes, axis()));
      }
      arguments.append({begin, end, widthOf(invoke.getOperands()[0])});
      for (Value v : invoke.getResults()) {
        arguments.push_back(at(v));
      }
      arguments.push_back(scratch());
      call(table->symbol, arguments);
    } else if (kernel == "segment_sum") {
      call(table->symbol, {operand(0), offsets(), begin, end, widthOf(invoke.getResult(0)), result(0)});
    } else if (kernel == "segment_max") {
      call(table->symbol, {operand(0), offsets(), begin, end, widthOf(invoke.getResult(0)), result(0), result(1)});
    } else if (kernel == "segment_max_grad") {
      call(table->symbol, {operand(0), operand(1), offsets(), begin, end, widthOf(invoke.getResult(0)), result(0)});
    } else if (kernel == "bag_sum") {
      call(table->symbol, {operand(1), operand(0), offsets(), begin, end, widthOf(invoke.getResult(0)), result(0)});
    } else {
      call(table->symbol, {operand(0), offsets(), begin, end, widthOf(invoke.getResult(0)), result(0)});
    }
  });
  return success();
}

// One function of the program for all sums over rows, of whatever width: it adds partial results, block after block.
func::FuncOp EntryEmitter::addBlocks() {
  constexpr StringLiteral name = "penstock_add_blocks";
  if (auto known = module.lookup<func::FuncOp>(name)) {
    return known;
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(cast<ModuleOp>(module.getOp()).getBody());
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type()), index = b.getIndexType();
  Location here = UnknownLoc::get(b.getContext());
  auto function = func::FuncOp::create(b, here, name, b.getFunctionType({bytes, index, bytes, index, index, index}, {}));
  function.setPrivate();
  Block *block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  Value width = block->getArgument(4), blocks = block->getArgument(5);
  auto row = MemRefType::get({ShapedType::kDynamic}, b.getF32Type());
  Value target = memref::ViewOp::create(b, here, row, block->getArgument(0), block->getArgument(1), ValueRange{width});
  linalg::FillOp::create(b, here, f32Constant(b, here, 0), target);
  Value zero = arith::ConstantIndexOp::create(b, here, 0), one = arith::ConstantIndexOp::create(b, here, 1);
  Value size = arith::MulIOp::create(b, here, width, arith::ConstantIndexOp::create(b, here, 4));
  auto loop = scf::ForOp::create(b, here, zero, blocks, one);
  {
    OpBuilder::InsertionGuard inLoop(b);
    b.setInsertionPointToStart(loop.getBody());
    Value at = arith::AddIOp::create(b, here, block->getArgument(3), arith::MulIOp::create(b, here, loop.getInductionVar(), size));
    Value from = memref::ViewOp::create(b, here, row, block->getArgument(2), at, ValueRange{width});
    AffineMap identity = b.getMultiDimIdentityMap(1);
    linalg::GenericOp::create(b, here, ValueRange{from}, ValueRange{target}, ArrayRef<AffineMap>{identity, identity},
                              ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
                              [&](OpBuilder &nested, Location l, ValueRange args) {
                                Value s = arith::AddFOp::create(nested, l, args[1], args[0]);
                                linalg::YieldOp::create(nested, l, s);
                              });
  }
  func::ReturnOp::create(b, here);
  module.insert(function);
  return function;
}

void EntryEmitter::finishPartial(Operation *sum, const Buffer &partial, int64_t block) {
  const Buffer &to = buffers[sum->getResult(0)];
  nn::RowsOf rows = iterationRows(sum);
  Value blocks = arith::CeilDivUIOp::create(b, loc, rowsOfBuffer(rows), blockSize(rows, block));
  Value toOffset = byteOffset(to), fromOffset = byteOffset(partial), toBase = base(to), fromBase = base(partial);
  func::CallOp::create(b, loc, addBlocks(), ValueRange{toBase, toOffset, fromBase, fromOffset, constant(partial.width), blocks});
}

// Gradients of parameters do not fill their places in the flat buffer: the rest must not hold what an earlier entry left.
LogicalResult EntryEmitter::emitFillGaps() {
  for (size_t i = 0; i < layout.parameters.size() && layout.parameters[i].offset < layout.gradientElements; ++i) {
    const auto &p = layout.parameters[i];
    int64_t end = i + 1 < layout.parameters.size() ? layout.parameters[i + 1].offset : layout.parameterElements;
    int64_t gap = end - p.offset - p.elements;
    if (gap == 0) {
      continue;
    }
    Buffer buffer;
    buffer.offset = (p.offset + p.elements) * 4;
    buffer.element = b.getF32Type();
    StepShape fill(layout);
    fill.add(StringAttr::get(b.getContext(), "fill").getAsOpaquePointer());
    fill.addBuffer(buffer);
    fill.addNumber(StepShape::Kind::count, gap);
    LogicalResult done = step(nullptr, std::move(fill), [&] {
      Value size = number(placeOf(StepShape::Kind::count, gap), b.getIndexType());
      Value view = memref::ViewOp::create(b, loc, MemRefType::get({ShapedType::kDynamic}, buffer.element), base(buffer), byteOffset(buffer),
                                          ValueRange{size});
      linalg::FillOp::create(b, loc, constantF32(0), view);
      return success();
    });
    if (failed(done)) {
      return failure();
    }
  }
  return success();
}

LogicalResult EntryEmitter::run(ProgramTable::Entry &entry) {
  StringRef name = source.getName();
  entry.name = name.str();
  training = name == "train_step" || name == "gradient";
  if (training) {
    plan.reserve(layout.gradientElements * 4);
  }
  if (failed(planMemory())) {
    return failure();
  }
  loc = source.getLoc();
  for (Operation &op : source.getBody().front()) {
    if (auto output = dyn_cast<nn::OutputOp>(op)) {
      size_t index = output.getIndex();
      if (entry.outputs.size() <= index) {
        entry.outputs.resize(index + 1);
      }
      Type type = output.getValue().getType();
      nn::RowsOf rows = nn::rowsOf(type);
      bool onAxis = rows.kind == nn::RowsOf::Kind::axis;
      entry.outputs[index] = {output.getName().str(), nn::widthOf(type),
                              onAxis                                   ? PENSTOCK_OUTPUT_AXIS
                              : rows.kind == nn::RowsOf::Kind::records ? PENSTOCK_OUTPUT_RECORDS
                                                                       : PENSTOCK_OUTPUT_ONE,
                              onAxis ? plan.axisOf(rows) : -1};
    }
    if (failed(emitOp(op))) {
      return failure();
    }
  }
  // The worker's scratch: values of a block or a kernel's own, then values of a row.
  int64_t scratch = (regionScratchEnd + rowScratchEnd + 63) / 64 * 64;
  b.setInsertionPoint(source);
  auto entryOp = kernel::EntryOp::create(b, source.getLoc(), name);
  b.setInsertionPointToStart(&entryOp.getBody().emplaceBlock());
  std::vector<MemoryPlan::Offset> offsets = plan.offsets();
  for (const EmittedStep &s : steps) {
    std::vector<int64_t> numbers = s.shape.numbers(offsets, scratch, regionScratchEnd);
    kernel::StepOp::create(b, s.op ? s.op->getLoc() : source.getLoc(), s.function, numbers);
    entry.steps.push_back({s.function, std::move(numbers), profile ? std::optional(workOf(s.op, layout)) : std::nullopt});
  }
  entry.arena = plan.arena(scratch);
  return success();
}

LogicalResult lowerKernelToLinalg(ModuleOp module, ProgramTable &table, bool profile) {
  ProgramLayout layout(module);
  if (failed(addInputs(module, layout))) {
    return failure();
  }
  SmallVector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isDeclaration() && function.getName() != "model") {
      functions.push_back(function);
    }
  }
  // Adam keeps two moments and the optimizer's state mirrors the parameters, one flat buffer after the other.
  std::vector<std::string> moments;
  module.walk([&](nn::ApplyOp apply) { moments = OptimizerRule(apply).moments(); });
  for (size_t m = 0; m < moments.size(); ++m) {
    for (const auto &p : layout.parameters) {
      if (p.frozen) {
        continue;
      }
      ProgramTable::Tensor t;
      t.name = moments[m] + p.name;
      t.tensorClass = PENSTOCK_STATE;
      t.shape.assign(p.type.getShape().begin(), p.type.getShape().end());
      t.offset = static_cast<int64_t>(m) * layout.trainedElements + p.offset;
      t.elements = p.elements;
      layout.table.tensors.push_back(std::move(t));
    }
  }
  layout.table.stateElements = static_cast<int64_t>(moments.size()) * layout.trainedElements;

  std::vector<ProgramTable::Entry> entries;
  StepCodes codes;
  for (func::FuncOp function : functions) {
    ProgramTable::Entry entry;
    if (failed(EntryEmitter(layout, function, codes, profile).run(entry))) {
      return failure();
    }
    entries.push_back(std::move(entry));
  }
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    if (!function.getName().starts_with("penstock_")) {
      function.erase();
    }
  }
  for (Operation &op : llvm::make_early_inc_range(module.getBody()->getOperations())) {
    if (isa<nn::GlobalOp, kernel::DispatchOp>(op)) {
      op.erase();
    }
  }
  if (module->hasAttr("nn.accumulate")) {
    layout.table.accumulatedElements = layout.gradientElements;
  }
  table = std::move(layout.table);
  table.entries = std::move(entries);
  return success();
}

namespace {

/// The program's tables, which the pipeline takes, are of no use where the pass runs alone.
struct KernelToLinalgPass : impl::KernelToLinalgPassBase<KernelToLinalgPass> {
  void runOnOperation() override {
    ProgramTable table;
    if (failed(lowerKernelToLinalg(getOperation(), table))) {
      signalPassFailure();
    }
  }
};

} // namespace

} // namespace penstock
