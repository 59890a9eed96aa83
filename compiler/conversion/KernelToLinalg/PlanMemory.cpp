// --penstock-plan-memory and --penstock-verify-plan: where the values of every entry lie, and whether that can be.
#include "compiler/conversion/KernelToLinalg/PlanAttributes.h"
#include "compiler/conversion/KernelToLinalg/ProgramTables.h"
#include "compiler/conversion/Passes.h"

#include <algorithm>
#include <limits>
#include <map>

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_PLANMEMORYPASS
#define GEN_PASS_DEF_VERIFYPLANPASS
#include "compiler/conversion/Passes.h.inc"

namespace {

// Gradients of parameters do not fill their places in the flat buffer: the rest must not hold what an earlier entry left.
void fillGaps(const ProgramLayout &layout, Operation *before) {
  OpBuilder b(before);
  const auto &objective = layout.objectiveOf(before);
  for (size_t i = 0; i < layout.parameters.size() && layout.parameters[i].offset < objective.gradientEnd; ++i) {
    const auto &p = layout.parameters[i];
    const int64_t end = i + 1 < layout.parameters.size() ? layout.parameters[i + 1].offset : layout.parameterElements;
    if (const int64_t gap = end - p.offset - p.elements; p.offset >= objective.from && gap > 0) {
      kernel::ZerosOp::create(b, before->getLoc(), gap, (layout.gradientOffset(p) + p.elements) * 4);
    }
  }
}

struct PlanMemoryPass : impl::PlanMemoryPassBase<PlanMemoryPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<ProgramLayout> layout = layoutOf(module);
    if (failed(layout)) {
      return signalPassFailure();
    }
    Builder b(&getContext());
    SmallVector<Attribute> axes(layout->axisIndex.size());
    for (const auto &[axis, index] : layout->axisIndex) {
      axes[index] = axis;
    }
    module->setAttr("kernel.axes", b.getArrayAttr(axes));
    SmallVector<Attribute> moments;
    for (const auto &objective : layout->objectives) {
      moments.push_back(b.getStrArrayAttr(SmallVector<StringRef>(objective.moments.begin(), objective.moments.end())));
    }
    module->setAttr("kernel.moments", b.getArrayAttr(moments));
    for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      if (function.isDeclaration()) {
        continue;
      }
      if (function.getName() == "model") { // the entries are made from it
        function.erase();
        continue;
      }
      FailureOr<EntryPlan> plan = planEntry(*layout, function);
      if (failed(plan)) {
        return signalPassFailure();
      }
      writePlan(*layout, function, *plan);
      for (Operation &op : function.getBody().front()) {
        if (isa<nn::AccumulateOp>(op) || (isa<nn::ApplyOp>(op) && holdsGradient(function))) {
          fillGaps(*layout, &op);
        }
      }
    }
  }
};

//===--- the verifier -----------------------------------------------------------------------------------------------===//

/// Reads the plan as the passes behind it do, and knows nothing of how it was made.
class PlanVerifier {
public:
  PlanVerifier(const ProgramLayout &layout, func::FuncOp entry) : entry(entry), plan(readPlan(layout, entry)) {}

  LogicalResult run() {
    int64_t now = 0;
    for (Operation &op : entry.getBody().front()) {
      for (Value result : op.getResults()) {
        if (failed(checkResult(op, result, now))) {
          return failure();
        }
      }
      if (failed(checkInside(op, now))) {
        return failure();
      }
      ++now;
    }
    return checkOverlaps();
  }

private:
  /// A slot holds something from one op to another.
  struct Use {
    int64_t from, to;
    Operation *op;
  };

  int64_t lastUse(Value value, int64_t from) {
    int64_t last = from;
    for (Operation *user : value.getUsers()) {
      last = std::max(last, placeOf(entry.getBody().findAncestorOpInRegion(*user)));
    }
    return last;
  }
  int64_t placeOf(Operation *op) {
    if (order.empty()) {
      for (Operation &each : entry.getBody().front()) {
        order.try_emplace(&each, static_cast<int64_t>(order.size()));
      }
    }
    return order.lookup(op);
  }

