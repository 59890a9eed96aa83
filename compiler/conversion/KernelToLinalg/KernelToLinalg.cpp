#include "compiler/conversion/KernelToLinalg/KernelToLinalg.h"

#include "compiler/conversion/KernelToLinalg/EntryEmitter.h"
#include "compiler/transforms/FormRegions.h"
#include "runtime/abi/kernel_limits.h"
#include "runtime/abi/program_abi.h"

#include <algorithm>

using namespace mlir;

namespace penstock {

//===--- planning ---------------------------------------------------------------------------------------------------===//

Buffer EntryEmitter::leafBuffer(Value value) {
  Operation *op = value.getDefiningOp();
  Buffer buffer;
  buffer.rows = nn::rowsOf(value.getType());
  buffer.width = nn::widthOf(value.getType());
  buffer.element = nn::elementTypeOf(value.getType());
  if (auto parameter = dyn_cast<nn::ParameterOp>(op)) {
    buffer.kind = Buffer::Kind::parameter;
    buffer.offset = layout.parameter(parameter.getName()).offset * 4;
  } else if (auto input = dyn_cast<nn::InputOp>(op)) {
    buffer.kind = Buffer::Kind::input;
    buffer.index = static_cast<int>(input.getIndex());
  }
  return buffer;
}

Buffer EntryEmitter::arenaBuffer(Type type) {
  Buffer buffer;
  buffer.rows = nn::rowsOf(type);
  buffer.width = nn::widthOf(type);
  buffer.element = nn::elementTypeOf(type);
  buffer.slot = plan.allocate(plan.extentOf(buffer.rows, buffer.width));
  return buffer;
}

// A value that is a gradient or an output is computed in place.
Buffer EntryEmitter::placeResult(Value value) {
  for (Operation *user : value.getUsers()) {
    if (auto gradient = dyn_cast<nn::GradientOp>(user)) {
      Buffer buffer;
      buffer.rows = nn::rowsOf(value.getType());
      buffer.width = nn::widthOf(value.getType());
      buffer.element = nn::elementTypeOf(value.getType());
      buffer.slot = -1;
      buffer.offset = layout.parameter(gradient.getName()).offset * 4;
      return buffer;
    }
  }
  for (Operation *user : value.getUsers()) {
    if (auto output = dyn_cast<nn::OutputOp>(user)) {
      Buffer buffer;
      buffer.kind = Buffer::Kind::output;
      buffer.rows = nn::rowsOf(value.getType());
      buffer.width = nn::widthOf(value.getType());
      buffer.element = nn::elementTypeOf(value.getType());
      buffer.index = static_cast<int>(output.getIndex());
      return buffer;
    }
  }
  return arenaBuffer(value.getType());
}

static int64_t round32(int64_t n) { return (n + 31) / 32 * 32; }

LogicalResult EntryEmitter::planMemory() {
  Block &block = source.getBody().front();
  llvm::DenseMap<Operation *, unsigned> place;
  unsigned n = 0;
  for (Operation &op : block) {
    op.walk([&](Operation *inner) { place[inner] = n; });
    ++n;
  }
  std::vector<SmallVector<int>> freedAfter(n);
  for (Operation &op : block) {
    if (isa<nn::ParameterOp, nn::InputOp>(op)) {
      buffers[op.getResult(0)] = leafBuffer(op.getResult(0));
      continue;
    }
    if (isa<nn::ConstantOp, nn::RecordCountOp>(op)) {
      continue;
    }
    SmallVector<int> freed;
    if (failed(planOp(op, freed))) {
      return failure();
    }
    for (OpResult result : op.getResults()) {
      Buffer &buffer = buffers[result];
      if (buffer.kind != Buffer::Kind::arena || buffer.slot < 0) {
        continue;
      }
      unsigned last = place[&op];
      for (Operation *user : result.getUsers()) {
        last = std::max(last, place[user]);
      }
      freedAfter[last].push_back(buffer.slot);
    }
    for (int slot : freed) {
      plan.release(slot);
    }
    for (int slot : freedAfter[place[&op]]) {
      plan.release(slot);
    }
  }
  return success();
}

LogicalResult EntryEmitter::planOp(Operation &op, SmallVector<int> &freed) {
  if (auto region = dyn_cast<kernel::RowsOp>(op)) {
    RegionPlan &regionPlan = regions[&op];
    auto yield = cast<kernel::YieldOp>(region.getBody().front().back());
    for (auto [inner, result] : llvm::zip(yield.getOperands(), region.getResults())) {
      buffers[result] = placeResult(result);
      buffers[inner] = buffers[result];
    }
    planRegion(region, regionPlan, freed);
    return success();
  }
  if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
    for (OpResult result : op.getResults()) {
      buffers[result] = placeResult(result);
    }
    StringRef kernel = invoke.getKernel();
    std::optional<Extent> scratch;
    if (kernel == "weight_gradient" || kernel == "conv1d_weight_grad") {
      int64_t k = nn::widthOf(op.getOperand(0).getType()), width = nn::widthOf(op.getOperand(1).getType());
      scratch = Extent{4096 * 4, (round32(k) + round32(width)) * 4, plan.axisOf(nn::rowsOf(op.getOperand(0).getType()))};
    } else if (kernel == "embedding_grad" || kernel == "bag_sum_grad" || kernel == "position_rows_grad") {
      int64_t vocabulary = cast<RankedTensorType>(op.getResult(0).getType()).getDimSize(0);
      Value rows = op.getOperand(0);
      scratch = Extent{(vocabulary + 4096) * 4, 4, plan.axisOf(nn::rowsOf(rows.getType()))};
    }
    if (scratch) {
      if (scratch->axis < 0) {
        scratch->constant += (nn::rowsOf(op.getOperand(0).getType()).rows + 15) / 16 * 16 * scratch->coefficient;
        scratch->coefficient = 0;
      }
      Buffer buffer;
      buffer.slot = plan.allocate(*scratch);
      buffer.element = Float32Type::get(op.getContext());
      scratches[&op] = buffer;
      freed.push_back(buffer.slot);
    }
    if (kernel::findKernel(kernel)->scope == kernel::Scope::segments) {
      regionScratchEnd = std::max<int64_t>(regionScratchEnd, PENSTOCK_SCRATCH_FLOATS * 4);
    }
    return success();
  }
  if (auto apply = dyn_cast<nn::ApplyOp>(op)) {
    if (apply.getClipNorm().convertToDouble() > 0) {
      Buffer buffer;
      buffer.slot = plan.allocate({(layout.parameterElements / 4096 + 2) * 4, 0, -1});
      buffer.element = Float32Type::get(op.getContext());
      scratches[&op] = buffer;
      freed.push_back(buffer.slot);
    }
    return success();
  }
  if (isa<kernel::PackOp, nn::GradientOp, nn::OutputOp, func::ReturnOp>(op)) {
    return success();
  }
  return op.emitError("no lowering for this operation outside a row region");
}

