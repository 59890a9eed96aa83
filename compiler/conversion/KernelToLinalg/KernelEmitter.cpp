#include "compiler/conversion/KernelToLinalg/KernelEmitter.h"

using namespace mlir;

namespace penstock {

Value valueOf(kernel::InvokeOp invoke, KernelValue which) {
  unsigned index = static_cast<unsigned>(which.index);
  return which.result ? Value(invoke.getResult(index)) : index < invoke.getOperands().size() ? invoke.getOperands()[index] : Value();
}

int64_t widthOf(kernel::InvokeOp invoke, const KernelArgument &argument) {
  int64_t width = nn::widthOf(valueOf(invoke, argument.of).getType()) / argument.divisor;
  return argument.attribute ? width / invoke->getAttrOfType<IntegerAttr>(argument.attribute).getInt() : width;
}

//===--- arguments ------------------------------------------------------------------------------------------------------===//

// Sizes are numbers of the step, so that values of other widths go through the same code; in a region they are constants of its code.
Value StepBuilder::kernelSize(int64_t size, bool inRegion) {
  return inRegion ? constantI64(size) : number(StepShape::Kind::count, size, b.getI64Type());
}

// The axis that a kernel works along is the one that lies deepest: other values lie on its parent.
static nn::RowsOf axisAlong(kernel::InvokeOp invoke) {
  nn::RowsOf deepest;
  for (Value v : llvm::concat<Value>(invoke.getOperands(), invoke.getResults())) {
    const nn::RowsOf rows = nn::rowsOf(v.getType());
    if (rows.axes && (!deepest.axes || rows.axes.size() > deepest.axes.size())) {
      deepest = rows;
    }
  }
  return deepest;
}

Value StepBuilder::kernelArray(kernel::InvokeOp invoke, StringRef what) { return get(what, bytesType(), axisOf(axisAlong(invoke))); }

Value StepBuilder::kernelSegments(kernel::InvokeOp invoke) {
  const nn::RowsOf axis = axisAlong(invoke);
  return axis.axes ? rowsOfBuffer(nn::parentOf(axis)) : get("records", b.getIndexType());
}

Value StepBuilder::kernelValue(kernel::InvokeOp invoke, const KernelArgument &argument, Value firstRow) {
  Value value = valueOf(invoke, argument.of);
  if (!value) {
    return nullPointer(); // a vector that this invocation has not
  }
  const Buffer &buffer = bufferOf(value);
  // Values of the worker's scratch begin at the block's first row.
  bool whole = argument.role == KernelRole::vector || buffer.kind == Buffer::Kind::worker;
  return rowView(buffer, whole ? Value() : firstRow, 1);
}

void StepBuilder::addPool(SmallVectorImpl<Value> &arguments) {
  if (!layout.onDevice) {
    arguments.push_back(pool());
  }
}

void StepBuilder::addRows(SmallVectorImpl<Value> &arguments, const nn::RowsOf &rows) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  if (!layout.onDevice) {
    arguments.push_back(rows.kind == nn::RowsOf::Kind::fixed ? kernelSize(rows.rows, false) : asI64(rowsOfBuffer(rows)));
  } else if (rows.kind == nn::RowsOf::Kind::fixed) {
    arguments.append({kernelSize(rows.rows, false), nullPointer()});
  } else {
    const int section = plan.memory.sectionOf(axisOf(rows));
    arguments.append({asI64(get("capacity", b.getIndexType(), section)), get("count_place", pointer, section)});
  }
}

bool StepBuilder::addDeviceArgument(kernel::InvokeOp invoke, const KernelArgument &argument, SmallVectorImpl<Value> &arguments) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  switch (argument.role) {
  case KernelRole::rows:
    addRows(arguments, nn::rowsOf(valueOf(invoke, argument.of).getType()));
    return true;
  case KernelRole::records:
  case KernelRole::last: {
    const nn::RowsOf axis = axisAlong(invoke);
    addRows(arguments, axis.axes ? nn::parentOf(axis) : nn::RowsOf{nn::RowsOf::Kind::records, {}, 0});
    return true;
  }
  case KernelRole::seed:
  case KernelRole::step:
    arguments.push_back(get(argument.role == KernelRole::seed ? "seed_place" : "step_place", pointer));
    return true;
  case KernelRole::first:
  case KernelRole::pool:
  case KernelRole::scratch:
    return true;
  default:
    return false;
  }
}

