// --penstock-form-steps: entries become tables of steps, and ops of equal shape share one function.
#include "compiler/conversion/KernelToLinalg/PlanAttributes.h"
#include "compiler/conversion/KernelToLinalg/ProgramTables.h"
#include "compiler/conversion/KernelToLinalg/StepBuilder.h"
#include "compiler/conversion/KernelToLinalg/StepShape.h"
#include "compiler/conversion/KernelToLinalg/StepWork.h"
#include "compiler/conversion/Passes.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_FORMSTEPSPASS
#include "compiler/conversion/Passes.h.inc"

namespace {

/// The functions of all steps so far, by the shape that they were made for; shared by the entries.
using StepCodes = llvm::StringMap<std::string>;

/// One entry becomes its steps: each op one step, whose code is shared with every step of the same shape.
class EntrySteps {
public:
  EntrySteps(const ProgramLayout &layout, func::FuncOp source, SymbolTable &module, StepCodes &codes, bool profile)
      : layout(layout), source(source), module(module), codes(codes), profile(profile), plan(readPlan(layout, source)) {}

  void run();

private:
  struct Step {
    std::string function;
    StepShape shape;
    Operation *op;
  };
  void addStep(Operation *op, StepShape shape);
  std::optional<StepShape> shapeOf(Operation *op) const;
  void addRowsRead(Operation *op, StepShape &shape) const;
  void makeFunction(const std::string &name, Operation *op, const StepShape &shape);
  void cloneInputs(Operation *op, OpBuilder &b, IRMapping &mapping);
  Value cloneInput(Value value, OpBuilder &b, IRMapping &mapping);

  const ProgramLayout &layout;
  func::FuncOp source;
  SymbolTable &module;
  StepCodes &codes;
  const bool profile; // steps say what they do
  EntryPlan plan;
  std::vector<Step> steps;
};

//===--- shapes -----------------------------------------------------------------------------------------------------===//

// The code of what moves parameters holds their layout, so it is like no other; it may read what is known of the rows of a deferred table.
void EntrySteps::addRowsRead(Operation *op, StepShape &shape) const {
  shape.add(static_cast<const void *>(op));
  for (const auto &entry : plan.rowsRead) {
    for (const Buffer &buffer : {entry.second.groups, entry.second.gradient, entry.second.partials}) {
      shape.addBuffer(buffer);
    }
  }
}

// Everything that the code of an op reads: what this leaves out must not decide anything in its emission. Nothing where the op is no step.
std::optional<StepShape> EntrySteps::shapeOf(Operation *op) const {
  StepShape shape(layout);
  auto bufferOf = [&](Value v) { return plan.find(v); };
  if (auto region = dyn_cast<kernel::RowsOp>(op)) {
    const RegionPlan &regionPlan = plan.regions.at(op);
    shape.add(region.getAxisAttr().getAsOpaquePointer());
    shape.add(regionPlan.block);
    shape.add(plan.workers.lookup(op));
    for (Operation &inner : region.getBody().front().without_terminator()) {
      shape.addOp(&inner, bufferOf);
      if (auto it = regionPlan.partials.find(&inner); it != regionPlan.partials.end()) {
        shape.addBuffer(it->second);
      }
    }
    return shape;
  }
  if (auto zeros = dyn_cast<kernel::ZerosOp>(op)) {
    shape.add(op->getName().getAsOpaquePointer());
    shape.addNumber(StepShape::Kind::offset, static_cast<int64_t>(zeros.getOffset()));
    shape.addNumber(StepShape::Kind::count, static_cast<int64_t>(zeros.getCount()));
    return shape;
  }
  if (op->hasAttr("kernel.to")) {
    const Buffer to = destinationOf(layout, op), *from = plan.find(op->getOperand(0));
    if (from && samePlace(*from, to)) {
      return std::nullopt; // computed in place
    }
    shape.add(op->getName().getAsOpaquePointer());
    shape.addValue(op->getOperand(0), from);
    shape.addBuffer(to);
    return shape;
  }
  if (isa<kernel::InvokeOp, kernel::PackOp>(op)) {
    shape.addKernel(op, bufferOf);
    auto invoke = dyn_cast<kernel::InvokeOp>(op);
    for (const KernelArgument &argument : invoke ? argumentsOf(*findKernelRow(invoke.getKernel())) : std::span<const KernelArgument>()) {
      if (argument.role == KernelRole::width && (argument.divisor != 1 || argument.attribute)) {
        shape.addNumber(StepShape::Kind::count, widthOf(invoke, argument)); // the width of the value itself is one already
      }
    }
    if (auto pack = dyn_cast<kernel::PackOp>(op)) {
      shape.add(module.lookup<kernel::DispatchOp>(pack.getHandle()).getKernelAttr().getAsOpaquePointer());
    }
  } else {
    shape.addOp(op, bufferOf);
    addRowsRead(op, shape);
  }
  if (auto it = plan.scratches.find(op); it != plan.scratches.end()) {
    shape.addBuffer(it->second);
  }
  return shape;
}

//===--- functions --------------------------------------------------------------------------------------------------===//

// What the batch, the parameters and constants give is the same everywhere; what another step computed is a value in memory.
Value EntrySteps::cloneInput(Value value, OpBuilder &b, IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value)) {
    return known;
  }
  Operation *def = value.getDefiningOp();
  if (nn::isLeaf(def)) {
    for (Value operand : def->getOperands()) {
      cloneInput(operand, b, mapping);
    }
    b.clone(*def, mapping);
    return mapping.lookup(value);
  }
  auto stored = kernel::ValueOp::create(b, value.getLoc(), value.getType());
  auto place = cast<ArrayAttr>(def->getAttr("kernel.places"))[cast<OpResult>(value).getResultNumber()];
  stored->setAttr("kernel.places", b.getArrayAttr({place}));
  mapping.map(value, stored.getResult());
  return stored;
}