void EntryEmitter::planRegion(kernel::RowsOp region, RegionPlan &regionPlan, SmallVector<int> &freed) {
  Block &body = region.getBody().front();
  SmallVector<Operation *> waiting;
  int64_t widest = 1;
  for (Operation &op : body.without_terminator()) {
    waiting.push_back(&op);
    for (Value v : op.getResults()) {
      widest = std::max(widest, nn::widthOf(v.getType()));
    }
  }
  nn::RowsOf rows = iterationRows(waiting.front());
  auto level = source->getParentOfType<ModuleOp>()->getAttrOfType<StringAttr>("penstock.level");
  regionPlan.block = blockRows(rows, widest, level ? level.getValue() : "");

  // Alternate: all row-wise ops that can run, then all kernels that can run.
  llvm::DenseMap<Operation *, int> stageOf;
  auto ready = [&](Operation *op) {
    return llvm::all_of(op->getOperands(), [&](Value v) {
      Operation *def = v.getDefiningOp();
      return !def || def->getBlock() != &body || stageOf.count(def);
    });
  };
  while (!waiting.empty()) {
    for (bool kernels : {false, true}) {
      Stage stage{!kernels, {}};
      SmallVector<Operation *> rest;
      for (Operation *op : waiting) {
        if (isa<kernel::InvokeOp>(op) == kernels && ready(op)) {
          stage.ops.push_back(op);
          if (!kernels) {
            stageOf[op] = static_cast<int>(regionPlan.stages.size());
          }
        } else {
          rest.push_back(op);
        }
      }
      if (stage.ops.empty()) {
        continue;
      }
      for (Operation *op : stage.ops) {
        stageOf[op] = static_cast<int>(regionPlan.stages.size());
      }
      waiting = std::move(rest);
      regionPlan.stages.push_back(std::move(stage));
    }
  }

  // What must be in memory and has no place yet lives in the worker's scratch for one block. Regions do not overlap in
  // time, so all use the same bytes.
  int64_t offset = 0;
  for (Operation &op : body.without_terminator()) {
    for (Value v : op.getResults()) {
      if (buffers.count(v) || isRowReduction(&op)) {
        continue;
      }
      bool needed = isa<kernel::InvokeOp>(op) || llvm::any_of(v.getUsers(), [&](Operation *user) {
        return isa<kernel::InvokeOp>(user) || (stageOf.count(user) && stageOf[user] != stageOf[&op]);
      });
      if (!needed) {
        continue;
      }
      Buffer buffer;
      buffer.kind = Buffer::Kind::worker;
      buffer.offset = offset;
      buffer.rows = rows;
      buffer.width = nn::widthOf(v.getType());
      buffer.element = nn::elementTypeOf(v.getType());
      int64_t count = rows.kind == nn::RowsOf::Kind::fixed ? std::min(regionPlan.block, rows.rows) : regionPlan.block;
      offset += (buffer.width * count * 4 + 63) / 64 * 64;
      buffers[v] = buffer;
    }
    if (isRowReduction(&op)) {
      // One partial result a block: at most rows / block + 1 of them.
      int64_t width = isa<nn::TotalOp>(op) ? 1 : nn::widthOf(op.getResult(0).getType());
      Buffer partial;
      partial.width = width;
      partial.element = Float32Type::get(op.getContext());
      Extent extent;
      extent.axis = plan.axisOf(rows);
      if (extent.axis < 0) {
        extent.constant = (rows.rows / regionPlan.block + 1) * width * 4;
      } else {
        extent.constant = width * 4;
        extent.coefficient = (width * 4 + leastBlockRows - 1) / leastBlockRows;
      }
      partial.slot = plan.allocate(extent);
      freed.push_back(partial.slot);
      regionPlan.partials[&op] = partial;
    }
  }
  regionScratchEnd = std::max(regionScratchEnd, offset);
}

