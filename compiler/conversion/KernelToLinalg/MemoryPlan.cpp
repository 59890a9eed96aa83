#include "compiler/conversion/KernelToLinalg/MemoryPlan.h"

#include "compiler/conversion/KernelToLinalg/Optimizer.h"
#include "compiler/dialect/Kernel/Kernel.h"
#include "runtime/abi/program_abi.h"
#include "runtime/base/kernel_choices.h"

#include <algorithm>
#include <tuple>

using namespace mlir;

namespace penstock {

// Steps that may pass before all rows are brought up to date: what is kept of each is small, but not nothing.
static constexpr std::int64_t deferredSteps = 1 << 14;

static std::int64_t roundUp(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

static int initializerOf(StringRef name) {
  return llvm::StringSwitch<int>(name)
      .Case("ones", PENSTOCK_INIT_ONES)
      .Case("uniform", PENSTOCK_INIT_UNIFORM)
      .Case("normal", PENSTOCK_INIT_NORMAL)
      .Case("constant", PENSTOCK_INIT_CONSTANT)
      .Default(PENSTOCK_INIT_ZEROS);
}

static ProgramLayout::Update updateOf(nn::GlobalOp global) {
  return llvm::StringSwitch<ProgramLayout::Update>(global.getUpdate())
      .Case("rows", ProgramLayout::Update::rows)
      .Case("deferred", ProgramLayout::Update::deferred)
      .Default(ProgramLayout::Update::whole);
}

const ProgramLayout::Deferred &ProgramLayout::deferredTable(StringRef name) const {
  return *llvm::find_if(deferred, [&](const Deferred &d) { return parameters[d.parameter].name == name; });
}

Buffer ProgramLayout::bufferOf(StringRef global, Type type) const {
  const Place place = places.lookup(global);
  Buffer buffer;
  buffer.kind = place.kind;
  buffer.offset = place.offset * 4;
  buffer.rows = nn::rowsOf(type);
  buffer.width = nn::widthOf(type);
  buffer.element = nn::elementTypeOf(type);
  return buffer;
}

// The one place where a long-lived tensor gets its own: at the end of a flat buffer, from a multiple of 64 on.
void ProgramLayout::addTensor(nn::GlobalOp global, Buffer::Kind kind, int tensorClass, std::int64_t &end) {
  auto type = cast<RankedTensorType>(global.getType());
  places[global.getSymName()] = {kind, end};
  ProgramTable::Tensor t;
  t.name = global.getSymName().str();
  t.tensorClass = tensorClass;
  t.shape.assign(type.getShape().begin(), type.getShape().end());
  t.offset = end;
  t.elements = type.getNumElements();
  t.initializer = initializerOf(global.getInitializer());
  t.scale = static_cast<float>(global.getScale().convertToDouble());
  t.decays = global.getDecays();
  t.notice = global.getNotice().str();
  end += roundUp(t.elements, 64);
  table.tensors.push_back(std::move(t));
}

void ProgramLayout::addParameters(ModuleOp module) {
  SmallVector<nn::GlobalOp> globals;
  for (auto global : module.getOps<nn::GlobalOp>()) {
    if (nn::classOf(global) == nn::TensorClass::parameter) {
      globals.push_back(global);
    }
  }
  auto place = [](nn::GlobalOp g) {
    return std::make_tuple(!g.getPackedOnly(), g.getFrozen(), g.getObjective(), updateOf(g), !g.getDecays(),
                           -g.getRate().convertToDouble());
  };
  std::stable_sort(globals.begin(), globals.end(), [&](nn::GlobalOp a, nn::GlobalOp b) { return place(a) < place(b); });
  for (nn::GlobalOp global : globals) {
    auto type = cast<RankedTensorType>(global.getType());
    Parameter p{global.getSymName().str(),
                type,
                parameterElements,
                type.getNumElements(),
                global.getDecays(),
                global.getFrozen(),
                global.getRate().convertToDouble(),
                updateOf(global),
                static_cast<unsigned>(global.getObjective())};
    parameterIndex[p.name] = parameters.size();
    addTensor(global, Buffer::Kind::parameter, PENSTOCK_PARAMETER, parameterElements);
    if (global.getPackedOnly()) {
      table.packedElements = parameterElements;
    }
    if (!p.frozen) {
      addTrained(p);
    }
    parameters.push_back(std::move(p));
  }
  const std::int64_t trainedEnd = objectives.empty() ? 0 : objectives.back().end;
  std::int64_t last = 0; // the last ones may move nothing that is trained
  for (Operation &op : *module.getBody()) {
    last = std::max(last, nn::objectiveOf(&op));
  }
  addObjectives(static_cast<std::size_t>(last) + 1, trainedEnd);
  if (!deferred.empty()) {
    historyOffset = table.deferredBytes;
    table.deferredSteps = deferredSteps;
    table.deferredBytes += deferredSteps * static_cast<std::int64_t>(deferred.size()) * 16;
  }
}

/// As many as `count`, the new ones empty.
void ProgramLayout::addObjectives(std::size_t count, std::int64_t from) {
  while (objectives.size() < count) {
    Objective next;
    next.from = next.wholeEnd = next.gradientEnd = next.end = from;
    next.firstDeferred = next.deferredEnd = static_cast<unsigned>(deferred.size());
    objectives.push_back(std::move(next));
  }
}

/// `p` is the next parameter, and lies already.
void ProgramLayout::addTrained(const Parameter &p) {
  addObjectives(p.objective + std::size_t{1}, p.offset);
  Objective &mover = objectives.back();
  mover.end = parameterElements;
  if (p.update == Update::deferred) {
    deferred.push_back({static_cast<unsigned>(parameters.size()), table.deferredBytes});
    table.deferredBytes += roundUp(p.rows() * 4, 64);
    mover.deferredEnd = static_cast<unsigned>(deferred.size());
    return;
  }
  mover.gradientEnd = parameterElements;
  mover.wholeEnd = p.update == Update::whole ? parameterElements : mover.wholeEnd;
  if (mover.groups.empty() || mover.groups.back().decays != p.decays || mover.groups.back().rate != p.rate) {
    mover.groups.push_back({p.offset, p.offset, p.decays, p.rate});
  }
  mover.groups.back().to = parameterElements;
}

// What an optimizer keeps mirrors the parameters that it moves: of each moment one flat buffer like theirs, one after the other.
void ProgramLayout::addMoments(ModuleOp module) {
  if (auto planned = module->getAttrOfType<ArrayAttr>("kernel.moments")) { // the optimizers' code is written already
    for (auto [objective, names] : llvm::zip(objectives, planned.getAsRange<ArrayAttr>())) {
      for (StringRef moment : names.getAsValueRange<StringAttr>()) {
        objective.moments.push_back(moment.str());
      }
    }
  } else {
    module.walk([&](nn::ApplyOp apply) { objectives[apply.getObjective()].moments = OptimizerRule(apply).moments(); });
  }
  for (auto [index, objective] : llvm::enumerate(objectives)) {
    objective.states = table.stateElements;
    for (const std::string &moment : objective.moments) {
      for (const Parameter &p : parameters) {
        if (p.frozen || p.objective != index) {
          continue;
        }
        ProgramTable::Tensor t;
        t.name = moment + p.name;
        t.tensorClass = PENSTOCK_STATE;
        t.shape.assign(p.type.getShape().begin(), p.type.getShape().end());
        t.offset = table.stateElements + gradientOffset(p);
        t.elements = p.elements;
        table.tensors.push_back(std::move(t));
      }
      table.stateElements += objective.end - objective.from;
    }
  }
}

ProgramLayout::ProgramLayout(ModuleOp module) {
  onDevice = kernel::computesOnDevice(module);
  auto given = module->getAttrOfType<StringAttr>("penstock.precision");
  precision = given && given.getValue() == "bf16" ? 1 : 0;
  addParameters(module);
  addMoments(module);
  table.parameterElements = parameterElements;
  // Model states lie behind the parameters, so that whatever keeps or takes the model's numbers keeps and takes them.
  const struct {
    nn::TensorClass what;
    Buffer::Kind kind;
    int tensorClass;
    std::int64_t &end;
  } others[] = {{nn::TensorClass::trainingState, Buffer::Kind::state, PENSTOCK_STATE, table.stateElements},
                {nn::TensorClass::fitted, Buffer::Kind::fitted, PENSTOCK_FITTED, table.fittedElements},
                {nn::TensorClass::modelState, Buffer::Kind::parameter, PENSTOCK_MODEL_STATE, table.parameterElements}};
  for (const auto &other : others) {
    for (auto global : module.getOps<nn::GlobalOp>()) {
      if (nn::classOf(global) == other.what) {
        addTensor(global, other.kind, other.tensorClass, other.end);
      }
    }
  }

  for (auto dispatch : module.getOps<kernel::DispatchOp>()) {
    handleIndex[dispatch.getSymName()] = table.dispatches.size();
    table.dispatches.push_back(
        {dispatch.getKernel().str(), dispatch.getImplementation().value_or(StringRef(ownKernels)).str(), dispatch.getNumbers().vec()});
  }
}

std::int64_t blockRows(const nn::RowsOf &rows, std::int64_t widest, ModuleOp module) {
  if (rows.kind == nn::RowsOf::Kind::fixed) {
    return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(widest, 1));
  }
  auto is = [&](StringRef attribute, StringRef value) {
    auto given = module->getAttrOfType<StringAttr>(attribute);
    return given && given.getValue() == value;
  };
  if (is("penstock.level", "amx") && is("penstock.precision", "bf16")) {
    return 192;
  }
  return is("penstock.level", "avx512") || is("penstock.level", "amx") ? 96 : 64;
}

MemoryPlan MemoryPlan::read(const ProgramLayout &layout, Operation *entry) {
  MemoryPlan plan(layout);
  for (auto slot : entry->getAttrOfType<ArrayAttr>("kernel.slots").getAsRange<kernel::SlotAttr>()) {
    plan.slots.push_back({slot.getConstant(), slot.getCoefficient(), plan.axisOfSection(slot.getSection())});
  }
  plan.reserved = entry->getAttrOfType<IntegerAttr>("kernel.reserved").getInt();
  return plan;
}

int MemoryPlan::axisOf(const nn::RowsOf &rows) const {
  switch (rows.kind) {
  case nn::RowsOf::Kind::axis:
    return static_cast<int>(layout->axisIndex.lookup(rows.axes));
  case nn::RowsOf::Kind::records:
    return recordsAxis;
  case nn::RowsOf::Kind::fixed:
    return -1;
  }
  return -1;
}

Extent MemoryPlan::extentOf(const nn::RowsOf &rows, std::int64_t bytes) const {
  int axis = axisOf(rows);
  if (axis < 0) {
    return {rows.rows * bytes, 0, -1};
  }
  return {0, bytes, axis};
}

static std::int64_t sizeOf(const Extent &extent) { return extent.coefficient * 1024 + extent.constant; }

// A free slot of the same axis is taken again: the smallest that is wide enough, else the widest is widened. Slots of
// different axes never mix, so every offset stays affine.
int MemoryPlan::allocate(const Extent &wanted) {
  Extent extent = wanted;
  extent.constant = roundUp(extent.constant, 64);
  extent.coefficient = roundUp(extent.coefficient, 4);
  auto &free = released[extent.axis];
  if (free.empty()) {
    slots.push_back(extent);
    return static_cast<int>(slots.size()) - 1;
  }
  auto fits = [&](const std::pair<std::int64_t, int> &slot) {
    return slots[slot.second].coefficient >= extent.coefficient && slots[slot.second].constant >= extent.constant;
  };
  auto best = std::find_if(free.lower_bound({sizeOf(extent), 0}), free.end(), fits); // none before is as large
  if (best == free.end()) {
    best = free.lower_bound({free.rbegin()->first, 0});
  }
  const int number = best->second;
  free.erase(best);
  Extent &slot = slots[number];
  slot.constant = std::max(slot.constant, extent.constant);
  slot.coefficient = std::max(slot.coefficient, extent.coefficient);
  return number;
}

void MemoryPlan::release(int slot) { released[slots[slot].axis].insert({sizeOf(slots[slot]), slot}); }

std::vector<MemoryPlan::Offset> MemoryPlan::offsets() const {
  std::map<int, std::vector<size_t>> ofAxis; // in the order of the sections: constants, axes, records
  for (auto [i, slot] : llvm::enumerate(slots)) {
    ofAxis[slot.axis].push_back(i);
  }
  std::vector<Offset> all(slots.size() + 1);
  std::int64_t constant = reserved;
  for (const auto &[axis, members] : ofAxis) {
    std::int64_t coefficient = 0;
    for (size_t i : members) {
      all[i] = {constant, coefficient};
      constant += slots[i].constant;
      coefficient += slots[i].coefficient;
    }
  }
  all.back().constant = constant;
  return all;
}

ProgramTable::Arena MemoryPlan::arena(std::int64_t perWorker) const {
  ProgramTable::Arena arena;
  // Scratch of a device's teams is needed once, however many workers the host has.
  arena.constant = reserved + (layout->onDevice ? perWorker : 0);
  arena.perRow.assign(layout->table.axes.size(), 0);
  arena.perWorker = layout->onDevice ? 0 : perWorker;
  for (const Extent &slot : slots) {
    arena.constant += slot.constant;
    if (slot.axis >= 0) {
      (slot.axis == recordsAxis ? arena.perRecord : arena.perRow[static_cast<size_t>(slot.axis)]) += slot.coefficient;
    }
  }
  return arena;
}

} // namespace penstock