void EntrySteps::cloneInputs(Operation *op, OpBuilder &b, IRMapping &mapping) {
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands()) {
      if (operand.getParentRegion() == &source.getBody()) {
        cloneInput(operand, b, mapping);
      }
    }
  });
}

void EntrySteps::makeFunction(const std::string &name, Operation *op, const StepShape &shape) {
  OpBuilder b(source);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto function = func::FuncOp::create(b, op->getLoc(), name, b.getFunctionType({pointer, pointer}, {}));
  function.setPrivate();
  function->setAttr("kernel.numbers", shape.numbersAttr(b));
  b.setInsertionPointToStart(function.addEntryBlock());
  IRMapping mapping;
  cloneInputs(op, b, mapping);
  b.clone(*op, mapping);
  func::ReturnOp::create(b, op->getLoc());
}

void EntrySteps::addStep(Operation *op, StepShape shape) {
  auto [it, isNew] = codes.try_emplace(shape.text());
  if (isNew) {
    it->second = "penstock_step_" + std::to_string(codes.size() - 1);
    makeFunction(it->second, op, shape);
  }
  steps.push_back({it->second, std::move(shape), op});
}

static DictionaryAttr describe(nn::OutputOp output, Builder &b) {
  return b.getDictionaryAttr(
      {b.getNamedAttr("name", output.getNameAttr()), b.getNamedAttr("type", TypeAttr::get(output.getValue().getType()))});
}

void EntrySteps::run() {
  Builder attributes(source.getContext());
  SmallVector<Attribute> outputs;
  for (Operation &op : source.getBody().front()) {
    if (nn::isLeaf(&op) || isa<func::ReturnOp>(op)) {
      continue;
    }
    if (auto output = dyn_cast<nn::OutputOp>(op)) {
      outputs.resize(std::max<size_t>(outputs.size(), output.getIndex() + 1), attributes.getUnitAttr());
      outputs[output.getIndex()] = describe(output, attributes);
    }
    if (std::optional<StepShape> shape = shapeOf(&op)) {
      addStep(&op, std::move(*shape));
    }
  }
  OpBuilder b(source);
  auto entry = kernel::EntryOp::create(b, source.getLoc(), source.getName());
  entry->setAttr("kernel.outputs", b.getArrayAttr(outputs));
  for (StringRef name : {"kernel.slots", "kernel.reserved", "nn.objective"}) {
    if (Attribute given = source->getAttr(name)) {
      entry->setAttr(name, given);
    }
  }
  b.setInsertionPointToStart(&entry.getBody().emplaceBlock());
  const std::vector<MemoryPlan::Offset> offsets = plan.memory.offsets();
  for (const Step &s : steps) {
    auto step = kernel::StepOp::create(b, s.op->getLoc(), s.function, s.shape.numbers(offsets));
    if (profile) {
      step->setAttr("kernel.work", workAttribute(workOf(s.op, layout), b));
    }
  }
}

struct FormStepsPass : impl::FormStepsPassBase<FormStepsPass> {
  using FormStepsPassBase::FormStepsPassBase;
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<ProgramLayout> layout = layoutOf(module);
    if (failed(layout)) {
      return signalPassFailure();
    }
    SymbolTable symbols(module);
    StepCodes codes;
    for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      if (hasPlan(function)) {
        EntrySteps(*layout, function, symbols, codes, profile).run();
        function.erase();
      }
    }
  }
};

} // namespace
} // namespace penstock
