#include "compiler/conversion/KernelToLinalg/PlanAttributes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace penstock {

using kernel::PlaceKind;

static PlaceKind kindOf(const Buffer &buffer) {
  switch (buffer.kind) {
  case Buffer::Kind::arena:
    return buffer.slot >= 0 ? PlaceKind::slot : PlaceKind::gradient;
  case Buffer::Kind::parameter:
    return PlaceKind::parameter;
  case Buffer::Kind::state:
    return PlaceKind::state;
  case Buffer::Kind::fitted:
    return PlaceKind::fitted;
  case Buffer::Kind::input:
    return PlaceKind::input;
  case Buffer::Kind::output:
    return PlaceKind::output;
  case Buffer::Kind::worker:
    break;
  }
  return PlaceKind::worker;
}

static Buffer::Kind kindOf(PlaceKind kind) {
  switch (kind) {
  case PlaceKind::slot:
  case PlaceKind::gradient:
    return Buffer::Kind::arena;
  case PlaceKind::parameter:
    return Buffer::Kind::parameter;
  case PlaceKind::state:
    return Buffer::Kind::state;
  case PlaceKind::fitted:
    return Buffer::Kind::fitted;
  case PlaceKind::input:
    return Buffer::Kind::input;
  case PlaceKind::output:
    return Buffer::Kind::output;
  case PlaceKind::worker:
    break;
  }
  return Buffer::Kind::worker;
}

namespace {

/// Between places of the plan and their attributes.
class Places {
public:
  Places(const MemoryPlan &memory, MLIRContext *context) : memory(memory), context(context) {}

  /// `value`: what lies there, whose type says its width; null where the place has to say it.
  kernel::PlaceAttr write(const Buffer &buffer, Value value) const {
    const PlaceKind kind = kindOf(buffer);
    const bool counted = kind == PlaceKind::input || kind == PlaceKind::output;
    const int64_t at = kind == PlaceKind::slot ? buffer.slot : counted ? buffer.index : buffer.offset;
    return kernel::PlaceAttr::get(context, kind, at, memory.sectionOf(buffer.axis), value ? 0 : buffer.width, buffer.stride);
  }

  Buffer read(kernel::PlaceAttr place, Value value) const {
    Buffer buffer;
    buffer.kind = kindOf(place.getKind());
    buffer.axis = memory.axisOfSection(place.getSection());
    buffer.stride = place.getStride();
    switch (place.getKind()) {
    case PlaceKind::slot:
      buffer.slot = static_cast<int>(place.getAt());
      break;
    case PlaceKind::input:
    case PlaceKind::output:
      buffer.index = static_cast<int>(place.getAt());
      break;
    default:
      buffer.offset = place.getAt();
    }
    buffer.element = Float32Type::get(context);
    if (value) {
      buffer.rows = nn::rowsOf(value.getType());
      buffer.width = nn::widthOf(value.getType());
      buffer.element = nn::elementTypeOf(value.getType());
    } else {
      buffer.width = place.getWidth();
    }
    return buffer;
  }

private:
  const MemoryPlan &memory;
  MLIRContext *context;
};

} // namespace

bool hasPlan(func::FuncOp function) { return function->hasAttr("kernel.slots"); }

static DictionaryAttr rowsReadOf(const Places &places, const EntryPlan &plan, ArrayRef<StringRef> tables, MLIRContext *context) {
  SmallVector<NamedAttribute> entries;
  for (StringRef table : tables) {
    const RowsRead &read = plan.rowsRead.find(table)->second;
    entries.emplace_back(
        StringAttr::get(context, table),
        ArrayAttr::get(context, {places.write(read.groups, {}), places.write(read.gradient, {}), places.write(read.partials, {})}));
  }
  return DictionaryAttr::get(context, entries);
}

