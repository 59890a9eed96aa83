#include "compiler/conversion/KernelToLinalg/RowEmitter.h"

#include "compiler/conversion/KernelToLinalg/PlanAttributes.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;

namespace penstock {

// Row-wise ops are not emitted one by one: a value stays *pending* until memory needs it (its buffer, a sum over the row), and
// everything pending of one width goes into one linalg.generic.

LogicalResult RowEmitter::emitRowStage(const RegionPlan &regionPlan, const Stage &stage, Value firstRow, Value endRow, Value block) {
  beginRow(nn::iterationRows(stage.ops.front()));
  auto loop = scf::ForOp::create(b, loc, firstRow, endRow, constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  row = loop.getInductionVar();
  localRow = arith::SubIOp::create(b, loc, row, firstRow);
  for (Operation *op : stage.ops) {
    loc = op->getLoc();
    if (failed(emitRowOp(regionPlan, op, block))) {
      return failure();
    }
  }
  storeStage(stage);
  return success();
}

void RowEmitter::beginRow(const nn::RowsOf &rows) {
  rowValues.clear();
  stored.clear();
  sideLeaf.clear();
  sideScalars.clear();
  rowScratchOffset = 0;
  rowsHere = rows;
}

void RowEmitter::copy(Operation *op) {
  Value value = op->getOperand(0);
  const Buffer to = destinationOf(layout, op);
  Value one = constant(1);
  Value rows = rowsOfBuffer(to.rows);
  beginRow(to.rows);
  scf::ForOp loop = scf::ForOp::create(b, loc, constant(0), rows, one);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  row = localRow = loop.getInductionVar();
  flush({{value, rowView(to, row, to.width)}});
}

void RowEmitter::emit(kernel::ZerosOp zeros) {
  Buffer buffer;
  buffer.offset = static_cast<int64_t>(zeros.getOffset());
  buffer.element = b.getF32Type();
  Value size = number(StepShape::Kind::count, static_cast<int64_t>(zeros.getCount()), b.getIndexType());
  auto type = MemRefType::get({ShapedType::kDynamic}, buffer.element);
  Value view = memref::ViewOp::create(b, loc, type, base(buffer), byteOffset(buffer), ValueRange{size});
  linalg::FillOp::create(b, loc, constantF32(0), view);
}

void RowEmitter::storeStage(const Stage &stage) {
  llvm::MapVector<int64_t, SmallVector<std::pair<Value, Value>>> byWidth;
  for (Operation *op : stage.ops) {
    if (nn::sumsOverRows(op)) {
      continue;
    }
    for (Value v : op->getResults()) {
      if (!findBuffer(v) || stored.contains(v)) {
        continue;
      }
      RowValue value = rowValue(v);
      if (value.kind == RowValue::Kind::scalar) {
        memref::StoreOp::create(b, loc, value.value, ownMemory(v), ValueRange{constant(0)});
        continue;
      }
      byWidth[nn::widthOf(v.getType())].push_back({v, ownMemory(v)});
    }
  }
  for (auto &[width, targets] : byWidth) {
    flush(targets);
  }
}

//===--- values of the row ------------------------------------------------------------------------------------------===//

Value RowEmitter::ownMemory(Value value) {
  const Buffer &buffer = bufferOf(value);
  bool perRow = nn::rowsOf(value.getType()) == rowsHere;
  Value at = !perRow ? Value() : buffer.kind == Buffer::Kind::worker ? localRow : row;
  return rowView(buffer, at, buffer.width);
}

void RowEmitter::setMemory(Value value, Value memory) {
  if (nn::widthOf(value.getType()) == 1) {
    rowValues[value] = {RowValue::Kind::scalar, loadScalar(memory)};
  } else {
    rowValues[value] = {RowValue::Kind::memory, memory};
  }
}

void RowEmitter::setPending(Value value) {
  rowValues[value] = {RowValue::Kind::pending, {}};
  if (nn::widthOf(value.getType()) == 1) {
    llvm::DenseMap<Value, Value> known;
    Value scalar = element(b, value, known, [&] { return constant(0); });
    rowValues[value] = {RowValue::Kind::scalar, scalar};
  }
}

RowValue RowEmitter::rowValue(Value value) {
  if (auto it = rowValues.find(value); it != rowValues.end()) {
    return it->second;
  }
  Operation *op = value.getDefiningOp();
  RowValue result;
  if (auto constantOp = dyn_cast<nn::ConstantOp>(op)) {
    auto elements = cast<DenseElementsAttr>(constantOp.getValue());
    if (elements.isSplat()) {
      result = {RowValue::Kind::scalar, constantF32(elements.getSplatValue<APFloat>().convertToFloat())};
    } else {
      bool perRow = nn::rowsOf(value.getType()) == rowsHere;
      setMemory(value, globalRow(constantOp, perRow ? row : constant(0)));
      return rowValues[value];
    }
  } else if (isa<nn::RecordCountOp>(op)) {
    OpBuilder::InsertionGuard guard(b);
    Value records = get("records", b.getIndexType());
    insertAtScope();
    Value count = arith::IndexCastOp::create(b, loc, b.getI64Type(), records);
    result = {RowValue::Kind::scalar, arith::UIToFPOp::create(b, loc, b.getF32Type(), count)};
  } else if (nn::widthOf(value.getType()) == 1 && !(nn::rowsOf(value.getType()) == rowsHere)) {
    // One number for all rows, complete before this region: read once.
    OpBuilder::InsertionGuard guard(b);
    Buffer buffer = bufferOf(value);
    byteOffset(buffer);
    base(buffer);
    constant(0);
    insertAtScope();
    result = {RowValue::Kind::scalar, loadScalar(rowView(buffer, {}, 1))};
  } else {
    setMemory(value, ownMemory(value));
    return rowValues[value];
  }
  return rowValues[value] = result;
}

Value RowEmitter::scalarOf(Value value) {
  RowValue v = rowValue(value);
  return v.kind == RowValue::Kind::memory ? loadScalar(v.value) : v.value;
}

Value RowEmitter::rowScratch(int64_t width) {
  Buffer buffer;
  buffer.kind = Buffer::Kind::worker;
  buffer.offset = blockBytes + rowScratchOffset;
  buffer.width = width;
  buffer.element = b.getF32Type();
  rowScratchOffset += (width * 4 + 63) / 64 * 64;
  rowScratchPeak = std::max(rowScratchPeak, rowScratchOffset);
  return rowView(buffer, {}, width);
}

Value RowEmitter::memoryOf(Value value) {
  RowValue v = rowValue(value);
  if (v.kind == RowValue::Kind::memory) {
    return v.value;
  }
  bool own = findBuffer(value) && value.getDefiningOp() && rowValues.count(value) && !value.getDefiningOp()->hasTrait<nn::Immediate>();
  Value memory = own ? ownMemory(value) : rowScratch(nn::widthOf(value.getType()));
  if (v.kind == RowValue::Kind::scalar && nn::widthOf(value.getType()) == 1) {
    memref::StoreOp::create(b, loc, v.value, memory, ValueRange{constant(0)});
    return memory;
  }
  flush({{value, memory}});
  if (own) {
    stored.insert(value);
  }
  rowValues[value] = {RowValue::Kind::memory, memory};
  return memory;
}

// A constant table becomes bytes of the program, so that it is viewed like every other buffer.
Value RowEmitter::globalTable(ArrayRef<float> numbers) {
  SmallVector<char> raw;
  for (float number : numbers) {
    uint32_t bits = llvm::bit_cast<uint32_t>(number);
    for (int i = 0; i < 4; ++i) {
      raw.push_back(static_cast<char>(bits >> (8 * i)));
    }
  }
  int64_t size = static_cast<int64_t>(raw.size());
  auto type = MemRefType::get({size}, b.getI8Type());
  std::string name = "penstock_constant_" + llvm::utohexstr(llvm::hash_value(StringRef(raw.data(), raw.size())));
  if (!module.lookup(name)) {
    OpBuilder top = OpBuilder::atBlockBegin(cast<ModuleOp>(module.getOp()).getBody());
    auto values = DenseElementsAttr::getFromRawBuffer(RankedTensorType::get({size}, b.getI8Type()), raw);
    module.insert(memref::GlobalOp::create(top, loc, top.getStringAttr(name), top.getStringAttr("private"), TypeAttr::get(type), values,
                                           top.getUnitAttr(), top.getI64IntegerAttr(64)));
  }
  Value bytes = memref::GetGlobalOp::create(b, loc, type, name);
  return memref::CastOp::create(b, loc, MemRefType::get({ShapedType::kDynamic}, b.getI8Type()), bytes);
}

Value RowEmitter::globalRow(nn::ConstantOp constantOp, Value at) {
  SmallVector<float> numbers;
  for (APFloat f : cast<DenseElementsAttr>(constantOp.getValue()).getValues<APFloat>()) {
    numbers.push_back(f.convertToFloat());
  }
  int64_t width = nn::widthOf(constantOp.getType());
  Value bytes = globalTable(numbers);
  Value offset = arith::MulIOp::create(b, loc, at, constant(width * 4));
  return memref::ViewOp::create(b, loc, MemRefType::get({width}, b.getF32Type()), bytes, offset, ValueRange());
}

//===--- element by element -----------------------------------------------------------------------------------------===//

void RowEmitter::collectLeaves(Value value, llvm::SetVector<Value> &leaves, llvm::DenseSet<Value> &seen) {
  if (!seen.insert(value).second) {
    return;
  }
  RowValue v = rowValue(value);
  if (v.kind == RowValue::Kind::memory) {
    leaves.insert(value);
  }
  if (v.kind != RowValue::Kind::pending) {
    return;
  }
  Operation *op = value.getDefiningOp();
  if (Value side = sideLeaf.lookup(op)) {
    leaves.insert(side);
  }
  if (auto elementWise = dyn_cast<nn::ElementWise>(op)) {
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      if (elementWise.reads(static_cast<unsigned>(i))) {
        collectLeaves(operand, leaves, seen);
      }
    }
  } else if (isa<nn::DropoutOp, nn::NormalizeOp>(op)) {
    collectLeaves(op->getOperand(0), leaves, seen);
  } else if (isa<nn::NormalizeGradOp>(op)) {
    collectLeaves(op->getOperand(0), leaves, seen);
    collectLeaves(op->getOperand(2), leaves, seen);
  } else if (isa<nn::CrossEntropyGradOp>(op)) {
    collectLeaves(op->getOperand(0), leaves, seen);
  }
}

Value RowEmitter::leafMemory(Value leaf) { return isa<MemRefType>(leaf.getType()) ? leaf : rowValue(leaf).value; }

// A few weights of classes are chosen by comparisons; more of them stand in a table, so that code does not grow with the classes.
static constexpr size_t comparedWeights = 16;

// The weight of class `index` (of any integer type), by comparisons.
static Value comparedWeight(OpBuilder &b, Location loc, ArrayRef<double> weights, Value index) {
  Value weight = f32Constant(b, loc, weights.back());
  for (int64_t c = static_cast<int64_t>(weights.size()) - 2; c >= 0; --c) {
    Value number = arith::ConstantOp::create(b, loc, b.getIntegerAttr(index.getType(), c));
    Value at = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, index, number);
    weight = arith::SelectOp::create(b, loc, at, f32Constant(b, loc, weights[c]), weight);
  }
  return weight;
}