//===--- views ------------------------------------------------------------------------------------------------------===//

void EntryEmitter::beginScope(Location location) {
  prologueEnd = arith::ConstantIndexOp::create(b, location, 0);
  scopeGets.clear();
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
    value = kernel::GetOp::create(b, loc, type, what, index);
  }
  return value;
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
    return get("arena", bytes);
  }
  return {};
}

Value EntryEmitter::byteOffset(const Buffer &buffer) {
  int64_t key;
  switch (buffer.kind) {
  case Buffer::Kind::parameter:
  case Buffer::Kind::fitted:
    return constant(buffer.offset);
  case Buffer::Kind::input:
  case Buffer::Kind::output:
    return constant(0);
  case Buffer::Kind::arena:
    if (buffer.slot < 0) {
      return constant(buffer.offset);
    }
    key = buffer.slot;
    break;
  case Buffer::Kind::worker:
    key = -1 - buffer.offset;
    break;
  }
  Value &value = scopeOffsets[key];
  if (value) {
    return value;
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(prologueEnd);
  MemoryPlan::Offset offset = buffer.kind == Buffer::Kind::worker ? plan.end() : plan.offsetOf(buffer.slot);
  Value sum = arith::ConstantIndexOp::create(
      b, loc, offset.constant + (buffer.kind == Buffer::Kind::worker ? buffer.offset : 0));
  for (auto [axis, coefficient] : llvm::enumerate(offset.perAxis)) {
    if (coefficient == 0) {
      continue;
    }
    bool records = axis + 1 == offset.perAxis.size();
    Value rows = records ? get("records16", b.getIndexType()) : get("rows16", b.getIndexType(), static_cast<int64_t>(axis));
    Value scale = arith::ConstantIndexOp::create(b, loc, coefficient);
    sum = arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, rows, scale));
  }
  if (buffer.kind == Buffer::Kind::worker && worker) {
    auto size = arith::ConstantIndexOp::create(b, loc, 0);
    perWorkerConstants.push_back(size);
    sum = arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, worker, size));
  }
  return scopeOffsets[key] = sum;
}

