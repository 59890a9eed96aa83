#include "compiler/conversion/KernelToLinalg/StepShape.h"

using namespace mlir;

namespace penstock {

void StepShape::add(std::int64_t value) { key.append(reinterpret_cast<const char *>(&value), sizeof value); }

// Types, attributes and names of ops are unique in their context, so their address stands for them.
void StepShape::add(const void *unique) { key.append(reinterpret_cast<const char *>(&unique), sizeof unique); }

void StepShape::addNumber(Kind kind, std::int64_t value) {
  auto [it, isNew] = places.try_emplace({static_cast<int>(kind), value}, next);
  if (isNew) {
    list.push_back({kind, value});
    next += kind == Kind::slot ? 2 : 1;
  }
  add(static_cast<std::int64_t>(it->second));
}

std::optional<unsigned> StepShape::placeOf(Kind kind, std::int64_t value) const {
  auto it = places.find({static_cast<int>(kind), value});
  return it == places.end() ? std::nullopt : std::optional(it->second);
}

void StepShape::addRows(const nn::RowsOf &rows) {
  add(static_cast<std::int64_t>(rows.kind));
  add(rows.axes.getAsOpaquePointer());
}

void StepShape::addBuffer(const Buffer &buffer) {
  addRows(buffer.rows);
  add(buffer.rows.rows);
  add(buffer.width);
  add(buffer.stride);
  addPlace(buffer);
}

void StepShape::addPlace(const Buffer &buffer) {
  add(static_cast<std::int64_t>(buffer.kind));
  add(buffer.element.getAsOpaquePointer());
  switch (buffer.kind) {
  case Buffer::Kind::arena:
    add(static_cast<std::int64_t>(buffer.slot >= 0));
    add(static_cast<std::int64_t>(buffer.axis));
    addNumber(buffer.slot >= 0 ? Kind::slot : Kind::offset, buffer.slot >= 0 ? buffer.slot : buffer.offset);
    break;
  case Buffer::Kind::parameter:
  case Buffer::Kind::state:
  case Buffer::Kind::fitted:
    addNumber(Kind::offset, buffer.offset);
    break;
  case Buffer::Kind::input:
  case Buffer::Kind::output:
    add(static_cast<std::int64_t>(buffer.index));
    break;
  case Buffer::Kind::worker:
    add(buffer.offset);
    break;
  }
}

void StepShape::addValue(Value value, const Buffer *buffer) {
  auto [it, isNew] = names.try_emplace(value, static_cast<std::int64_t>(names.size()));
  add(it->second);
  if (!isNew) {
    return;
  }
  add(value.getType().getAsOpaquePointer());
  Operation *op = value.getDefiningOp();
  if (op && op->hasTrait<nn::Immediate>()) {
    add(op->getName().getAsOpaquePointer());
    add(op->getAttrDictionary().getAsOpaquePointer());
  }
  add(static_cast<std::int64_t>(buffer != nullptr));
  if (buffer) {
    addBuffer(*buffer);
  }
}

void StepShape::addAttributes(Operation *op) {
  add(op->getName().getAsOpaquePointer());
  for (NamedAttribute attribute : op->getAttrDictionary()) {
    if (attribute.getName().getValue().starts_with("kernel.")) {
      continue; // of the plan: what decides about the code is added with the buffers
    }
    add(attribute.getName().getAsOpaquePointer());
    if (auto handle = dyn_cast<FlatSymbolRefAttr>(attribute.getValue()); handle && attribute.getName() == "handle") {
      addNumber(Kind::handle, layout.handleIndex.lookup(handle.getValue()));
    } else if (auto number = dyn_cast<IntegerAttr>(attribute.getValue()); number && attribute.getName() == "key") {
      addNumber(Kind::randomKey, number.getInt());
    } else {
      add(attribute.getValue().getAsOpaquePointer());
    }
  }
  add(static_cast<std::int64_t>(op->getNumOperands()));
  add(static_cast<std::int64_t>(op->getNumResults()));
}

void StepShape::addOp(Operation *op, llvm::function_ref<const Buffer *(Value)> bufferOf) {
  addAttributes(op);
  for (Value value : llvm::concat<Value>(op->getOperands(), op->getResults())) {
    addValue(value, bufferOf(value));
  }
}

void StepShape::addKernel(Operation *op, llvm::function_ref<const Buffer *(Value)> bufferOf) {
  addAttributes(op);
  for (Value value : llvm::concat<Value>(op->getOperands(), op->getResults())) {
    const nn::RowsOf rows = nn::rowsOf(value.getType());
    addRows(rows);
    addNumber(Kind::count, nn::widthOf(value.getType()));
    if (rows.kind == nn::RowsOf::Kind::fixed) {
      addNumber(Kind::count, rows.rows);
    }
    const Buffer *buffer = bufferOf(value);
    add(static_cast<std::int64_t>(buffer != nullptr));
    if (buffer) {
      addPlace(*buffer);
    }
  }
}

StepShape::StepShape(const ProgramLayout &layout, ArrayAttr numbers) : layout(layout) {
  for (auto number : numbers.getAsRange<kernel::NumberAttr>()) {
    addNumber(number.getKind(), number.getValue());
  }
}

ArrayAttr StepShape::numbersAttr(Builder &b) const {
  SmallVector<Attribute> all;
  for (const Number &number : list) {
    all.push_back(kernel::NumberAttr::get(b.getContext(), number.kind, number.value));
  }
  return b.getArrayAttr(all);
}

std::vector<std::int64_t> StepShape::numbers(ArrayRef<MemoryPlan::Offset> offsets) const {
  std::vector<std::int64_t> table{0, offsets.back().constant};
  for (const Number &number : list) {
    if (number.kind == Kind::slot) {
      const MemoryPlan::Offset &offset = offsets[static_cast<size_t>(number.value)];
      table.insert(table.end(), {offset.constant, offset.coefficient});
    } else {
      table.push_back(number.value);
    }
  }
  return table;
}

} // namespace penstock