  LogicalResult checkResult(Operation &op, Value result, int64_t now) {
    const Buffer *place = plan.find(result);
    if (!place) {
      return op.hasTrait<nn::Immediate>() ? success() : op.emitOpError("has a result without a place");
    }
    return checkBuffer(op, *place, result, {now, lastUse(result, now), &op});
  }

  LogicalResult checkBuffer(Operation &op, const Buffer &buffer, Value value, Use use) {
    if (buffer.kind != Buffer::Kind::arena) {
      return success();
    }
    const int64_t row = buffer.width * nn::bytesOf(buffer.element);
    if (buffer.slot < 0) {
      const bool fits = buffer.offset >= 0 && buffer.offset + buffer.rows.rows * row <= plan.memory.reservedBytes();
      return fits ? success() : op.emitOpError("writes a gradient behind the bytes that are reserved for them");
    }
    const ArrayRef<Extent> slots = plan.memory.allSlots();
    if (static_cast<size_t>(buffer.slot) >= slots.size() || slots[buffer.slot].axis != buffer.axis) {
      return op.emitOpError("lies in a slot that its entry does not have, or in one of another axis");
    }
    const Extent &slot = slots[buffer.slot];
    if (value && (buffer.axis != plan.memory.axisOf(buffer.rows) ||
                  (buffer.axis < 0 ? slot.constant < buffer.rows.rows * row : slot.coefficient < row))) {
      return op.emitOpError("does not fit into its slot");
    }
    uses[buffer.slot].push_back(use);
    return success();
  }

  /// What an op uses while it runs, and what the ops of a region keep in the worker's scratch.
  LogicalResult checkInside(Operation &op, int64_t now) {
    const Use here{now, now, &op};
    if (auto it = plan.scratches.find(&op); it != plan.scratches.end() && failed(checkBuffer(op, it->second, {}, here))) {
      return failure();
    }
    if (auto refresh = dyn_cast<nn::RefreshOp>(op)) {
      auto read = plan.rowsRead.find(refresh.getName());
      if (read == plan.rowsRead.end()) {
        return refresh.emitOpError("has no place for what the step knows of the rows that it reads");
      }
      for (const Buffer &buffer : {read->second.groups, read->second.gradient, read->second.partials}) {
        if (failed(checkBuffer(op, buffer, {}, {now, std::numeric_limits<int64_t>::max(), &op}))) { // until the end of the step
          return failure();
        }
      }
    }
    auto region = plan.regions.find(&op);
    if (region == plan.regions.end()) {
      return success();
    }
    for (const auto &[sum, partial] : region->second.partials) {
      if (failed(checkBuffer(*sum, partial, {}, here))) {
        return failure();
      }
    }
    for (Operation &inner : op.getRegion(0).front()) {
      for (Value value : inner.getResults()) {
        const Buffer *place = plan.find(value);
        if (isa<kernel::InvokeOp>(inner) && !place) {
          return inner.emitOpError("has a result without a place");
        }
        if (place && place->kind == Buffer::Kind::worker && place->offset + place->width * 4 > plan.workers.lookup(&op)) {
          return inner.emitOpError("lies behind the worker's scratch");
        }
      }
    }
    return success();
  }

  LogicalResult checkOverlaps() {
    for (auto &[slot, inSlot] : uses) {
      for (size_t i = 1; i < inSlot.size(); ++i) {
        if (inSlot[i].from <= inSlot[i - 1].to) {
          auto diagnostic = inSlot[i].op->emitOpError("writes slot ") << slot << " while it holds a value that is still read";
          diagnostic.attachNote(inSlot[i - 1].op->getLoc()) << "the value";
          return diagnostic;
        }
      }
    }
    return success();
  }

  func::FuncOp entry;
  EntryPlan plan;
  llvm::DenseMap<Operation *, int64_t> order;
  std::map<int, std::vector<Use>> uses; // of a slot, in the order of the program
};

struct VerifyPlanPass : impl::VerifyPlanPassBase<VerifyPlanPass> {
  void runOnOperation() override {
    markAllAnalysesPreserved();
    FailureOr<ProgramLayout> layout = layoutOf(getOperation());
    if (failed(layout)) {
      return signalPassFailure();
    }
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (hasPlan(function) && failed(PlanVerifier(*layout, function).run())) {
        return signalPassFailure();
      }
    }
  }
};

} // namespace
} // namespace penstock