Value EntryEmitter::rowView(const Buffer &buffer, Value at, int64_t width, int64_t extra) {
  Value offset = byteOffset(buffer);
  if (at) {
    Value scaled = arith::MulIOp::create(b, loc, at, constant(buffer.width * 4));
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
  auto savedOffsets = scopeOffsets, savedConstants = scopeConstants, savedNumbers = scopeNumbers;
  Operation *savedPrologue = prologueEnd;
  Value savedWorker = worker;
  b.setInsertionPointToStart(&block);
  beginScope(loc);
  worker = block.getArgument(2);
  body(block.getArgument(0), block.getArgument(1));
  scopeGets = savedGets;
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

LogicalResult EntryEmitter::emitOp(Operation &op) {
  loc = op.getLoc();
  if (isa<nn::ParameterOp, nn::InputOp, nn::ConstantOp, nn::RecordCountOp>(op)) {
    return success();
  }
  if (auto region = dyn_cast<kernel::RowsOp>(op)) {
    return emitRegion(region);
  }
  if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
    return emitInvoke(invoke);
  }
  Type pointer = LLVM::LLVMPointerType::get(op.getContext());
  if (auto pack = dyn_cast<kernel::PackOp>(op)) {
    auto dispatch = SymbolTable::lookupNearestSymbolFrom<kernel::DispatchOp>(&op, pack.getHandleAttr());
    Value handle = get("handle", pointer, layout.handleIndex.lookup(pack.getHandle()));
    call(("penstock_" + dispatch.getKernel() + "_pack").str(),
         {handle, rowView(buffers[pack.getWeight()], {}, 1), get("pool", pointer)});
    return success();
  }
  if (auto gradient = dyn_cast<nn::GradientOp>(op)) {
    Buffer to;
    to.rows = nn::rowsOf(gradient.getGradient().getType());
    to.width = nn::widthOf(gradient.getGradient().getType());
    to.element = b.getF32Type();
    to.offset = layout.parameter(gradient.getName()).offset * 4;
    const Buffer &from = buffers[gradient.getGradient()];
    if (!buffers.count(gradient.getGradient()) || from.kind != Buffer::Kind::arena || from.slot >= 0 ||
        from.offset != to.offset) {
      emitCopy(gradient.getGradient(), to);
    }
    return success();
  }
  if (auto output = dyn_cast<nn::OutputOp>(op)) {
    Buffer to;
    to.kind = Buffer::Kind::output;
    to.index = static_cast<int>(output.getIndex());
    to.rows = nn::rowsOf(output.getValue().getType());
    to.width = nn::widthOf(output.getValue().getType());
    to.element = b.getF32Type();
    const Buffer &from = buffers[output.getValue()];
    if (!buffers.count(output.getValue()) || from.kind != Buffer::Kind::output || from.index != to.index) {
      emitCopy(output.getValue(), to);
    }
    return success();
  }
  if (auto apply = dyn_cast<nn::ApplyOp>(op)) {
    emitFillGaps();
    emitApply(apply, scratches.lookup(&op));
    return success();
  }
  return success();
}

LogicalResult EntryEmitter::emitRegion(kernel::RowsOp region) {
  RegionPlan &regionPlan = regions[region];
  Operation &first = region.getBody().front().front();
  nn::RowsOf rows = iterationRows(&first);
  LogicalResult result = success();
  if (rows.kind == nn::RowsOf::Kind::fixed && rows.rows <= regionPlan.block) {
    // Not in a body of its own: what this region reads once must still be read after the regions before it wrote it.
    auto savedGets = scopeGets;
    auto savedOffsets = scopeOffsets, savedConstants = scopeConstants, savedNumbers = scopeNumbers;
    Operation *savedPrologue = prologueEnd;
    prologueEnd = arith::ConstantIndexOp::create(b, loc, 0);
    result = emitBlock(region, regionPlan, constant(0), constant(rows.rows), constant(0));
    scopeGets = savedGets;
    scopeOffsets = savedOffsets;
    scopeConstants = savedConstants;
    scopeNumbers = savedNumbers;
    prologueEnd = savedPrologue;
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

LogicalResult EntryEmitter::emitBlock(kernel::RowsOp region, RegionPlan &regionPlan, Value firstRow, Value endRow,
                                      Value block) {
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

static Value asI64(OpBuilder &b, Location loc, Value index) {
  return arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
}

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
  Value handle = get("handle", pointer, layout.handleIndex.lookup(*invoke.getHandle()));
  call(kernel::findKernel(invoke.getKernel())->symbol,
       {handle, block(x), i64(nn::widthOf(x.getType())), block(y), i64(nn::widthOf(y.getType())), asI64(b, loc, rows), bias,
        arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0)});
  return success();
}

LogicalResult EntryEmitter::emitInvoke(kernel::InvokeOp invoke) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  StringRef kernel = invoke.getKernel();
  const kernel::KernelRow *table = kernel::findKernel(kernel);
  auto i64 = [&](int64_t v) -> Value { return arith::ConstantIntOp::create(b, loc, b.getI64Type(), v); };
  auto i32 = [&](int64_t v) -> Value { return arith::ConstantIntOp::create(b, loc, b.getI32Type(), v); };
  auto at = [&](Value v) { return rowView(buffers[v], {}, 1); };
  auto operand = [&](unsigned i) { return at(invoke.getOperands()[i]); };
  auto result = [&](unsigned i) { return at(invoke.getResult(i)); };
  auto bias = [&](unsigned i) -> Value {
    return invoke.getOperands().size() > i ? operand(i) : LLVM::ZeroOp::create(b, loc, pointer).getResult();
  };
  auto handle = [&] { return get("handle", pointer, layout.handleIndex.lookup(*invoke.getHandle())); };
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
      Value count = asI64(b, loc, rowsOfBuffer(nn::rowsOf(x.getType())));
      call(table->symbol, {handle(), pool, at(x), i64(nn::widthOf(x.getType())), at(dy), i64(nn::widthOf(dy.getType())),
                           count, result(0), rowView(scratches[invoke], {}, 1)});
    } else if (kernel == "conv1d_weight_grad") {
      call(table->symbol, {handle(), pool, operand(0), operand(1), offsets(), asI64(b, loc, get("records", b.getIndexType())),
                           result(0), rowView(scratches[invoke], {}, 1)});
    } else if (kernel == "conv1d_max_weight_grad") {
      call(table->symbol, {handle(), pool, operand(0), operand(1), operand(2), offsets(),
                           asI64(b, loc, get("records", b.getIndexType())), result(0)});
    } else {
      auto shape = cast<RankedTensorType>(invoke.getResult(0).getType());
      bool positions = kernel == "position_rows_grad";
      nn::RowsOf idRows = nn::rowsOf(invoke.getOperands()[0].getType());
      auto of = invoke->getAttrOfType<StringAttr>("of"); // position or segment
      Value ids = positions ? get(("row_" + (of ? of.getValue() : "position")).str(), bytes, axis()) : operand(0);
      Value dy = positions ? operand(0) : operand(1);
      Value from = kernel == "bag_sum_grad" ? get("row_record", bytes, axis())
                                            : LLVM::ZeroOp::create(b, loc, pointer).getResult();
      call(table->symbol, {pool, ids, from, dy, asI64(b, loc, rowsOfBuffer(idRows)), i64(shape.getDimSize(1)),
                           i64(shape.getDimSize(0)), result(0), rowView(scratches[invoke], {}, 1)});
    }
    return success();
  }
  if (table->scope == kernel::Scope::rows) {
    return invoke.emitError("a row kernel stands outside a row region");
  }

  bool heavy = kernel.starts_with("attention") || kernel.starts_with("conv1d");
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
      bool drops = training && dropoutAttr;
      SmallVector<Value> arguments;
      if (kernel == "attention") {
        arguments = {operand(0), result(0), result(1)};
      } else {
        arguments = {operand(0), operand(1), operand(2), operand(3), result(0)};
      }
      int64_t width = nn::widthOf(invoke.getOperands()[0].getType()) / 3 / heads;
      arguments.append({offsets(), get("record_numbers", bytes), begin, end, i64(heads), i64(width),
                        constantF32(drops ? dropoutAttr.getValueAsDouble() : 0), get("seed", b.getI64Type()),
                        get("step", b.getI64Type()), i64(keyAttr ? keyAttr.getInt() : 0), scratch()});
      call(table->symbol, arguments);
    } else if (kernel == "conv1d") {
      call(table->symbol, {handle(), operand(0), result(0), offsets(), begin, end, bias(1), scratch()});
    } else if (kernel == "conv1d_max") {
      call(table->symbol, {handle(), operand(0), offsets(), begin, end, bias(1), result(0), result(1), scratch()});
    } else if (kernel == "conv1d_input_grad") {
      call(table->symbol, {handle(), operand(0), result(0), offsets(), begin, end, i32(0), scratch()});
    } else if (kernel == "conv1d_max_input_grad") {
      call(table->symbol, {handle(), operand(0), operand(1), operand(2), result(0), offsets(), begin, end, i32(0)});
    } else if (kernel == "segment_sum") {
      call(table->symbol, {operand(0), offsets(), begin, end, i64(nn::widthOf(invoke.getResult(0).getType())), result(0)});
    } else if (kernel == "segment_max") {
      call(table->symbol,
           {operand(0), offsets(), begin, end, i64(nn::widthOf(invoke.getResult(0).getType())), result(0), result(1)});
    } else if (kernel == "segment_max_grad") {
      call(table->symbol,
           {operand(0), operand(1), offsets(), begin, end, i64(nn::widthOf(invoke.getResult(0).getType())), result(0)});
    } else if (kernel == "bag_sum") {
      call(table->symbol,
           {operand(1), operand(0), offsets(), begin, end, i64(nn::widthOf(invoke.getResult(0).getType())), result(0)});
    } else {
      call(table->symbol,
           {operand(0), offsets(), begin, end, i64(nn::widthOf(invoke.getResult(0).getType())), result(0)});
    }
  });
  return success();
}