Value RowEmitter::element(OpBuilder &builder, Value value, llvm::DenseMap<Value, Value> &known, llvm::function_ref<Value()> index) {
  if (Value v = known.lookup(value)) {
    return v;
  }
  RowValue v = rowValue(value);
  if (v.kind == RowValue::Kind::scalar) {
    return v.value;
  }
  Operation *op = value.getDefiningOp();
  auto operand = [&](unsigned i) { return element(builder, op->getOperand(i), known, index); };
  auto side = [&](unsigned i) { return sideScalars[op][i]; };
  auto mul = [&](Value x, Value y) -> Value { return arith::MulFOp::create(builder, loc, x, y); };
  auto sub = [&](Value x, Value y) -> Value { return arith::SubFOp::create(builder, loc, x, y); };
  Value result;
  if (auto elementWise = dyn_cast<nn::ElementWise>(op)) {
    SmallVector<Value> elements;
    for (unsigned i = 0; i < op->getNumOperands(); ++i) {
      elements.push_back(elementWise.reads(i) ? operand(i) : Value());
    }
    result = elementWise.buildElement(builder, elements);
  } else if (isa<nn::DropoutOp>(op)) {
    Value x = operand(0);
    Value mask = sideLeaf.lookup(op) ? known.lookup(sideLeaf.lookup(op)) : side(0);
    result = mul(x, mask);
  } else if (isa<nn::NormalizeOp>(op)) {
    result = mul(sub(operand(0), side(0)), side(1));
  } else if (isa<nn::NormalizeGradOp>(op)) {
    // rstd * (g - mean(g) - xhat * mean(g * xhat))
    Value xhat = operand(0), g = operand(2);
    result = mul(side(2), sub(sub(g, side(0)), mul(xhat, side(1))));
  } else if (isa<nn::SoftmaxOp>(op)) {
    result = mul(known.lookup(sideLeaf.lookup(op)), side(0));
  } else if (isa<nn::SegmentFirstGradOp>(op)) {
    Value g = sideLeaf.lookup(op) ? known.lookup(sideLeaf.lookup(op)) : side(1);
    result = arith::SelectOp::create(builder, loc, side(0), g, f32Constant(builder, loc, 0));
  } else if (auto grad = dyn_cast<nn::CrossEntropyGradOp>(op)) {
    // side: lse, target, scale at the class, scale of the smoothing, sum of class weights
    Value p = math::ExpOp::create(builder, loc, sub(operand(0), side(0)));
    Value here = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, index(), side(1));
    Value one = f32Constant(builder, loc, 1), zero = f32Constant(builder, loc, 0);
    result = mul(side(2), sub(p, arith::SelectOp::create(builder, loc, here, one, zero)));
    if (grad.getLabelSmoothing().convertToDouble() > 0) {
      ArrayRef<double> weights = grad.getClassWeights();
      Value table = sideLeaf.lookup(op);
      Value weight = table ? known.lookup(table) : weights.empty() ? one : comparedWeight(builder, loc, weights, index());
      Value smooth = mul(side(3), sub(mul(side(4), p), weight));
      result = arith::AddFOp::create(builder, loc, result, smooth);
    }
  }
  return known[value] = result;
}

