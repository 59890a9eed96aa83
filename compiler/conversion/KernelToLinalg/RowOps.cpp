#include "compiler/conversion/KernelToLinalg/RowOps.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <numeric>

using namespace mlir;

namespace penstock {

const llvm::DenseMap<TypeID, RowOps::Method> &RowOps::methods() {
#define ROW_OP(Op, method)                                                                                                                 \
  {                                                                                                                                        \
    TypeID::get<nn::Op>(), &RowOps::of<nn::Op, &RowOps::method>                                                                            \
  }
  static const llvm::DenseMap<TypeID, Method> table = {
      ROW_OP(DropoutOp, dropout),
      ROW_OP(SoftmaxOp, softmax),
      ROW_OP(NormalizeOp, normalize),
      ROW_OP(NormalizeGradOp, normalizeGrad),
      ROW_OP(RowSumOp, rowSum),
      ROW_OP(ColumnSumOp, columnSum),
      ROW_OP(TotalOp, total),
      ROW_OP(ConcatOp, concat),
      ROW_OP(SliceOp, slice),
      ROW_OP(PadOp, pad),
      ROW_OP(EmbeddingOp, embedding),
      ROW_OP(PositionRowsOp, positionRows),
      ROW_OP(BroadcastRecordsOp, broadcastRecords),
      ROW_OP(SegmentLengthOp, segmentLength),
      ROW_OP(SegmentFirstOp, segmentFirst),
      ROW_OP(SegmentFirstGradOp, segmentFirstGrad),
      ROW_OP(OneHotOp, oneHot),
      ROW_OP(ClassWeightOp, classWeight),
      ROW_OP(CrossEntropyOp, crossEntropy),
      ROW_OP(CrossEntropyGradOp, crossEntropyGrad),
  };
#undef ROW_OP
  return table;
}

LogicalResult RowOps::emitRowStage(const RegionPlan &regionPlan, const Stage &stage, Value firstRow, Value endRow, Value blockNumber) {
  beginRow(nn::iterationRows(stage.ops.front()));
  region = &regionPlan;
  block = blockNumber;
  auto loop = scf::ForOp::create(b, loc, firstRow, endRow, constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  execution.betweenRows(*this);
  row = loop.getInductionVar();
  localRow = arith::SubIOp::create(b, loc, row, firstRow);
  for (Operation *op : stage.ops) {
    loc = op->getLoc();
    if (failed(emitRowOp(op))) {
      return failure();
    }
  }
  store(stage.ops);
  return success();
}

LogicalResult RowOps::emitRowOp(Operation *op) {
  if (auto scalar = dyn_cast<nn::ElementWise>(op)) {
    elementWise(scalar);
    return success();
  }
  auto method = methods().find(op->getName().getTypeID());
  return method == methods().end() ? op->emitError("no lowering for this operation") : (this->*method->second)(op);
}

void RowOps::elementWise(nn::ElementWise op) {
  Pending how;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    if (op.reads(static_cast<unsigned>(i))) {
      how.reads.push_back(operand);
    }
  }
  how.element = [op](OpBuilder &at, ValueRange elements, llvm::function_ref<Value()>) mutable { return op.buildElement(at, elements); };
  setPending(op->getResult(0), std::move(how));
}

//===--- pieces -----------------------------------------------------------------------------------------------------===//

Value RowOps::toIndex(Value integer) { return arith::IndexCastOp::create(b, loc, b.getIndexType(), integer); }
Value RowOps::add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
Value RowOps::sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
Value RowOps::mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
Value RowOps::div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }

Value RowOps::parentOfRow() { return toIndex(axisArray("row_parent", rowsHere, row, b.getI32Type())); }