// Adds the partial results of the blocks, block after block.
void EntryEmitter::finishPartial(Operation *sum, const Buffer &partial, int64_t block) {
  const Buffer &to = buffers[sum->getResult(0)];
  nn::RowsOf rows = iterationRows(sum);
  Value blocks = arith::CeilDivUIOp::create(b, loc, rowsOfBuffer(rows), blockSize(rows, block));
  Value target = rowView(to, {}, partial.width);
  linalg::FillOp::create(b, loc, constantF32(0), target);
  forRange(constant(0), blocks, [&](Value i) {
    Value from = rowView(partial, i, partial.width);
    AffineMap identity = b.getMultiDimIdentityMap(1);
    linalg::GenericOp::create(b, loc, ValueRange{from}, ValueRange{target}, ArrayRef<AffineMap>{identity, identity},
                              ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
                              [&](OpBuilder &nested, Location l, ValueRange args) {
                                Value s = arith::AddFOp::create(nested, l, args[1], args[0]);
                                linalg::YieldOp::create(nested, l, s);
                              });
  });
}

// Gradients of parameters do not fill their places in the flat buffer: the rest must not hold what an earlier entry left.
void EntryEmitter::emitFillGaps() {
  for (size_t i = 0; i < layout.parameters.size(); ++i) {
    const auto &p = layout.parameters[i];
    int64_t end = i + 1 < layout.parameters.size() ? layout.parameters[i + 1].offset : layout.parameterElements;
    int64_t gap = end - p.offset - p.elements;
    if (gap > 0) {
      Buffer buffer;
      buffer.offset = (p.offset + p.elements) * 4;
      buffer.element = b.getF32Type();
      linalg::FillOp::create(b, loc, constantF32(0), rowView(buffer, {}, gap));
    }
  }
}

