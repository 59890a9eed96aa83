#include "compiler/conversion/KernelToLinalg/KernelEmitter.h"

#include "compiler/dialect/Kernel/KernelTable.h"

using namespace mlir;

namespace penstock {

int64_t headWidth(kernel::InvokeOp attention) {
  int64_t width = nn::widthOf(attention.getOperands()[0].getType()) / attention->getAttrOfType<IntegerAttr>("heads").getInt();
  return attention.getKernel().starts_with("attention_first") ? width : width / 3; // of q | k | v
}

//===--- operands -------------------------------------------------------------------------------------------------------===//

Value KernelEmitter::at(Value value) { return rowView(bufferOf(value), {}, 1); }

// Sizes are numbers of the step: values of other widths go through the same code.
Value KernelEmitter::size(int64_t value) { return number(StepShape::Kind::count, value, b.getI64Type()); }

Value KernelEmitter::widthOf(Value value) { return size(nn::widthOf(value.getType())); }

Value KernelEmitter::countOf(Value value) {
  nn::RowsOf rows = nn::rowsOf(value.getType());
  return rows.kind == nn::RowsOf::Kind::fixed ? size(rows.rows) : asI64(rowsOfBuffer(rows));
}

Type KernelEmitter::bytesType() { return MemRefType::get({ShapedType::kDynamic}, b.getI8Type()); }

// Of the ragged axis that the kernel works along.
Value KernelEmitter::axisBytes(kernel::InvokeOp invoke, StringRef what) {
  for (Value v : llvm::concat<Value>(invoke.getOperands(), invoke.getResults())) {
    if (nn::isOnAxis(v.getType())) {
      return get(what, bytesType(), axisOf(nn::rowsOf(v.getType())));
    }
  }
  return get(what, bytesType(), axisOf({}));
}

// What a kernel of a range of records may use of the worker.
Value KernelEmitter::scratch() {
  Buffer buffer;
  buffer.kind = Buffer::Kind::worker;
  buffer.element = b.getF32Type();
  return rowView(buffer, {}, 1);
}

//===--- calls ------------------------------------------------------------------------------------------------------------===//

void KernelEmitter::emit(kernel::PackOp pack) {
  auto dispatch = module.lookup<kernel::DispatchOp>(pack.getHandle());
  call(("penstock_" + dispatch.getKernel() + "_pack").str(), {handle(pack.getHandleAttr()), at(pack.getWeight()), pool()});
}

LogicalResult KernelEmitter::emit(kernel::InvokeOp invoke) {
  switch (kernel::findKernel(invoke.getKernel())->scope) {
  case kernel::Scope::whole:
    emitWhole(invoke);
    return success();
  case kernel::Scope::segments:
    emitSegments(invoke);
    return success();
  case kernel::Scope::rows:
    break;
  }
  return invoke.emitError("a row kernel stands outside a row region");
}

void KernelEmitter::emitWhole(kernel::InvokeOp invoke) {
  StringRef kernel = invoke.getKernel(), symbol = kernel::findKernel(kernel)->symbol;
  auto operandAt = [&](unsigned i) { return at(invoke.getOperands()[i]); };
  auto resultAt = [&](unsigned i) { return at(invoke.getResult(i)); };
  auto offsets = [&] { return axisBytes(invoke, "offsets"); };
  auto records = [&] { return asI64(get("records", b.getIndexType())); };
  auto scratchAt = [&] { return rowView(plan.scratches.at(invoke), {}, 1); };
  Value threads = pool();
  if (kernel == "weight_gradient") {
    Value x = invoke.getOperands()[0], dy = invoke.getOperands()[1];
    call(symbol, {handle(invoke.getHandleAttr()), threads, at(x), widthOf(x), at(dy), widthOf(dy), countOf(x), resultAt(0), scratchAt()});
  } else if (kernel == "conv1d_weight_grad") {
    call(symbol, {handle(invoke.getHandleAttr()), threads, operandAt(0), operandAt(1), offsets(), records(), resultAt(0), scratchAt()});
  } else if (kernel == "conv1d_max_weight_grad") {
    call(symbol, {handle(invoke.getHandleAttr()), threads, operandAt(0), operandAt(1), operandAt(2), offsets(), records(), resultAt(0)});
  } else {
    auto shape = cast<RankedTensorType>(invoke.getResult(0).getType());
    bool positions = kernel == "position_rows_grad";
    auto of = invoke->getAttrOfType<StringAttr>("of"); // position or segment
    Value ids = positions ? axisBytes(invoke, ("row_" + (of ? of.getValue() : "position")).str()) : operandAt(0);
    Value dy = positions ? operandAt(0) : operandAt(1);
    Value from = kernel == "bag_sum_grad" ? axisBytes(invoke, "row_record") : nullPointer();
    call(symbol, {threads, ids, from, dy, countOf(invoke.getOperands()[0]), size(shape.getDimSize(1)), size(shape.getDimSize(0)),
                  resultAt(0), scratchAt()});
  }
}

void KernelEmitter::emitSegments(kernel::InvokeOp invoke) {
  StringRef kernel = invoke.getKernel(), symbol = kernel::findKernel(kernel)->symbol;
  auto operandAt = [&](unsigned i) { return at(invoke.getOperands()[i]); };
  auto resultAt = [&](unsigned i) { return at(invoke.getResult(i)); };
  auto offsets = [&] { return axisBytes(invoke, "offsets"); };
  auto bias = [&](unsigned i) -> Value { return invoke.getOperands().size() > i ? operandAt(i) : nullPointer(); };
  bool heavy = kernel.starts_with("attention") || kernel.starts_with("conv1d") || kernel.starts_with("crf_");
  parallel(get("records", b.getIndexType()), heavy ? 1 : 16, [&](Value beginIndex, Value endIndex) {
    Value begin = asI64(beginIndex), end = asI64(endIndex);
    if (kernel.starts_with("attention")) {
      int64_t heads = invoke->getAttrOfType<IntegerAttr>("heads").getInt();
      auto dropoutAttr = invoke->getAttrOfType<FloatAttr>("dropout");
      auto keyAttr = invoke->getAttrOfType<IntegerAttr>("key");
      SmallVector<Value> arguments; // operands and results, in the order of the C functions
      for (Value v : llvm::concat<Value>(invoke.getOperands(), invoke.getResults())) {
        arguments.push_back(at(v));
      }
      arguments.append({offsets(), get("record_numbers", bytesType()), begin, end, constantI64(heads), size(headWidth(invoke)),
                        constantF32(dropoutAttr ? dropoutAttr.getValueAsDouble() : 0), get("seed", b.getI64Type()),
                        get("step", b.getI64Type()),
                        keyAttr ? number(StepShape::Kind::randomKey, keyAttr.getInt(), b.getI64Type()) : constantI64(0), scratch()});
      call(symbol, arguments);
    } else if (kernel == "conv1d") {
      call(symbol, {handle(invoke.getHandleAttr()), operandAt(0), resultAt(0), offsets(), begin, end, bias(1), scratch()});
    } else if (kernel == "conv1d_max") {
      call(symbol, {handle(invoke.getHandleAttr()), operandAt(0), offsets(), begin, end, bias(1), resultAt(0), resultAt(1), scratch()});
    } else if (kernel == "conv1d_input_grad") {
      call(symbol, {handle(invoke.getHandleAttr()), operandAt(0), resultAt(0), offsets(), begin, end, constantI32(0), scratch()});
    } else if (kernel == "conv1d_max_input_grad") {
      call(symbol,
           {handle(invoke.getHandleAttr()), operandAt(0), operandAt(1), operandAt(2), resultAt(0), offsets(), begin, end, constantI32(0)});
    } else if (kernel.starts_with("crf_")) {
      // Operands, where the records' rows and words are, and results, in the order of the C functions.
      SmallVector<Value> arguments;
      for (Value v : invoke.getOperands()) {
        arguments.push_back(at(v));
      }
      arguments.push_back(offsets());
      if (kernel == "crf_decode") {
        arguments.push_back(axisBytes(invoke, "row_word"));
      }
      arguments.append({begin, end, widthOf(invoke.getOperands()[0])});
      for (Value v : invoke.getResults()) {
        arguments.push_back(at(v));
      }
      arguments.push_back(scratch());
      call(symbol, arguments);
    } else if (kernel == "segment_sum") {
      call(symbol, {operandAt(0), offsets(), begin, end, widthOf(invoke.getResult(0)), resultAt(0)});
    } else if (kernel == "segment_max") {
      call(symbol, {operandAt(0), offsets(), begin, end, widthOf(invoke.getResult(0)), resultAt(0), resultAt(1)});
    } else if (kernel == "segment_max_grad") {
      call(symbol, {operandAt(0), operandAt(1), offsets(), begin, end, widthOf(invoke.getResult(0)), resultAt(0)});
    } else if (kernel == "bag_sum") {
      call(symbol, {operandAt(1), operandAt(0), offsets(), begin, end, widthOf(invoke.getResult(0)), resultAt(0)});
    } else {
      call(symbol, {operandAt(0), offsets(), begin, end, widthOf(invoke.getResult(0)), resultAt(0)});
    }
  });
}

} // namespace penstock