Value RowOps::columns(Value memory, int64_t offset, int64_t width) {
  return memref::SubViewOp::create(b, loc, memory, ArrayRef<OpFoldResult>{b.getIndexAttr(offset)},
                                   ArrayRef<OpFoldResult>{b.getIndexAttr(width)}, ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
}

void RowOps::setPendingOn(Value value, Value memory, ValueRange reads,
                          std::function<Value(OpBuilder &, Value side, ValueRange elements)> element) {
  Pending how;
  bool isNumber = nn::widthOf(value.getType()) == 1;
  Value number = isNumber ? loadScalar(memory) : Value();
  if (!isNumber) {
    how.reads.push_back(memory);
  }
  how.reads.append(reads.begin(), reads.end());
  how.element = [=, element = std::move(element)](OpBuilder &at, ValueRange elements, llvm::function_ref<Value()>) {
    return isNumber ? element(at, number, elements) : element(at, elements[0], elements.drop_front());
  };
  setPending(value, std::move(how));
}

//===--- of one row -------------------------------------------------------------------------------------------------===//

LogicalResult RowOps::dropout(nn::DropoutOp op) {
  Type i64 = b.getI64Type();
  Value record = row, position = constantI64(0);
  if (rowsHere.kind == nn::RowsOf::Kind::axis) {
    record = toIndex(axisArray("row_record", rowsHere, row, b.getI32Type()));
    position = arith::ExtSIOp::create(b, loc, i64, axisArray("row_place", rowsHere, row, b.getI32Type()));
  } else if (rowsHere.kind == nn::RowsOf::Kind::fixed) {
    return op.emitError("dropout needs rows of records or of an axis");
  }
  Value recordNumber = axisArray("record_numbers", {nn::RowsOf::Kind::records, {}, 0}, record, i64);
  int64_t width = nn::widthOf(op.getType());
  Value mask = rowScratch(width);
  execution.dropoutRow(*this, mask, width,
                       {position, recordNumber, get("seed", i64), get("step", i64),
                        number(StepShape::Kind::randomKey, static_cast<int64_t>(op.getKey()), i64)},
                       op.getP().convertToDouble());
  setPendingOn(op.getResult(), mask, op.getInput(),
               [here = loc](OpBuilder &at, Value keep, ValueRange x) -> Value { return arith::MulFOp::create(at, here, x[0], keep); });
  return success();
}

LogicalResult RowOps::softmax(nn::SoftmaxOp op) {
  Value x = op.getInput();
  int64_t width = nn::widthOf(op.getType());
  memoryOf(x);
  Value most = maximum(x);
  Value powers = rowScratch(width);
  Value from = memoryOf(x);
  elementwise(from, powers, [&](OpBuilder &nested, Location l, ValueRange args, llvm::function_ref<Value()>) -> SmallVector<Value> {
    return {math::ExpOp::create(nested, l, arith::SubFOp::create(nested, l, args[0], most))};
  });
  Value all = fold(constant(width), constantF32(0), Combine::add, [&](Value sum, Value place) { return add(sum, loadAt(powers, place)); });
  Value share = div(constantF32(1), all);
  setPendingOn(op.getResult(), powers, {}, [here = loc, share](OpBuilder &at, Value power, ValueRange) -> Value {
    return arith::MulFOp::create(at, here, power, share);
  });
  return success();
}

LogicalResult RowOps::normalize(nn::NormalizeOp op) {
  Value x = op.getInput();
  int64_t width = nn::widthOf(x.getType());
  Value count = constantF32(static_cast<double>(width));
  if (width > 1) {
    memoryOf(x);
  }
  Value mean = div(sum(x), count);
  Value squares = reduce(x, 0, Combine::add, [&](Value all, Value e) {
    Value d = sub(e, mean);
    return add(all, mul(d, d));
  });
  Value variance = add(div(squares, count), constantF32(op.getEpsilon().convertToDouble()));
  Value rstd = div(constantF32(1), math::SqrtOp::create(b, loc, variance));
  setScalar(op.getRstd(), rstd);
  setPending(op.getResult(), {{x}, [here = loc, mean, rstd](OpBuilder &at, ValueRange e, llvm::function_ref<Value()>) -> Value {
                                return arith::MulFOp::create(at, here, arith::SubFOp::create(at, here, e[0], mean), rstd);
                              }});
  return success();
}

LogicalResult RowOps::normalizeGrad(nn::NormalizeGradOp op) {
  Value xhat = op.getNormalized(), g = op.getCotangent();
  int64_t width = nn::widthOf(op.getType());
  Value count = constantF32(static_cast<double>(width));
  if (width > 1) {
    memoryOf(xhat);
    memoryOf(g);
  }
  Value meanG = div(sum(g), count);
  Value dot;
  if (width == 1) {
    dot = mul(scalarOf(g), scalarOf(xhat));
  } else {
    Value gm = memoryOf(g), xm = memoryOf(xhat);
    dot = fold(constant(width), constantF32(0), Combine::add, [&](Value all, Value place) {
      Value left = loadAt(gm, place);
      return add(all, mul(left, loadAt(xm, place)));
    });
  }
  Value meanDot = div(dot, count), rstd = scalarOf(op.getRstd());
  // rstd * (g - mean(g) - xhat * mean(g * xhat))
  setPending(op.getResult(), {{xhat, g}, [=, here = loc](OpBuilder &at, ValueRange e, llvm::function_ref<Value()>) -> Value {
                                Value centred = arith::SubFOp::create(at, here, e[1], meanG);
                                Value along = arith::MulFOp::create(at, here, e[0], meanDot);
                                return arith::MulFOp::create(at, here, rstd, arith::SubFOp::create(at, here, centred, along));
                              }});
  return success();
}

LogicalResult RowOps::rowSum(nn::RowSumOp op) {
  setScalar(op.getResult(), sum(op.getInput()));
  return success();
}

LogicalResult RowOps::slice(nn::SliceOp op) {
  setMemory(op.getResult(), columns(memoryOf(op.getInput()), static_cast<int64_t>(op.getOffset()), nn::widthOf(op.getType())));
  return success();
}

Value RowOps::placeFor(Value result) { return plan.find(result) ? ownMemory(result) : rowScratch(nn::widthOf(result.getType())); }

void RowOps::place(Value result, Value to, ValueRange parts, int64_t offset) {
  for (Value part : parts) {
    int64_t width = nn::widthOf(part.getType());
    copyInto(part, columns(to, offset, width));
    offset += width;
  }
  if (plan.find(result)) {
    setStored(result, to);
  } else {
    setMemory(result, to);
  }
}

LogicalResult RowOps::concat(nn::ConcatOp op) {
  place(op.getResult(), placeFor(op.getResult()), op.getInputs(), 0);
  return success();
}

LogicalResult RowOps::pad(nn::PadOp op) {
  Value to = placeFor(op.getResult());
  fill(0, to);
  place(op.getResult(), to, op.getInput(), static_cast<int64_t>(op.getOffset()));
  return success();
}

//===--- sums over rows ---------------------------------------------------------------------------------------------===//

Value RowOps::partialOf(Operation *sum) {
  const Buffer &partial = region->partials.at(sum);
  return rowView(partial, block, partial.width);
}

void RowOps::addToPartial(Operation *over) {
  Value memory = partialOf(over);
  execution.addScalar(*this, sum(over->getOperand(0)), memory);
}

LogicalResult RowOps::columnSum(nn::ColumnSumOp op) {
  if (nn::widthOf(op.getType()) > 1) {
    accumulateInto(op.getInput(), partialOf(op));
  } else {
    addToPartial(op);
  }
  return success();
}

LogicalResult RowOps::total(nn::TotalOp op) {
  addToPartial(op);
  return success();
}

//===--- rows of other values ---------------------------------------------------------------------------------------===//

LogicalResult RowOps::embedding(nn::EmbeddingOp op) {
  Value id = loadScalar(rowView(bufferOf(op.getIds()), row, 1));
  if (!op.getNullable()) {
    setMemory(op.getResult(), rowView(bufferOf(op.getTable()), toIndex(id), nn::widthOf(op.getType())));
    return success();
  }
  Value zero = constantI32(0);
  Value isId = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, id, zero);
  Value from = rowView(bufferOf(op.getTable()), toIndex(arith::MaxSIOp::create(b, loc, id, zero)), nn::widthOf(op.getType()));
  setPendingOn(op.getResult(), from, {}, [here = loc, isId](OpBuilder &at, Value element, ValueRange) -> Value {
    return arith::SelectOp::create(at, here, isId, element, f32Constant(at, here, 0));
  });
  return success();
}