LogicalResult EntryEmitter::run(ProgramTable::Entry &entry) {
  StringRef name = source.getName();
  entry.name = name.str();
  training = name == "train_step";
  if (training) {
    plan.reserve(layout.parameterElements * 4);
  }
  if (failed(planMemory())) {
    return failure();
  }
  // The worker's scratch: values of a block or a kernel's own, then values of a row.
  rowScratchBegin = regionScratchEnd;

  b.setInsertionPoint(source);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto function = func::FuncOp::create(b, source.getLoc(), ("penstock_entry_" + name).str(),
                                       b.getFunctionType({pointer}, {b.getI32Type()}));
  b.setInsertionPointToStart(function.addEntryBlock());
  loc = source.getLoc();
  beginScope(loc);
  for (Operation &op : source.getBody().front().without_terminator()) {
    if (auto output = dyn_cast<nn::OutputOp>(op)) {
      size_t index = output.getIndex();
      if (entry.outputs.size() <= index) {
        entry.outputs.resize(index + 1);
      }
      Type type = output.getValue().getType();
      bool perRecord = nn::rowsOf(type).kind == nn::RowsOf::Kind::records;
      entry.outputs[index] = {output.getName().str(), nn::widthOf(type), perRecord};
    }
    if (failed(emitOp(op))) {
      return failure();
    }
  }
  func::ReturnOp::create(b, source.getLoc(), ValueRange{arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0)});
  int64_t total = (rowScratchBegin + rowScratchPeak + 63) / 64 * 64;
  for (Operation *op : perWorkerConstants) {
    cast<arith::ConstantIndexOp>(op).setValueAttr(b.getIndexAttr(total));
  }
  entry.arena = plan.arena(total);
  return success();
}