void writePlan(const ProgramLayout &layout, func::FuncOp entry, const EntryPlan &plan) {
  MLIRContext *context = entry.getContext();
  Builder b(context);
  const Places places(plan.memory, context);
  SmallVector<Attribute> slots;
  for (const Extent &slot : plan.memory.allSlots()) {
    slots.push_back(kernel::SlotAttr::get(context, slot.constant, slot.coefficient, plan.memory.sectionOf(slot.axis)));
  }
  entry->setAttr("kernel.slots", b.getArrayAttr(slots));
  entry->setAttr("kernel.reserved", b.getI64IntegerAttr(plan.memory.reservedBytes()));
  for (const auto &[op, region] : plan.regions) {
    op->setAttr("kernel.block", b.getI64IntegerAttr(region.block));
    Operation *end = op->getRegion(0).front().getTerminator();
    for (const Stage &stage : region.stages) {
      for (Operation *inner : stage.ops) {
        inner->moveBefore(end);
      }
    }
    for (const auto &[sum, partial] : region.partials) {
      sum->setAttr("kernel.partial", places.write(partial, {}));
    }
  }
  for (const auto &[op, bytes] : plan.workers) {
    op->setAttr("kernel.worker", b.getI64IntegerAttr(bytes));
  }
  for (const auto &[op, scratch] : plan.scratches) {
    op->setAttr("kernel.scratch", places.write(scratch, {}));
  }
  SmallVector<StringRef> tables;
  entry.walk([&](nn::RefreshOp refresh) { tables.push_back(refresh.getName()); });
  entry.walk([&](Operation *op) {
    SmallVector<Attribute> ofResults;
    bool any = false;
    for (Value result : op->getResults()) {
      const Buffer *place = plan.find(result);
      any |= place != nullptr;
      ofResults.push_back(place ? places.write(*place, result) : Attribute(b.getUnitAttr()));
    }
    if (any) {
      op->setAttr("kernel.places", b.getArrayAttr(ofResults));
    }
    if (auto output = dyn_cast<nn::OutputOp>(op)) {
      op->setAttr("kernel.to", kernel::PlaceAttr::get(context, PlaceKind::output, static_cast<int64_t>(output.getIndex()), -1, 0, 0));
    } else if (auto gradient = dyn_cast<nn::GradientOp>(op)) {
      const int64_t offset = layout.gradientOffset(layout.parameter(gradient.getName())) * 4;
      op->setAttr("kernel.to", kernel::PlaceAttr::get(context, PlaceKind::gradient, offset, -1, 0, 0));
    } else if (auto update = dyn_cast<nn::UpdateOp>(op)) {
      op->setAttr("kernel.to", places.write(layout.bufferOf(update.getName(), update.getValue().getType()), update.getValue()));
    } else if (auto refresh = dyn_cast<nn::RefreshOp>(op)) {
      op->setAttr("kernel.rows_read", rowsReadOf(places, plan, {refresh.getName()}, context));
      op->setAttr("kernel.optimizer", (*entry.getOps<nn::ApplyOp>().begin())->getAttrDictionary());
    } else if (auto rows = dyn_cast<nn::RowGradientOp>(op)) {
      op->setAttr("kernel.rows_read", rowsReadOf(places, plan, {rows.getName()}, context));
    } else if (isa<nn::ApplyOp>(op) && !tables.empty()) {
      op->setAttr("kernel.rows_read", rowsReadOf(places, plan, tables, context));
    }
    if (isa<nn::ApplyOp>(op) && holdsGradient(entry)) {
      op->setAttr("kernel.in_arena", b.getUnitAttr());
    }
  });
}

static void readRegion(const Places &places, kernel::RowsOp region, EntryPlan &plan) {
  RegionPlan &regionPlan = plan.regions[region];
  regionPlan.block = region->getAttrOfType<IntegerAttr>("kernel.block").getInt();
  for (Operation &op : region.getBody().front().without_terminator()) {
    const bool rows = !isa<kernel::InvokeOp>(op);
    if (regionPlan.stages.empty() || regionPlan.stages.back().rows != rows) {
      regionPlan.stages.push_back({rows, {}});
    }
    regionPlan.stages.back().ops.push_back(&op);
    if (auto partial = op.getAttrOfType<kernel::PlaceAttr>("kernel.partial")) {
      regionPlan.partials[&op] = places.read(partial, {});
    }
  }
}

EntryPlan readPlan(const ProgramLayout &layout, func::FuncOp function) {
  EntryPlan plan(layout);
  if (hasPlan(function)) {
    plan.memory = MemoryPlan::read(layout, function);
  }
  const Places places(plan.memory, function.getContext());
  function.walk([&](Operation *op) {
    if (auto ofResults = op->getAttrOfType<ArrayAttr>("kernel.places")) {
      for (auto [result, place] : llvm::zip(op->getResults(), ofResults)) {
        if (auto attribute = dyn_cast<kernel::PlaceAttr>(place)) {
          plan.buffers[result] = places.read(attribute, result);
        }
      }
    }
    if (auto worker = op->getAttrOfType<IntegerAttr>("kernel.worker"); worker && op != function) {
      plan.workers[op] = worker.getInt();
    }
    if (auto scratch = op->getAttrOfType<kernel::PlaceAttr>("kernel.scratch")) {
      plan.scratches[op] = places.read(scratch, {});
    }
    if (auto read = op->getAttrOfType<DictionaryAttr>("kernel.rows_read")) {
      for (NamedAttribute table : read) {
        auto three = cast<ArrayAttr>(table.getValue());
        auto at = [&](unsigned i) { return places.read(cast<kernel::PlaceAttr>(three[i]), {}); };
        plan.rowsRead[table.getName()] = {at(0), at(1), at(2)};
      }
    }
    if (auto region = dyn_cast<kernel::RowsOp>(op)) {
      readRegion(places, region, plan);
    }
  });
  return plan;
}

Buffer destinationOf(const ProgramLayout &layout, Operation *op) {
  const MemoryPlan memory(layout);
  return Places(memory, op->getContext()).read(op->getAttrOfType<kernel::PlaceAttr>("kernel.to"), op->getOperand(0));
}

bool samePlace(const Buffer &a, const Buffer &b) {
  return a.kind == b.kind && a.slot == b.slot && a.offset == b.offset && a.index == b.index;
}

} // namespace penstock
