#include "compiler/conversion/KernelToLinalg/KernelToLinalg.h"

#include "compiler/conversion/KernelToLinalg/KernelEmitter.h"
#include "compiler/conversion/KernelToLinalg/OptimizerEmitter.h"
#include "compiler/conversion/KernelToLinalg/ProgramInputs.h"
#include "compiler/conversion/KernelToLinalg/RegionEmitter.h"
#include "compiler/conversion/KernelToLinalg/StepWork.h"
#include "compiler/conversion/Passes.h"
#include "runtime/abi/program_abi.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_KERNELTOLINALGPASS
#include "compiler/conversion/Passes.h.inc"

namespace {

/// The code of all steps so far, by the shape that it was made for; shared by the entries.
struct StepCode {
  std::string function;
  std::int64_t rowScratch = 0; // bytes that it needs for a row
};
using StepCodes = llvm::StringMap<StepCode>;

/// An entry becomes its steps: each op one step, whose code is shared with every step of the same shape.
class EntryLowering {
public:
  EntryLowering(const ProgramLayout &layout, EntryPlan planned, func::FuncOp source, StepCodes &codes, bool profile)
      : layout(layout), plan(std::move(planned)), source(source), codes(codes), profile(profile) {}

  LogicalResult run(ProgramTable::Entry &entry);

private:
  /// A step of this shape, for `op` (null: for the gaps between gradients): its code is `emit`'s unless there is some for the shape
  /// already.
  template <typename Emitter> LogicalResult step(Operation *op, StepShape shape, llvm::function_ref<LogicalResult(Emitter &)> emit);
  /// The same, where the emitter has the code of the op.
  template <typename Emitter, typename Op> LogicalResult step(Op op, StepShape shape);
  StepShape shapeOf(Operation *op) const;
  StepShape ownShape(Operation *op) const;
  const Buffer *findBuffer(Value value) const;
  LogicalResult copyStep(Operation *op, Value value, const Buffer &to);
  LogicalResult fillGaps();
  LogicalResult lower(Operation &op);
  static ProgramTable::Output outputOf(nn::OutputOp output, const MemoryPlan &memory);

  const ProgramLayout &layout;
  EntryPlan plan;
  func::FuncOp source;
  StepCodes &codes;
  bool profile; // steps say what they do
  SymbolTable module{source->getParentOfType<ModuleOp>()};

