// The code of steps: each pass writes that of the functions whose op it knows, and the last one sizes what workers need of it.
#include "compiler/conversion/KernelToLinalg/KernelEmitter.h"
#include "compiler/conversion/KernelToLinalg/OptimizerEmitter.h"
#include "compiler/conversion/KernelToLinalg/PlanAttributes.h"
#include "compiler/conversion/KernelToLinalg/ProgramTables.h"
#include "compiler/conversion/KernelToLinalg/RegionEmitter.h"
#include "compiler/conversion/Passes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_EMITROWSPASS
#define GEN_PASS_DEF_EMITKERNELSPASS
#define GEN_PASS_DEF_EMITOPTIMIZERPASS
#define GEN_PASS_DEF_SIZESCRATCHPASS
#include "compiler/conversion/Passes.h.inc"

namespace {

/// The op that the function of a step was made for; null where its code is written.
Operation *workOf(func::FuncOp function) {
  return function->hasAttr("kernel.numbers") ? function.getBody().front().getTerminator()->getPrevNode() : nullptr;
}

template <typename Emitter, typename Op>
LogicalResult emitStep(func::FuncOp function, Op op, const ProgramLayout &layout, SymbolTable &module) {
  Block &body = function.getBody().front();
  SmallVector<Operation *> written;
  for (Operation &each : body.without_terminator()) {
    written.push_back(&each);
  }
  const StepShape shape(layout, function->getAttrOfType<ArrayAttr>("kernel.numbers"));
  const EntryPlan plan = readPlan(layout, function);
  OpBuilder b(body.getTerminator());
  auto least = function->getParentOfType<ModuleOp>()->getAttrOfType<IntegerAttr>("kernel.least_team");
  const std::unique_ptr<Execution> execution = layout.onDevice ? teamExecution(least ? least.getInt() : 1) : hostExecution();
  Emitter emitter(StepContext{layout, plan, shape, module, b, op->getLoc(), plan.workers.lookup(op), *execution});
  if constexpr (std::is_void_v<decltype(emitter.emit(op))>) {
    emitter.emit(op);
  } else if (failed(emitter.emit(op))) {
    return failure();
  }
  if (emitter.readsUnnamedNumber()) {
    return function.emitError("the code of a step reads a number that its shape does not name");
  }
  for (Operation *each : llvm::reverse(written)) {
    each->erase();
  }
  function->removeAttr("kernel.numbers");
  function->setAttr("kernel.worker", b.getI64IntegerAttr(emitter.workerBytes() * execution->teamsInArena()));
  return success();
}

/// Writes the code of all steps whose op is one of `Ops`.
template <typename Emitter, typename... Ops> LogicalResult emitSteps(ModuleOp module) {
  FailureOr<ProgramLayout> layout = layoutOf(module);
  if (failed(layout)) {
    return failure();
  }
  SymbolTable symbols(module);
  for (auto function : SmallVector<func::FuncOp>(module.getOps<func::FuncOp>())) {
    Operation *work = workOf(function);
    if (work && failed(llvm::TypeSwitch<Operation *, LogicalResult>(work)
                           .Case<Ops...>([&](auto op) { return emitStep<Emitter>(function, op, *layout, symbols); })
                           .Default(success()))) {
      return failure();
    }
  }
  return success();
}

struct EmitRowsPass : impl::EmitRowsPassBase<EmitRowsPass> {
  void runOnOperation() override {
    if (failed(emitSteps<RegionEmitter, kernel::RowsOp, kernel::ZerosOp, nn::OutputOp, nn::GradientOp, nn::UpdateOp>(getOperation()))) {
      signalPassFailure();
    }
  }
};

struct EmitKernelsPass : impl::EmitKernelsPassBase<EmitKernelsPass> {
  void runOnOperation() override {
    if (failed(emitSteps<KernelEmitter, kernel::InvokeOp, kernel::PackOp>(getOperation()))) {
      signalPassFailure();
    }
  }
};

struct EmitOptimizerPass : impl::EmitOptimizerPassBase<EmitOptimizerPass> {
  void runOnOperation() override {
    if (failed(
            emitSteps<OptimizerEmitter, nn::ApplyOp, nn::AccumulateOp, nn::RefreshOp, nn::RowGradientOp, nn::SettleOp>(getOperation()))) {
      signalPassFailure();
    }
  }
};

// The size of a worker's scratch is that of the step of the entry which needs most, so it is known when all code is written.
struct SizeScratchPass : impl::SizeScratchPassBase<SizeScratchPass> {
  void runOnOperation() override {
    llvm::StringMap<int64_t> needs;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (Operation *work = workOf(function)) {
        work->emitError("no code for this operation");
        return signalPassFailure();
      }
      if (auto bytes = dyn_cast_or_null<IntegerAttr>(function->removeAttr("kernel.worker"))) {
        needs[function.getName()] = bytes.getInt();
      }
    }
    Builder b(&getContext());
    for (auto entry : getOperation().getOps<kernel::EntryOp>()) {
      int64_t most = 0;
      for (auto step : entry.getBody().getOps<kernel::StepOp>()) {
        most = std::max(most, needs.lookup(step.getCode()));
      }
      most = (most + 63) / 64 * 64;
      entry->setAttr("kernel.worker", b.getI64IntegerAttr(most));
      for (auto step : entry.getBody().getOps<kernel::StepOp>()) {
        SmallVector<int64_t> numbers(step.getNumbers());
        numbers[StepShape::scratchSize] = most;
        step.setNumbers(numbers);
      }
    }
  }
};

} // namespace
} // namespace penstock