void RowEmitter::flush(ArrayRef<std::pair<Value, Value>> targets, bool accumulate) {
  llvm::SetVector<Value> leaves;
  llvm::DenseSet<Value> seen;
  for (auto &[value, memory] : targets) {
    collectLeaves(value, leaves, seen);
  }
  SmallVector<Value> ins, outs;
  for (Value leaf : leaves) {
    ins.push_back(leafMemory(leaf));
  }
  for (auto &[value, memory] : targets) {
    outs.push_back(memory);
  }
  SmallVector<AffineMap> maps(ins.size() + outs.size(), b.getMultiDimIdentityMap(1));
  linalg::GenericOp::create(b, loc, ins, outs, maps, ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
                            [&](OpBuilder &nested, Location l, ValueRange args) {
                              llvm::DenseMap<Value, Value> known;
                              for (auto [leaf, arg] : llvm::zip(leaves, args)) {
                                known[leaf] = arg;
                              }
                              Value place;
                              auto index = [&]() -> Value {
                                if (!place) {
                                  place = linalg::IndexOp::create(nested, l, 0);
                                }
                                return place;
                              };
                              SmallVector<Value> results;
                              for (auto [i, target] : llvm::enumerate(targets)) {
                                Value v = element(nested, target.first, known, index);
                                if (accumulate) {
                                  v = arith::AddFOp::create(nested, l, args[leaves.size() + i], v);
                                }
                                results.push_back(v);
                              }
                              linalg::YieldOp::create(nested, l, results);
                            });
  if (!accumulate) {
    for (auto &[value, memory] : targets) {
      if (findBuffer(value)) {
        stored.insert(value);
      }
      rowValues[value] = {RowValue::Kind::memory, memory};
    }
  }
}