LogicalResult lowerKernelToLinalg(ModuleOp module, ProgramTable &table) {
  ProgramLayout layout(module);
  SmallVector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isDeclaration() && function.getName() != "model") {
      functions.push_back(function);
    }
  }
  // Adam keeps two moments and the optimizer's state mirrors the parameters, one flat buffer after the other.
  std::vector<std::string> moments;
  module.walk([&](nn::ApplyOp apply) {
    if (apply.getKind() != "sgd") {
      moments = {"adam.m/", "adam.v/"};
    } else if (apply.getMomentum().convertToDouble() != 0) {
      moments = {"sgd.momentum/"};
    }
  });
  for (size_t m = 0; m < moments.size(); ++m) {
    for (const auto &p : layout.parameters) {
      ProgramTable::Tensor t;
      t.name = moments[m] + p.name;
      t.tensorClass = PENSTOCK_STATE;
      t.shape.assign(p.type.getShape().begin(), p.type.getShape().end());
      t.offset = static_cast<int64_t>(m) * layout.parameterElements + p.offset;
      t.elements = p.elements;
      layout.table.tensors.push_back(std::move(t));
    }
  }
  layout.table.stateElements = static_cast<int64_t>(moments.size()) * layout.parameterElements;

  std::vector<ProgramTable::Entry> entries;
  for (func::FuncOp function : functions) {
    ProgramTable::Entry entry;
    if (failed(EntryEmitter(layout, function).run(entry))) {
      return failure();
    }
    entries.push_back(std::move(entry));
  }
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    if (!function.getName().starts_with("penstock_entry_")) {
      function.erase();
    }
  }
  for (Operation &op : llvm::make_early_inc_range(module.getBody()->getOperations())) {
    if (isa<nn::GlobalOp, kernel::DispatchOp>(op)) {
      op.erase();
    }
  }
  table = std::move(layout.table);
  table.entries = std::move(entries);
  return success();
}

} // namespace penstock
