#include "compiler/conversion/KernelToLinalg/MemoryPlan.h"

#include "compiler/dialect/Kernel/Kernel.h"
#include "runtime/abi/program_abi.h"

#include <algorithm>

using namespace mlir;

namespace penstock {

static std::int64_t roundUp(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

static int initializerOf(StringRef name) {
  return llvm::StringSwitch<int>(name)
      .Case("ones", PENSTOCK_INIT_ONES)
      .Case("uniform", PENSTOCK_INIT_UNIFORM)
      .Case("normal", PENSTOCK_INIT_NORMAL)
      .Case("constant", PENSTOCK_INIT_CONSTANT)
      .Default(PENSTOCK_INIT_ZEROS);
}

ProgramLayout::ProgramLayout(ModuleOp module) {
  SmallVector<nn::GlobalOp> globals;
  for (auto global : module.getOps<nn::GlobalOp>()) {
    if (global.getTensorClass() == "parameter") {
      globals.push_back(global);
    }
  }
  std::stable_sort(globals.begin(), globals.end(),
                   [](nn::GlobalOp a, nn::GlobalOp b) { return a.getDecays() > b.getDecays(); });
  for (nn::GlobalOp global : globals) {
    auto type = cast<RankedTensorType>(global.getType());
    Parameter p{global.getSymName().str(), type, parameterElements, type.getNumElements(), global.getDecays()};
    parameterIndex[p.name] = parameters.size();
    parameterElements += roundUp(p.elements, 64);
    if (p.decays) {
      decayingElements = parameterElements;
    }
    ProgramTable::Tensor t;
    t.name = p.name;
    t.tensorClass = PENSTOCK_PARAMETER;
    t.shape.assign(type.getShape().begin(), type.getShape().end());
    t.offset = p.offset;
    t.elements = p.elements;
    t.initializer = initializerOf(global.getInitializer());
    t.scale = static_cast<float>(global.getScale().convertToDouble());
    t.decays = p.decays;
    table.tensors.push_back(std::move(t));
    parameters.push_back(std::move(p));
  }
  table.parameterElements = parameterElements;

  for (auto dispatch : module.getOps<kernel::DispatchOp>()) {
    handleIndex[dispatch.getSymName()] = table.dispatches.size();
    table.dispatches.push_back({dispatch.getKernel().str(), dispatch.getNumbers().vec()});
  }
}

std::int64_t blockRows(const nn::RowsOf &rows, std::int64_t widest, StringRef level) {
  if (rows.kind == nn::RowsOf::Kind::fixed) {
    return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(widest, 1));
  }
  return level.empty() || level == "avx2" ? 48 : 96;
}

int MemoryPlan::axisOf(const nn::RowsOf &rows) const {
  switch (rows.kind) {
  case nn::RowsOf::Kind::axis:
    return static_cast<int>(layout.axisIndex.lookup(rows.axis.getValue()));
  case nn::RowsOf::Kind::records:
    return recordsAxis;
  case nn::RowsOf::Kind::fixed:
    return -1;
  }
  return -1;
}

Extent MemoryPlan::extentOf(const nn::RowsOf &rows, std::int64_t width) const {
  int axis = axisOf(rows);
  if (axis < 0) {
    return {rows.rows * width * 4, 0, -1};
  }
  return {0, width * 4, axis};
}

// A free slot of the same axis is taken again: the smallest that is wide enough, else the widest is widened. Slots of
// different axes never mix, so every offset stays affine.
int MemoryPlan::allocate(const Extent &wanted) {
  Extent extent = wanted;
  extent.constant = roundUp(extent.constant, 64);
  extent.coefficient = roundUp(extent.coefficient, 4);
  int best = -1;
  for (int i = 0; i < static_cast<int>(slots.size()); ++i) {
    const Slot &slot = slots[i];
    if (slot.used || slot.extent.axis != extent.axis) {
      continue;
    }
    auto fits = [&](const Extent &e) { return e.coefficient >= extent.coefficient && e.constant >= extent.constant; };
    auto size = [](const Extent &e) { return e.coefficient * 1024 + e.constant; };
    if (best < 0) {
      best = i;
    } else {
      const Extent &b = slots[best].extent;
      if (fits(slot.extent) ? (!fits(b) || size(slot.extent) < size(b)) : (!fits(b) && size(slot.extent) > size(b))) {
        best = i;
      }
    }
  }
  if (best < 0) {
    slots.push_back({extent, true});
    return static_cast<int>(slots.size()) - 1;
  }
  Slot &slot = slots[best];
  slot.used = true;
  slot.extent.constant = std::max(slot.extent.constant, extent.constant);
  slot.extent.coefficient = std::max(slot.extent.coefficient, extent.coefficient);
  return best;
}

void MemoryPlan::release(int slot) { slots[slot].used = false; }

std::vector<MemoryPlan::Offset> MemoryPlan::offsets() const {
  size_t axes = layout.table.axes.size();
  Offset offset;
  offset.constant = reserved;
  offset.perAxis.assign(axes + 1, 0);
  std::vector<Offset> all{offset};
  for (const Slot &slot : slots) {
    offset.constant += slot.extent.constant;
    if (slot.extent.axis >= 0) {
      offset.perAxis[slot.extent.axis == recordsAxis ? axes : static_cast<size_t>(slot.extent.axis)] += slot.extent.coefficient;
    }
    all.push_back(offset);
  }
  return all;
}

ProgramTable::Arena MemoryPlan::arena(std::int64_t perWorker) const {
  Offset total = offsets().back();
  ProgramTable::Arena arena;
  arena.constant = total.constant;
  arena.perRow.assign(total.perAxis.begin(), total.perAxis.end() - 1);
  arena.perRecord = total.perAxis.back();
  arena.perWorker = perWorker;
  return arena;
}

} // namespace penstock