LogicalResult RowOps::oneHot(nn::OneHotOp op) {
  Value id = toIndex(loadScalar(rowView(bufferOf(op.getIds()), row, 1)));
  Pending how;
  how.element = [here = loc, id](OpBuilder &n, ValueRange, llvm::function_ref<Value()> index) -> Value {
    Value isId = arith::CmpIOp::create(n, here, arith::CmpIPredicate::eq, index(), id);
    return arith::SelectOp::create(n, here, isId, f32Constant(n, here, 1), f32Constant(n, here, 0));
  };
  setPending(op.getResult(), std::move(how));
  return success();
}

LogicalResult RowOps::positionRows(nn::PositionRowsOp op) {
  int64_t last = cast<RankedTensorType>(op.getTable().getType()).getDimSize(0) - 1;
  Value position = toIndex(axisArray(("row_" + op.getOf()).str(), rowsHere, row, b.getI32Type()));
  position = arith::MinUIOp::create(b, loc, position, constant(last));
  if (auto table = op.getTable().getDefiningOp<nn::ConstantOp>()) {
    setMemory(op.getResult(), constantRow(table, position));
  } else {
    setMemory(op.getResult(), rowView(bufferOf(op.getTable()), position, nn::widthOf(op.getType())));
  }
  return success();
}