Value StepBuilder::kernelArgument(kernel::InvokeOp invoke, const KernelRow &row, const KernelArgument &argument, Value first,
                                  Value second) {
  bool inRegion = row.scope == KernelScope::rows && !layout.onDevice;
  Type i64 = b.getI64Type();
  switch (argument.role) {
  case KernelRole::handle:
    return handle(invoke.getHandleAttr());
  case KernelRole::pool:
    return pool();
  case KernelRole::value:
  case KernelRole::vector:
  case KernelRole::result:
  case KernelRole::ids:
  case KernelRole::places:
    return kernelValue(invoke, argument, inRegion ? first : Value());
  case KernelRole::scratch: {
    Buffer ofWorker;
    ofWorker.kind = Buffer::Kind::worker;
    ofWorker.element = b.getF32Type();
    auto own = plan.scratches.find(invoke);
    return rowView(own != plan.scratches.end() ? own->second : ofWorker, {}, 1);
  }
  case KernelRole::offsets:
    return kernelArray(invoke, "offsets");
  case KernelRole::rowRecord:
    return kernelArray(invoke, "row_parent");
  case KernelRole::rowWord:
    return kernelArray(invoke, "row_word");
  case KernelRole::rowPlace: {
    auto of = invoke->getAttrOfType<StringAttr>("of"); // position or segment
    return kernelArray(invoke, ("row_" + (of ? of.getValue() : "position")).str());
  }
  case KernelRole::null:
    return nullPointer();
  case KernelRole::first:
    return asI64(first);
  case KernelRole::last:
    return asI64(second);
  case KernelRole::records:
    return asI64(kernelSegments(invoke));
  case KernelRole::rows: {
    if (inRegion) {
      return asI64(second);
    }
    SmallVector<Value> rows;
    addRows(rows, nn::rowsOf(valueOf(invoke, argument.of).getType()));
    return rows.front();
  }
  case KernelRole::width:
    return kernelSize(widthOf(invoke, argument), inRegion);
  case KernelRole::number:
    return constantI64(invoke->getAttrOfType<IntegerAttr>(argument.attribute).getInt());
  case KernelRole::recordNumbers:
    return get("record_numbers", bytesType());
  case KernelRole::seed:
    return get("seed", i64);
  case KernelRole::step:
    return get("step", i64);
  case KernelRole::key: {
    auto key = invoke->getAttrOfType<IntegerAttr>("key");
    return key ? number(StepShape::Kind::randomKey, key.getInt(), i64) : constantI64(0);
  }
  case KernelRole::probability: {
    auto dropout = invoke->getAttrOfType<FloatAttr>("dropout");
    return constantF32(dropout ? dropout.getValueAsDouble() : 0);
  }
  case KernelRole::overwrite:
    return constantI32(0);
  case KernelRole::record: // of kernels that other code calls
  case KernelRole::nothing:
    break;
  }
  return {};
}

void StepBuilder::callKernel(kernel::InvokeOp invoke, Value first, Value second) {
  const KernelRow &row = *findKernelRow(invoke.getKernel());
  SmallVector<Value> arguments;
  for (const KernelArgument &argument : argumentsOf(row)) {
    if (!layout.onDevice || !addDeviceArgument(invoke, argument, arguments)) {
      arguments.push_back(kernelArgument(invoke, row, argument, first, second));
    }
  }
  call(invoke.getKernel(), arguments);
}

//===--- calls outside of regions -----------------------------------------------------------------------------------------===//

void KernelEmitter::emit(kernel::PackOp pack) {
  SmallVector<Value> arguments{handle(pack.getHandleAttr()), rowView(bufferOf(pack.getWeight()), {}, 1)};
  addPool(arguments);
  call("pack", arguments);
}

LogicalResult KernelEmitter::emit(kernel::InvokeOp invoke) {
  const KernelRow &row = *findKernelRow(invoke.getKernel());
  if (layout.onDevice && row.scope != KernelScope::inner) {
    callKernel(invoke, {}, {});
    return success();
  }
  switch (row.scope) {
  case KernelScope::whole:
    callKernel(invoke, {}, {});
    return success();
  case KernelScope::segments: {
    auto segments = [&] { return kernelSegments(invoke); };
    parallel({-1, 0, segments, row.grain, 1}, [&](Value begin, Value end) { callKernel(invoke, begin, end); });
    return success();
  }
  case KernelScope::rows:
  case KernelScope::inner:
    break;
  }
  return invoke.emitError("a row kernel stands outside a row region");
}

} // namespace penstock