Value RowEmitter::reduceValue(Value value, double initial, Step step) {
  if (rowValue(value).kind == RowValue::Kind::scalar && nn::widthOf(value.getType()) == 1) {
    return step(b, constantF32(initial), scalarOf(value));
  }
  if (rowValue(value).kind == RowValue::Kind::pending && !value.hasOneUse()) {
    memoryOf(value);
  }
  llvm::SetVector<Value> leaves;
  llvm::DenseSet<Value> seen;
  collectLeaves(value, leaves, seen);
  SmallVector<Value> memories;
  for (Value leaf : leaves) {
    memories.push_back(leafMemory(leaf));
  }
  auto loop =
      scf::ForOp::create(b, loc, constant(0), constant(nn::widthOf(value.getType())), constant(1), ValueRange{constantF32(initial)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  llvm::DenseMap<Value, Value> known;
  for (auto [leaf, memory] : llvm::zip(leaves, memories)) {
    known[leaf] = memref::LoadOp::create(b, loc, memory, ValueRange{loop.getInductionVar()});
  }
  Value x = element(b, value, known, [&] { return loop.getInductionVar(); });
  scf::YieldOp::create(b, loc, ValueRange{step(b, loop.getRegionIterArg(0), x)});
  return loop.getResult(0);
}

Value RowEmitter::reduceSum(Value value) {
  return reduceValue(value, 0,
                     [&](OpBuilder &builder, Value sum, Value x) -> Value { return arith::AddFOp::create(builder, loc, sum, x); });
}

Value RowEmitter::rowMaximum(Value value) {
  return reduceValue(value, -std::numeric_limits<float>::infinity(), [&](OpBuilder &builder, Value most, Value x) -> Value {
    Value greater = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, x, most);
    return arith::SelectOp::create(builder, loc, greater, x, most);
  });
}

//===--- ops --------------------------------------------------------------------------------------------------------===//

LogicalResult RowEmitter::emitRowOp(const RegionPlan &regionPlan, Operation *op, Value block) {
  Type index = b.getIndexType(), i32 = b.getI32Type();
  auto toIndex = [&](Value v) -> Value { return arith::IndexCastOp::create(b, loc, index, v); };
  auto mul = [&](Value x, Value y) -> Value { return arith::MulFOp::create(b, loc, x, y); };
  auto add = [&](Value x, Value y) -> Value { return arith::AddFOp::create(b, loc, x, y); };

  if (nn::sumsOverRows(op)) {
    const Buffer &partial = regionPlan.partials.at(op);
    Value memory = rowView(partial, block, partial.width);
    if (isa<nn::ColumnSumOp>(op) && partial.width > 1) {
      flush({{op->getOperand(0), memory}}, /*accumulate=*/true);
      return success();
    }
    Value sum = add(loadScalar(memory), reduceSum(op->getOperand(0)));
    memref::StoreOp::create(b, loc, sum, memory, ValueRange{constant(0)});
    return success();
  }
  Value result = op->getResult(0);
  int64_t width = nn::widthOf(result.getType());
  Value widthF32 = constantF32(static_cast<double>(op->getNumOperands() ? nn::widthOf(op->getOperand(0).getType()) : 1));

  if (isa<nn::ElementWise>(op)) {
    setPending(result);
    return success();
  }
  if (auto dropout = dyn_cast<nn::DropoutOp>(op)) {
    Value record = row, position = arith::ConstantIntOp::create(b, loc, b.getI64Type(), 0);
    if (rowsHere.kind == nn::RowsOf::Kind::axis) {
      record = toIndex(axisArray("row_record", rowsHere, row, i32));
      position = arith::ExtSIOp::create(b, loc, b.getI64Type(), axisArray("row_position", rowsHere, row, i32));
    } else if (rowsHere.kind == nn::RowsOf::Kind::fixed) {
      return op->emitError("dropout needs rows of records or of an axis");
    }
    Value number = axisArray("record_numbers", {nn::RowsOf::Kind::records, {}, 0}, record, b.getI64Type());
    Value mask = rowScratch(width);
    call("dropout_row",
         {mask, arith::ConstantIntOp::create(b, loc, b.getI64Type(), width), position, number, get("seed", b.getI64Type()),
          get("step", b.getI64Type()), this->number(StepShape::Kind::randomKey, static_cast<int64_t>(dropout.getKey()), b.getI64Type()),
          constantF32(dropout.getP().convertToDouble())});
    if (width == 1) {
      sideScalars[op] = {loadScalar(mask)};
    } else {
      sideLeaf[op] = mask;
    }
    setPending(result);
    return success();
  }
  if (isa<nn::BroadcastRecordsOp>(op)) {
    Value record = toIndex(axisArray("row_record", rowsHere, row, i32));
    setMemory(result, rowView(bufferOf(op->getOperand(0)), record, width));
    return success();
  }
  if (auto embedding = dyn_cast<nn::EmbeddingOp>(op)) {
    Value id = toIndex(loadScalar(rowView(bufferOf(embedding.getIds()), row, 1)));
    setMemory(result, rowView(bufferOf(embedding.getTable()), id, width));
    return success();
  }
  if (auto positions = dyn_cast<nn::PositionRowsOp>(op)) {
    int64_t last = cast<RankedTensorType>(positions.getTable().getType()).getDimSize(0) - 1;
    Value position = toIndex(axisArray(("row_" + positions.getOf()).str(), rowsHere, row, i32));
    position = arith::MinUIOp::create(b, loc, position, constant(last));
    if (auto table = positions.getTable().getDefiningOp<nn::ConstantOp>()) {
      setMemory(result, globalRow(table, position));
    } else {
      setMemory(result, rowView(bufferOf(positions.getTable()), position, width));
    }
    return success();
  }
  if (isa<nn::SegmentFirstOp>(op)) {
    nn::RowsOf axis = nn::rowsOf(op->getOperand(0).getType());
    Value first = toIndex(axisArray("offsets", axis, row, i32));
    setMemory(result, rowView(bufferOf(op->getOperand(0)), first, width));
    return success();
  }
  if (isa<nn::SegmentFirstGradOp>(op)) {
    Value position = axisArray("row_position", rowsHere, row, i32);
    Value zero = arith::ConstantIntOp::create(b, loc, i32, 0);
    Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, position, zero);
    Value record = toIndex(axisArray("row_record", rowsHere, row, i32));
    Value g = rowView(bufferOf(op->getOperand(0)), record, width);
    sideScalars[op] = {isFirst};
    if (width == 1) {
      sideScalars[op].push_back(loadScalar(g));
    } else {
      sideLeaf[op] = g;
    }
    setPending(result);
    return success();
  }
  if (auto length = dyn_cast<nn::SegmentLengthOp>(op)) {
    nn::RowsOf axis = nn::axisOf(length);
    Value from = axisArray("offsets", axis, row, i32);
    Value to = axisArray("offsets", axis, arith::AddIOp::create(b, loc, row, constant(1)), i32);
    Value n = arith::SIToFPOp::create(b, loc, b.getF32Type(), arith::SubIOp::create(b, loc, to, from));
    rowValues[result] = {RowValue::Kind::scalar, n};
    return success();
  }
  if (auto slice = dyn_cast<nn::SliceOp>(op)) {
    Value from = memoryOf(slice.getInput());
    auto view = memref::SubViewOp::create(b, loc, from, ArrayRef<OpFoldResult>{b.getIndexAttr(slice.getOffset())},
                                          ArrayRef<OpFoldResult>{b.getIndexAttr(width)}, ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
    setMemory(result, view);
    return success();
  }
  if (isa<nn::ConcatOp, nn::PadOp>(op)) {
    bool own = findBuffer(result);
    Value to = own ? ownMemory(result) : rowScratch(width);
    int64_t offset = 0;
    if (auto pad = dyn_cast<nn::PadOp>(op)) {
      linalg::FillOp::create(b, loc, constantF32(0), to);
      offset = static_cast<int64_t>(pad.getOffset());
    }
    for (Value part : op->getOperands()) {
      int64_t partWidth = nn::widthOf(part.getType());
      auto view = memref::SubViewOp::create(b, loc, to, ArrayRef<OpFoldResult>{b.getIndexAttr(offset)},
                                            ArrayRef<OpFoldResult>{b.getIndexAttr(partWidth)}, ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
      RowValue v = rowValue(part);
      flush({{part, view}});
      // The part keeps its own place: what was written here is a copy.
      rowValues[part] = v;
      stored.erase(part);
      offset += partWidth;
    }
    if (own) {
      stored.insert(result);
    }
    setMemory(result, to);
    return success();
  }
  if (isa<nn::RowSumOp>(op)) {
    rowValues[result] = {RowValue::Kind::scalar, reduceSum(op->getOperand(0))};
    return success();
  }
  if (isa<nn::SoftmaxOp>(op)) {
    Value x = op->getOperand(0);
    memoryOf(x);
    Value most = rowMaximum(x);
    Value powers = rowScratch(width);
    Value from = memoryOf(x);
    linalg::GenericOp::create(b, loc, ValueRange{from}, ValueRange{powers}, SmallVector<AffineMap>(2, b.getMultiDimIdentityMap(1)),
                              ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
                              [&](OpBuilder &nested, Location l, ValueRange args) {
                                Value e = math::ExpOp::create(nested, l, arith::SubFOp::create(nested, l, args[0], most));
                                linalg::YieldOp::create(nested, l, e);
                              });
    auto loop = scf::ForOp::create(b, loc, constant(0), constant(width), constant(1), ValueRange{constantF32(0)});
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value e = memref::LoadOp::create(b, loc, powers, ValueRange{loop.getInductionVar()});
      scf::YieldOp::create(b, loc, ValueRange{arith::AddFOp::create(b, loc, loop.getRegionIterArg(0), e)});
    }
    sideLeaf[op] = powers;
    sideScalars[op] = {arith::DivFOp::create(b, loc, constantF32(1), loop.getResult(0))};
    if (width == 1) {
      rowValues[result] = {RowValue::Kind::scalar, mul(loadScalar(powers), sideScalars[op][0])};
    } else {
      rowValues[result] = {RowValue::Kind::pending, {}};
    }
    return success();
  }
  if (auto normalize = dyn_cast<nn::NormalizeOp>(op)) {
    Value x = normalize.getInput();
    if (width > 1) {
      memoryOf(x);
    }
    Value mean = arith::DivFOp::create(b, loc, reduceSum(x), widthF32);
    Value squares = reduceValue(x, 0, [&](OpBuilder &builder, Value sum, Value e) -> Value {
      Value d = arith::SubFOp::create(builder, loc, e, mean);
      return arith::AddFOp::create(builder, loc, sum, arith::MulFOp::create(builder, loc, d, d));
    });
    Value variance = add(arith::DivFOp::create(b, loc, squares, widthF32), constantF32(normalize.getEpsilon().convertToDouble()));
    Value rstd = arith::DivFOp::create(b, loc, constantF32(1), math::SqrtOp::create(b, loc, variance));
    sideScalars[op] = {mean, rstd};
    rowValues[normalize.getRstd()] = {RowValue::Kind::scalar, rstd};
    setPending(result);
    return success();
  }
  if (auto grad = dyn_cast<nn::NormalizeGradOp>(op)) {
    Value xhat = grad.getNormalized(), g = grad.getCotangent();
    if (width > 1) {
      memoryOf(xhat);
      memoryOf(g);
    }
    Value meanG = arith::DivFOp::create(b, loc, reduceSum(g), widthF32);
    Value dot;
    if (width == 1) {
      dot = mul(scalarOf(g), scalarOf(xhat));
    } else {
      Value gm = memoryOf(g), xm = memoryOf(xhat);
      auto loop = scf::ForOp::create(b, loc, constant(0), constant(width), constant(1), ValueRange{constantF32(0)});
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value i = loop.getInductionVar();
      Value product = mul(memref::LoadOp::create(b, loc, gm, ValueRange{i}), memref::LoadOp::create(b, loc, xm, ValueRange{i}));
      scf::YieldOp::create(b, loc, ValueRange{add(loop.getRegionIterArg(0), product)});
      dot = loop.getResult(0);
    }
    sideScalars[op] = {meanG, arith::DivFOp::create(b, loc, dot, widthF32), scalarOf(grad.getRstd())};
    setPending(result);
    return success();
  }
  return emitLossOp(op);
}

//===--- losses -----------------------------------------------------------------------------------------------------===//

Value RowEmitter::targetIndex(Value target) { return loadScalar(rowView(bufferOf(target), row, 1)); }

Value RowEmitter::weightsTable(ArrayRef<double> weights) {
  const SmallVector<float> numbers(weights.begin(), weights.end());
  auto type = MemRefType::get({static_cast<int64_t>(numbers.size())}, b.getF32Type());
  return memref::ViewOp::create(b, loc, type, globalTable(numbers), constant(0), ValueRange());
}

// The weight of a class; 0 for a target that is no class.
Value RowEmitter::classWeight(ArrayRef<double> weights, Value target) {
  Value zero = arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0);
  Value valid = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, target, zero);
  Value weight = constantF32(1);
  if (weights.size() > comparedWeights) {
    Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(), arith::MaxSIOp::create(b, loc, target, zero));
    weight = memref::LoadOp::create(b, loc, weightsTable(weights), ValueRange{at});
  } else if (!weights.empty()) {
    weight = comparedWeight(b, loc, weights, target);
  }
  return arith::SelectOp::create(b, loc, valid, weight, constantF32(0));
}