LogicalResult RowOps::broadcastRecords(nn::BroadcastRecordsOp op) {
  Value parent = parentOfRow();
  setMemory(op.getResult(), rowView(bufferOf(op.getInput()), parent, nn::widthOf(op.getType())));
  return success();
}

LogicalResult RowOps::segmentLength(nn::SegmentLengthOp op) {
  const nn::RowsOf axis = nn::axisOf(op);
  Value from = axisArray("offsets", axis, row, b.getI32Type());
  Value to = axisArray("offsets", axis, arith::AddIOp::create(b, loc, row, constant(1)), b.getI32Type());
  setScalar(op.getResult(), arith::SIToFPOp::create(b, loc, b.getF32Type(), arith::SubIOp::create(b, loc, to, from)));
  return success();
}

LogicalResult RowOps::segmentFirst(nn::SegmentFirstOp op) {
  Value first = toIndex(axisArray("offsets", nn::rowsOf(op.getInput().getType()), row, b.getI32Type()));
  setMemory(op.getResult(), rowView(bufferOf(op.getInput()), first, nn::widthOf(op.getType())));
  return success();
}

LogicalResult RowOps::segmentFirstGrad(nn::SegmentFirstGradOp op) {
  Value position = axisArray("row_position", rowsHere, row, b.getI32Type());
  Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, position, constantI32(0));
  Value parent = parentOfRow();
  Value g = rowView(bufferOf(op.getCotangent()), parent, nn::widthOf(op.getType()));
  setPendingOn(op.getResult(), g, {}, [here = loc, isFirst](OpBuilder &at, Value cotangent, ValueRange) -> Value {
    return arith::SelectOp::create(at, here, isFirst, cotangent, f32Constant(at, here, 0));
  });
  return success();
}

//===--- losses -----------------------------------------------------------------------------------------------------===//

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

Value RowOps::weightsTable(ArrayRef<double> weights) {
  const SmallVector<float> numbers(weights.begin(), weights.end());
  return tableRow(numbers, static_cast<int64_t>(numbers.size()), constant(0));
}

/// The class of a row.
struct RowOps::Target {
  Value weight; // of the class; 0 where the target is no class
  Value index;  // 0 where it is no class
  Value valid;  // 1 or, where it is no class, 0
};

RowOps::Target RowOps::targetOf(Value value, ArrayRef<double> weights) {
  Value target = loadScalar(rowView(bufferOf(value), row, 1));
  Value zero = constantI32(0);
  Value index = toIndex(arith::MaxSIOp::create(b, loc, target, zero));
  Value isClass = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, target, zero);
  Value valid = arith::SelectOp::create(b, loc, isClass, constantF32(1), constantF32(0));
  if (weights.empty()) {
    return {valid, index, valid};
  }
  Value weight = weights.size() > comparedWeights ? loadAt(weightsTable(weights), index) : comparedWeight(b, loc, weights, target);
  return {arith::SelectOp::create(b, loc, isClass, weight, constantF32(0)), index, valid};
}