  struct Step {
    std::string function;
    StepShape shape;
    Operation *op;
  };
  std::vector<Step> steps;
  std::int64_t rowScratch = 0; // bytes of a worker for values of a row, of all steps
};

const Buffer *EntryLowering::findBuffer(Value value) const {
  auto it = plan.buffers.find(value);
  return it == plan.buffers.end() ? nullptr : &it->second;
}

//===--- shapes -----------------------------------------------------------------------------------------------------------===//

// Everything that the code of an op reads: what this leaves out must not decide anything in its emission.
StepShape EntryLowering::shapeOf(Operation *op) const {
  StepShape result(layout);
  auto bufferOf = [&](Value v) { return findBuffer(v); };
  if (auto region = dyn_cast<kernel::RowsOp>(op)) {
    const RegionPlan &regionPlan = plan.regions.at(op);
    result.add(region.getAxisAttr().getAsOpaquePointer());
    result.add(regionPlan.block);
    for (Operation &inner : region.getBody().front().without_terminator()) {
      result.addOp(&inner, bufferOf);
      if (auto it = regionPlan.partials.find(&inner); it != regionPlan.partials.end()) {
        result.addBuffer(it->second);
      }
    }
    return result;
  }
  auto invoke = dyn_cast<kernel::InvokeOp>(op);
  if (invoke || isa<kernel::PackOp>(op)) {
    result.addKernel(op, bufferOf);
    for (const KernelArgument &argument : invoke ? argumentsOf(*findKernelRow(invoke.getKernel())) : std::span<const KernelArgument>()) {
      if (argument.role == KernelRole::width && (argument.divisor != 1 || argument.attribute)) {
        result.addNumber(StepShape::Kind::count, widthOf(invoke, argument)); // the width of the value itself is one already
      }
    }
  } else {
    result.addOp(op, bufferOf);
  }
  if (auto it = plan.scratches.find(op); it != plan.scratches.end()) {
    result.addBuffer(it->second);
  }
  return result;
}

// The shape of a step that is like no other: its code holds the layout of the parameters, and it may read what is known of the rows
// of a deferred table.
StepShape EntryLowering::ownShape(Operation *op) const {
  StepShape result = shapeOf(op);
  result.add(static_cast<const void *>(op));
  for (auto &entry : plan.rowsRead) {
    const RowsRead &read = entry.second;
    for (const Buffer &buffer : {read.groups, read.gradient, read.partials, plan.buffers.at(read.ids)}) {
      result.addBuffer(buffer);
    }
  }
  return result;
}

//===--- steps ------------------------------------------------------------------------------------------------------------===//

template <typename Emitter>
LogicalResult EntryLowering::step(Operation *op, StepShape shape, llvm::function_ref<LogicalResult(Emitter &)> emit) {
  auto [it, isNew] = codes.try_emplace(shape.text());
  StepCode &code = it->second;
  if (isNew) {
    code.function = "penstock_step_" + std::to_string(codes.size() - 1);
    OpBuilder b(source);
    Location loc = op ? op->getLoc() : source.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(b.getContext());
    auto function = func::FuncOp::create(b, loc, code.function, b.getFunctionType({pointer, pointer}, {}));
    function.setPrivate();
    Block *body = function.addEntryBlock();
    b.setInsertionPointToStart(body);
    Emitter emitter(StepContext{layout, plan, shape, module, b, loc});
    if (failed(emit(emitter))) {
      return failure();
    }
    b.setInsertionPointToEnd(body);
    func::ReturnOp::create(b, loc);
    if (emitter.readsUnnamedNumber()) {
      return function.emitError("the code of a step reads a number that its shape does not name");
    }
    code.rowScratch = emitter.rowBytes();
  }
  rowScratch = std::max(rowScratch, code.rowScratch);
  steps.push_back({code.function, std::move(shape), op});
  return success();
}

template <typename Emitter, typename Op> LogicalResult EntryLowering::step(Op op, StepShape shape) {
  return step<Emitter>(op, std::move(shape), [&](Emitter &emitter) {
    if constexpr (std::is_void_v<decltype(emitter.emit(op))>) {
      emitter.emit(op);
      return success();
    } else {
      return emitter.emit(op);
    }
  });
}

LogicalResult EntryLowering::copyStep(Operation *op, Value value, const Buffer &to) {
  const Buffer *from = findBuffer(value);
  if (from && from->kind == to.kind && from->slot == to.slot && from->offset == to.offset && from->index == to.index) {
    return success(); // computed in place
  }
  StepShape shape(layout);
  shape.add(op->getName().getAsOpaquePointer());
  shape.addValue(value, from);
  shape.addBuffer(to);
  return step<RowEmitter>(op, std::move(shape), [&](RowEmitter &emitter) {
    emitter.emitCopy(value, to);
    return success();
  });
}

// Gradients of parameters do not fill their places in the flat buffer: the rest must not hold what an earlier entry left.
LogicalResult EntryLowering::fillGaps() {
  for (size_t i = 0; i < layout.parameters.size() && layout.parameters[i].offset < layout.gradientElements; ++i) {
    const auto &p = layout.parameters[i];
    int64_t end = i + 1 < layout.parameters.size() ? layout.parameters[i + 1].offset : layout.parameterElements;
    int64_t gap = end - p.offset - p.elements;
    if (gap == 0) {
      continue;
    }
    Buffer buffer;
    buffer.offset = (p.offset + p.elements) * 4;
    buffer.element = Float32Type::get(source.getContext());
    StepShape fill(layout);
    fill.add(StringAttr::get(source.getContext(), "fill").getAsOpaquePointer());
    fill.addBuffer(buffer);
    fill.addNumber(StepShape::Kind::count, gap);
    LogicalResult done = step<RowEmitter>(nullptr, std::move(fill), [&](RowEmitter &emitter) {
      emitter.emitZeros(buffer, gap);
      return success();
    });
    if (failed(done)) {
      return failure();
    }
  }
  return success();
}

LogicalResult EntryLowering::lower(Operation &op) {
  if (isa<nn::ParameterOp, nn::InputOp, nn::ConstantOp, nn::RecordCountOp, nn::SliceOp, func::ReturnOp>(op)) {
    return success(); // a slice outside of a region is one of a parameter
  }
  if (auto region = dyn_cast<kernel::RowsOp>(op)) {
    return step<RegionEmitter>(region, shapeOf(region));
  }
  if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
    return step<KernelEmitter>(invoke, shapeOf(invoke));
  }
  if (auto pack = dyn_cast<kernel::PackOp>(op)) {
    StepShape shape = shapeOf(pack);
    shape.add(module.lookup<kernel::DispatchOp>(pack.getHandle()).getKernelAttr().getAsOpaquePointer());
    return step<KernelEmitter>(pack, std::move(shape));
  }
  Buffer to;
  to.element = Float32Type::get(op.getContext());
  if (auto gradient = dyn_cast<nn::GradientOp>(op)) {
    to.rows = nn::rowsOf(gradient.getGradient().getType());
    to.width = nn::widthOf(gradient.getGradient().getType());
    to.offset = layout.parameter(gradient.getName()).offset * 4;
    return copyStep(&op, gradient.getGradient(), to);
  }
  if (auto output = dyn_cast<nn::OutputOp>(op)) {
    to.kind = Buffer::Kind::output;
    to.index = static_cast<int>(output.getIndex());
    to.rows = nn::rowsOf(output.getValue().getType());
    to.width = nn::widthOf(output.getValue().getType());
    return copyStep(&op, output.getValue(), to);
  }
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](nn::ApplyOp apply) {
        return holdsGradient(source) && failed(fillGaps()) ? failure() : step<OptimizerEmitter>(apply, ownShape(apply));
      })
      .Case([&](nn::AccumulateOp accumulate) {
        return failed(fillGaps()) ? failure() : step<OptimizerEmitter>(accumulate, ownShape(accumulate));
      })
      .Case<nn::RefreshOp, nn::RowGradientOp, nn::SettleOp>([&](auto it) { return step<OptimizerEmitter>(it, ownShape(it)); })
      .Default([&](Operation *) { return op.emitError("no code for this operation"); });
}