LogicalResult RowEmitter::emitLossOp(Operation *op) {
  auto mul = [&](Value x, Value y) -> Value { return arith::MulFOp::create(b, loc, x, y); };
  auto add = [&](Value x, Value y) -> Value { return arith::AddFOp::create(b, loc, x, y); };
  auto sub = [&](Value x, Value y) -> Value { return arith::SubFOp::create(b, loc, x, y); };
  Value result = op->getResult(0);
  if (auto weight = dyn_cast<nn::ClassWeightOp>(op)) {
    rowValues[result] = {RowValue::Kind::scalar, classWeight(weight.getClassWeights(), targetIndex(weight.getTarget()))};
    return success();
  }
  auto loss = dyn_cast<nn::CrossEntropyOp>(op);
  auto grad = dyn_cast<nn::CrossEntropyGradOp>(op);
  if (!loss && !grad) {
    return op->emitError("no lowering for this operation");
  }
  Value logits = op->getOperand(0);
  int64_t classes = nn::widthOf(logits.getType());
  double smoothing = (loss ? loss.getLabelSmoothing() : grad.getLabelSmoothing()).convertToDouble();
  ArrayRef<double> weights = loss ? loss.getClassWeights() : grad.getClassWeights();
  double weightSum = weights.empty() ? static_cast<double>(classes) : 0;
  for (double w : weights) {
    weightSum += w;
  }
  Value x = memoryOf(logits);
  if (classes > 1) {
    rowValues[logits] = {RowValue::Kind::memory, x};
  }
  auto overRow = [&](double initial, llvm::function_ref<Value(Value sum, Value e, Value i)> step) {
    auto loop = scf::ForOp::create(b, loc, constant(0), constant(classes), constant(1), ValueRange{constantF32(initial)});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value e = memref::LoadOp::create(b, loc, x, ValueRange{loop.getInductionVar()});
    scf::YieldOp::create(b, loc, ValueRange{step(loop.getRegionIterArg(0), e, loop.getInductionVar())});
    return loop.getResult(0);
  };
  Value most = overRow(-std::numeric_limits<float>::infinity(), [&](Value m, Value e, Value) -> Value {
    return arith::SelectOp::create(b, loc, arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, e, m), e, m);
  });
  Value sum = overRow(0, [&](Value s, Value e, Value) { return add(s, math::ExpOp::create(b, loc, sub(e, most))); });
  Value lse = add(most, math::LogOp::create(b, loc, sum));
  Value target = targetIndex(op->getOperand(1));
  Value weight = classWeight(weights, target);
  Value zero32 = arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0);
  Value safe = arith::IndexCastOp::create(b, loc, b.getIndexType(), arith::MaxSIOp::create(b, loc, target, zero32));
  Value valid = arith::SelectOp::create(b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, target, zero32), constantF32(1),
                                        constantF32(0));
  if (loss) {
    Value at = memref::LoadOp::create(b, loc, x, ValueRange{safe});
    Value value = mul(mul(weight, constantF32(1 - smoothing)), sub(lse, at));
    if (smoothing > 0) {
      Value table = weights.size() > comparedWeights ? weightsTable(weights) : Value();
      Value spread = overRow(0, [&](Value s, Value e, Value i) -> Value {
        Value w = table             ? memref::LoadOp::create(b, loc, table, ValueRange{i}).getResult()
                  : weights.empty() ? constantF32(1)
                                    : comparedWeight(b, loc, weights, i);
        return add(s, mul(w, sub(lse, e)));
      });
      value = add(value, mul(mul(valid, constantF32(smoothing / static_cast<double>(classes))), spread));
    }
    rowValues[result] = {RowValue::Kind::scalar, value};
    return success();
  }
  Value g = scalarOf(grad.getCotangent());
  sideScalars[op] = {lse, safe, mul(g, mul(weight, constantF32(1 - smoothing))),
                     mul(g, mul(valid, constantF32(smoothing / static_cast<double>(classes)))), constantF32(weightSum)};
  if (smoothing > 0 && weights.size() > comparedWeights) {
    sideLeaf[op] = weightsTable(weights);
  }
  setPending(result);
  return success();
}

} // namespace penstock