Value RowOps::logSumExp(Value logits) {
  memoryOf(logits);
  Value most = maximum(logits);
  Value all = reduce(logits, 0, Combine::add, [&](Value sum, Value x) { return add(sum, math::ExpOp::create(b, loc, sub(x, most))); });
  return add(most, math::LogOp::create(b, loc, all));
}

LogicalResult RowOps::classWeight(nn::ClassWeightOp op) {
  setScalar(op.getResult(), targetOf(op.getTarget(), op.getClassWeights()).weight);
  return success();
}

LogicalResult RowOps::crossEntropy(nn::CrossEntropyOp op) {
  ArrayRef<double> weights = op.getClassWeights();
  int64_t classes = nn::widthOf(op.getLogits().getType());
  double smoothing = op.getLabelSmoothing().convertToDouble();
  Value x = memoryOf(op.getLogits());
  Value lse = logSumExp(op.getLogits());
  Target target = targetOf(op.getTarget(), weights);
  Value loss = mul(mul(target.weight, constantF32(1 - smoothing)), sub(lse, loadAt(x, target.index)));
  if (smoothing > 0) {
    Value table = weights.size() > comparedWeights ? weightsTable(weights) : Value();
    Value spread = fold(constant(classes), constantF32(0), Combine::add, [&](Value before, Value place) {
      Value e = loadAt(x, place);
      Value w = table ? loadAt(table, place) : weights.empty() ? constantF32(1) : comparedWeight(b, loc, weights, place);
      return add(before, mul(w, sub(lse, e)));
    });
    loss = add(loss, mul(mul(target.valid, constantF32(smoothing / static_cast<double>(classes))), spread));
  }
  setScalar(op.getResult(), loss);
  return success();
}

// With p the softmax: scale * (p - [class]), and for the smoothing scale * (sum of weights * p - weight).
LogicalResult RowOps::crossEntropyGrad(nn::CrossEntropyGradOp op) {
  ArrayRef<double> weights = op.getClassWeights();
  int64_t classes = nn::widthOf(op.getLogits().getType());
  double smoothing = op.getLabelSmoothing().convertToDouble();
  Value lse = logSumExp(op.getLogits());
  Target target = targetOf(op.getTarget(), weights);
  Value g = scalarOf(op.getCotangent());
  Value scale = mul(g, mul(target.weight, constantF32(1 - smoothing)));
  Value smoothScale = mul(g, mul(target.valid, constantF32(smoothing / static_cast<double>(classes))));
  Value weightSum = constantF32(weights.empty() ? static_cast<double>(classes) : std::accumulate(weights.begin(), weights.end(), 0.0));
  bool smooths = smoothing > 0, hasTable = smooths && weights.size() > comparedWeights;
  Pending how;
  if (hasTable) {
    how.reads.push_back(weightsTable(weights));
  }
  how.reads.push_back(op.getLogits());
  how.element = [=, here = loc, at = target.index](OpBuilder &n, ValueRange e, llvm::function_ref<Value()> index) {
    auto mulAt = [&](Value x, Value y) -> Value { return arith::MulFOp::create(n, here, x, y); };
    auto subAt = [&](Value x, Value y) -> Value { return arith::SubFOp::create(n, here, x, y); };
    Value p = math::ExpOp::create(n, here, subAt(e.back(), lse));
    Value isClass = arith::CmpIOp::create(n, here, arith::CmpIPredicate::eq, index(), at);
    Value one = f32Constant(n, here, 1), zero = f32Constant(n, here, 0);
    Value result = mulAt(scale, subAt(p, arith::SelectOp::create(n, here, isClass, one, zero)));
    if (smooths) {
      Value weight = hasTable ? e.front() : weights.empty() ? one : comparedWeight(n, here, weights, index());
      Value smooth = mulAt(smoothScale, subAt(mulAt(weightSum, p), weight));
      result = arith::AddFOp::create(n, here, result, smooth);
    }
    return result;
  };
  setPending(op.getResult(), std::move(how));
  return success();
}

} // namespace penstock
