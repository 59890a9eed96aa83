#include "compiler/conversion/KernelToLinalg/RowEmitter.h"

#include "compiler/conversion/KernelToLinalg/PlanAttributes.h"

#include <limits>

using namespace mlir;

namespace penstock {

void RowEmitter::beginRow(const nn::RowsOf &rows) {
  rowValues.clear();
  stored.clear();
  pending.clear();
  rowScratchOffset = 0;
  rowsHere = rows;
}

void RowEmitter::copy(Operation *op) {
  Value value = op->getOperand(0);
  const Buffer to = destinationOf(layout, op);
  auto write = [&](Value from, Value end) {
    beginRow(to.rows);
    forRange(from, end, [&](Value at) {
      row = localRow = at;
      flush({{value, rowView(to, row, to.width)}});
    });
  };
  if (!layout.onDevice) {
    return write(constant(0), rowsOfBuffer(to.rows));
  }
  auto count = [&] { return rowsOfBuffer(to.rows); };
  parallel(workOver(to.rows, to.width, count), write);
}

void RowEmitter::emit(kernel::ZerosOp zeros) {
  Buffer buffer;
  buffer.offset = static_cast<int64_t>(zeros.getOffset());
  buffer.element = b.getF32Type();
  serial([&] {
    Value size = number(StepShape::Kind::count, static_cast<int64_t>(zeros.getCount()), b.getIndexType());
    auto type = MemRefType::get({ShapedType::kDynamic}, buffer.element);
    Value begin = byteOffset(buffer);
    begin.getDefiningOp()->setAttr("kernel.unaligned", b.getUnitAttr());
    fill(0, memref::ViewOp::create(b, loc, type, base(buffer), begin, ValueRange{size}));
  });
}

void RowEmitter::store(ArrayRef<Operation *> ops) {
  llvm::MapVector<int64_t, SmallVector<std::pair<Value, Value>>> byWidth;
  for (Operation *op : ops) {
    if (nn::sumsOverRows(op)) {
      continue;
    }
    for (Value v : op->getResults()) {
      if (!plan.find(v) || stored.contains(v)) {
        continue;
      }
      RowValue value = rowValue(v);
      if (value.kind == RowValue::Kind::scalar) {
        storeScalar(value.value, ownMemory(v));
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

void RowEmitter::setPending(Value value, Pending how) {
  rowValues[value] = {RowValue::Kind::pending, {}};
  pending[value] = std::move(how);
  if (nn::widthOf(value.getType()) == 1) {
    llvm::DenseMap<Value, Value> known;
    setScalar(value, element(b, value, known, [&] { return constant(0); }));
  }
}

void RowEmitter::setStored(Value value, Value memory) {
  stored.insert(value);
  setMemory(value, memory);
}

void RowEmitter::copyInto(Value value, Value memory) {
  RowValue before = rowValue(value);
  flush({{value, memory}});
  rowValues[value] = before;
  stored.erase(value);
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
      setMemory(value, constantRow(constantOp, perRow ? row : constant(0)));
      return rowValues[value];
    }
  } else if (isa<nn::RecordCountOp, nn::RowCountOp>(op)) {
    OpBuilder::InsertionGuard guard(b);
    auto ofAxis = dyn_cast<nn::RowCountOp>(op);
    Value rows = ofAxis ? rowsOfBuffer(nn::rowsOf(ofAxis.getRows())) : get("records", b.getIndexType());
    insertAtScope();
    Value count = arith::IndexCastOp::create(b, loc, b.getI64Type(), rows);
    result = {RowValue::Kind::scalar, arith::UIToFPOp::create(b, loc, b.getF32Type(), count)};
  } else if (auto weight = dyn_cast<nn::StepWeightOp>(op)) {
    result = {RowValue::Kind::scalar, get("weight", b.getF32Type(), static_cast<int64_t>(weight.getIndex()))};
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
  bool own = plan.find(value) && value.getDefiningOp() && rowValues.count(value) && !value.getDefiningOp()->hasTrait<nn::Immediate>();
  Value memory = own ? ownMemory(value) : rowScratch(nn::widthOf(value.getType()));
  if (v.kind == RowValue::Kind::scalar && nn::widthOf(value.getType()) == 1) {
    storeScalar(v.value, memory);
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
Value RowEmitter::tableRow(ArrayRef<float> numbers, int64_t width, Value at) {
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
  bytes = memref::CastOp::create(b, loc, bytesType(), bytes);
  return memref::ViewOp::create(b, loc, MemRefType::get({width}, b.getF32Type()), bytes, scaled(at, width * 4), ValueRange());
}

Value RowEmitter::constantRow(nn::ConstantOp constantOp, Value at) {
  SmallVector<float> numbers;
  for (APFloat f : cast<DenseElementsAttr>(constantOp.getValue()).getValues<APFloat>()) {
    numbers.push_back(f.convertToFloat());
  }
  return tableRow(numbers, nn::widthOf(constantOp.getType()), at);
}

//===--- element by element -----------------------------------------------------------------------------------------===//

void RowEmitter::collectLeaves(Value value, llvm::SetVector<Value> &leaves, llvm::DenseSet<Value> &seen) {
  if (!seen.insert(value).second) {
    return;
  }
  if (isa<MemRefType>(value.getType())) {
    leaves.insert(value);
    return;
  }
  RowValue v = rowValue(value);
  if (v.kind == RowValue::Kind::memory) {
    leaves.insert(value);
  }
  if (v.kind == RowValue::Kind::pending) {
    for (Value read : pending.at(value).reads) {
      collectLeaves(read, leaves, seen);
    }
  }
}

Value RowEmitter::leafMemory(Value leaf) { return isa<MemRefType>(leaf.getType()) ? leaf : rowValue(leaf).value; }

Value RowEmitter::element(OpBuilder &builder, Value value, llvm::DenseMap<Value, Value> &known, llvm::function_ref<Value()> index) {
  if (Value v = known.lookup(value)) {
    return v;
  }
  RowValue v = rowValue(value);
  if (v.kind == RowValue::Kind::scalar) {
    return v.value;
  }
  const Pending &how = pending.at(value);
  SmallVector<Value> elements;
  for (Value read : how.reads) {
    elements.push_back(element(builder, read, known, index));
  }
  return known[value] = how.element(builder, elements, index);
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
  elementwise(ins, outs, [&](OpBuilder &nested, Location l, ValueRange args, llvm::function_ref<Value()> index) {
    llvm::DenseMap<Value, Value> known;
    for (auto [leaf, arg] : llvm::zip(leaves, args)) {
      known[leaf] = arg;
    }
    SmallVector<Value> results;
    for (auto [i, target] : llvm::enumerate(targets)) {
      Value v = element(nested, target.first, known, index);
      if (accumulate) {
        v = arith::AddFOp::create(nested, l, args[leaves.size() + i], v);
      }
      results.push_back(v);
    }
    return results;
  });
  if (!accumulate) {
    for (auto &[value, memory] : targets) {
      if (plan.find(value)) {
        stored.insert(value);
      }
      rowValues[value] = {RowValue::Kind::memory, memory};
    }
  }
}

//===--- over the row -----------------------------------------------------------------------------------------------===//

Value RowEmitter::reduce(Value value, double initial, Combine combine, Fold step) {
  if (rowValue(value).kind == RowValue::Kind::scalar && nn::widthOf(value.getType()) == 1) {
    return step(constantF32(initial), scalarOf(value));
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
  return fold(constant(nn::widthOf(value.getType())), constantF32(initial), combine, [&](Value accumulator, Value place) {
    llvm::DenseMap<Value, Value> known;
    for (auto [leaf, memory] : llvm::zip(leaves, memories)) {
      known[leaf] = loadAt(memory, place);
    }
    Value x = element(b, value, known, [&] { return place; });
    return step(accumulator, x);
  });
}

Value RowEmitter::sum(Value value) {
  return reduce(value, 0, Combine::add, [&](Value all, Value x) -> Value { return arith::AddFOp::create(b, loc, all, x); });
}

Value RowEmitter::maximum(Value value) {
  return reduce(value, -std::numeric_limits<float>::infinity(), Combine::maximum, [&](Value most, Value x) -> Value {
    Value greater = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, most);
    return arith::SelectOp::create(b, loc, greater, x, most);
  });
}

} // namespace penstock