ProgramTable::Output EntryLowering::outputOf(nn::OutputOp output, const MemoryPlan &memory) {
  Type type = output.getValue().getType();
  nn::RowsOf rows = nn::rowsOf(type);
  bool onAxis = rows.kind == nn::RowsOf::Kind::axis;
  return {output.getName().str(), nn::widthOf(type),
          onAxis                                   ? PENSTOCK_OUTPUT_AXIS
          : rows.kind == nn::RowsOf::Kind::records ? PENSTOCK_OUTPUT_RECORDS
                                                   : PENSTOCK_OUTPUT_ONE,
          onAxis ? memory.axisOf(rows) : -1};
}

LogicalResult EntryLowering::run(ProgramTable::Entry &entry) {
  entry.name = source.getName().str();
  for (Operation &op : source.getBody().front()) {
    if (auto output = dyn_cast<nn::OutputOp>(op)) {
      entry.outputs.resize(std::max<size_t>(entry.outputs.size(), output.getIndex() + 1));
      entry.outputs[output.getIndex()] = outputOf(output, plan.memory);
    }
    if (failed(lower(op))) {
      return failure();
    }
  }
  // The worker's scratch: values of a block or a kernel's own, then values of a row.
  int64_t scratch = (plan.workerBytes + rowScratch + 63) / 64 * 64;
  OpBuilder b(source);
  auto entryOp = kernel::EntryOp::create(b, source.getLoc(), source.getName());
  b.setInsertionPointToStart(&entryOp.getBody().emplaceBlock());
  std::vector<MemoryPlan::Offset> offsets = plan.memory.offsets();
  for (const Step &s : steps) {
    std::vector<int64_t> numbers = s.shape.numbers(offsets, scratch, plan.workerBytes);
    kernel::StepOp::create(b, s.op ? s.op->getLoc() : source.getLoc(), s.function, numbers);
    entry.steps.push_back({s.function, std::move(numbers), profile ? std::optional(workOf(s.op, layout)) : std::nullopt});
  }
  entry.arena = plan.memory.arena(scratch);
  return success();
}

} // namespace

LogicalResult lowerKernelToLinalg(ModuleOp module, ProgramTable &table, bool profile) {
  ProgramLayout layout(module);
  if (failed(addInputs(module, layout))) {
    return failure();
  }
  SmallVector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isDeclaration() && function.getName() != "model") {
      functions.push_back(function);
    }
  }
  // Adam keeps two moments and the optimizer's state mirrors the parameters, one flat buffer after the other.
  std::vector<std::string> moments;
  module.walk([&](nn::ApplyOp apply) { moments = OptimizerRule(apply).moments(); });
  for (size_t m = 0; m < moments.size(); ++m) {
    for (const auto &p : layout.parameters) {
      if (p.frozen) {
        continue;
      }
      ProgramTable::Tensor t;
      t.name = moments[m] + p.name;
      t.tensorClass = PENSTOCK_STATE;
      t.shape.assign(p.type.getShape().begin(), p.type.getShape().end());
      t.offset = static_cast<int64_t>(m) * layout.trainedElements + p.offset;
      t.elements = p.elements;
      layout.table.tensors.push_back(std::move(t));
    }
  }
  layout.table.stateElements = static_cast<int64_t>(moments.size()) * layout.trainedElements;

  std::vector<ProgramTable::Entry> entries;
  StepCodes codes;
  for (func::FuncOp function : functions) {
    ProgramTable::Entry entry;
    FailureOr<EntryPlan> plan = planEntry(layout, function);
    if (failed(plan) || failed(EntryLowering(layout, std::move(*plan), function, codes, profile).run(entry))) {
      return failure();
    }
    entries.push_back(std::move(entry));
  }
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    if (!function.getName().starts_with("penstock_")) {
      function.erase();
    }
  }
  for (Operation &op : llvm::make_early_inc_range(module.getBody()->getOperations())) {
    if (isa<nn::GlobalOp, kernel::DispatchOp>(op)) {
      op.erase();
    }
  }
  if (module->hasAttr("nn.accumulate")) {
    layout.table.accumulatedElements = layout.gradientElements;
  }
  table = std::move(layout.table);
  table.entries = std::move(entries);
  return success();
}

namespace {

/// The program's tables, which the pipeline takes, are of no use where the pass runs alone.
struct KernelToLinalgPass : impl::KernelToLinalgPassBase<KernelToLinalgPass> {
  void runOnOperation() override {
    ProgramTable table;
    if (failed(lowerKernelToLinalg(getOperation(), table))) {
      signalPassFailure();
    }
  }
};

} // namespace

} // namespace penstock
