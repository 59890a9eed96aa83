// Places for the values of an entry, and the stages of its row regions.
#include "compiler/conversion/KernelToLinalg/EntryPlan.h"

#include "compiler/conversion/KernelToLinalg/OptimizerEmitter.h"
#include "compiler/conversion/KernelToLinalg/RowEmitter.h"
#include "compiler/conversion/KernelToLinalg/StepBuilder.h"
#include "runtime/abi/kernel_limits.h"

#include <algorithm>

using namespace mlir;

namespace penstock {

const Buffer *EntryPlan::find(Value value) const {
  auto it = buffers.find(value);
  return it == buffers.end() ? nullptr : &it->second;
}

namespace {

class Planner {
public:
  Planner(const ProgramLayout &layout, func::FuncOp source) : layout(layout), source(source), result(layout) {}

  LogicalResult run();
  EntryPlan take() { return std::move(result); }

private:
  LogicalResult planOp(Operation &op, SmallVector<int> &freed);
  void planInvoke(kernel::InvokeOp invoke, SmallVector<int> &freed);
  void planRegion(kernel::RowsOp region, SmallVector<int> &freed);
  void formStages(Block &body, SmallVector<Stage> &stages);
  void planPartial(Operation *sum, RegionPlan &regionPlan, SmallVector<int> &freed);
  std::optional<Buffer> placeOfReader(Operation &op, Value v, const RegionPlan &regionPlan, llvm::DenseSet<Operation *> &shared) const;
  Buffer arenaBuffer(Type type);
  Buffer placeResult(Value value);
  Buffer leafBuffer(Value value);
  /// Bytes that are free again after the op.
  Buffer scratch(const Extent &extent, SmallVector<int> &freed);
  Extent scratchExtent(kernel::InvokeOp invoke, const KernelScratch &needs) const;

  const ProgramLayout &layout;
  func::FuncOp source;
  EntryPlan result;
  MemoryPlan &plan = result.memory;
  llvm::DenseMap<Value, Buffer> &buffers = result.buffers;
  llvm::DenseMap<Operation *, int> stageOf; // of the ops of the region at hand
};

Buffer Planner::leafBuffer(Value value) {
  if (nn::ReadOp read = nn::readOf(value)) {
    Buffer buffer = layout.bufferOf(read.getName(), value.getType());
    if (auto slice = value.getDefiningOp<nn::SliceOp>()) {
      buffer.offset += static_cast<int64_t>(slice.getOffset()) * 4;
      buffer.stride = nn::widthOf(read.getType());
    }
    return buffer;
  }
  Buffer buffer;
  buffer.rows = nn::rowsOf(value.getType());
  buffer.width = nn::widthOf(value.getType());
  buffer.element = nn::elementTypeOf(value.getType());
  buffer.kind = Buffer::Kind::input;
  buffer.index = static_cast<int>(cast<nn::InputOp>(value.getDefiningOp()).getIndex());
  return buffer;
}

Buffer Planner::arenaBuffer(Type type) {
  Buffer buffer;
  buffer.rows = nn::rowsOf(type);
  buffer.width = nn::widthOf(type);
  buffer.element = nn::elementTypeOf(type);
  buffer.axis = plan.axisOf(buffer.rows);
  buffer.slot = plan.allocate(plan.extentOf(buffer.rows, buffer.rowBytes()));
  return buffer;
}

// A value that is a gradient or an output is computed in place.
Buffer Planner::placeResult(Value value) {
  for (Operation *user : value.getUsers()) {
    if (auto gradient = dyn_cast<nn::GradientOp>(user)) {
      Buffer buffer;
      buffer.rows = nn::rowsOf(value.getType());
      buffer.width = nn::widthOf(value.getType());
      buffer.element = nn::elementTypeOf(value.getType());
      buffer.slot = -1;
      buffer.offset = layout.gradientOffset(layout.parameter(gradient.getName())) * 4;
      return buffer;
    }
  }
  for (Operation *user : value.getUsers()) {
    if (auto output = dyn_cast<nn::OutputOp>(user)) {
      Buffer buffer;
      buffer.kind = Buffer::Kind::output;
      buffer.rows = nn::rowsOf(value.getType());
      buffer.width = nn::widthOf(value.getType());
      buffer.element = nn::elementTypeOf(value.getType());
      buffer.index = static_cast<int>(output.getIndex());
      return buffer;
    }
  }
  return arenaBuffer(value.getType());
}

static int64_t round32(int64_t n) { return (n + 31) / 32 * 32; }

LogicalResult Planner::run() {
  if (holdsGradient(source)) {
    plan.reserve(layout.objectiveOf(source).gradientElements() * 4);
  }
  Block &block = source.getBody().front();
  llvm::DenseMap<Operation *, unsigned> place;
  unsigned n = 0;
  for (Operation &op : block) {
    op.walk([&](Operation *inner) { place[inner] = n; });
    ++n;
  }
  std::vector<SmallVector<int>> freedAfter(n);
  for (Operation &op : block) {
    if (nn::isLeaf(&op)) {
      if (!op.hasTrait<nn::Immediate>()) {
        buffers[op.getResult(0)] = leafBuffer(op.getResult(0));
      }
      continue;
    }
    SmallVector<int> freed;
    if (failed(planOp(op, freed))) {
      return failure();
    }
    for (OpResult value : op.getResults()) {
      Buffer &buffer = buffers[value];
      if (buffer.kind != Buffer::Kind::arena || buffer.slot < 0) {
        continue;
      }
      unsigned last = place[&op];
      for (Operation *user : value.getUsers()) {
        last = std::max(last, place[user]);
      }
      freedAfter[last].push_back(buffer.slot);
    }
    for (int slot : freed) {
      plan.release(slot);
    }
    for (int slot : freedAfter[place[&op]]) {
      plan.release(slot);
    }
  }
  return success();
}

/// A kernel reads its operands from memory; a constant is written into the code of rows and has no place there.
static LogicalResult checkKernelOperands(Operation &op) {
  WalkResult found = op.walk([](Operation *inner) {
    if (!isa<kernel::InvokeOp, kernel::PackOp>(inner)) {
      return WalkResult::advance();
    }
    for (Value operand : inner->getOperands()) {
      if (Operation *from = operand.getDefiningOp(); from && from->hasTrait<nn::Immediate>()) {
        inner->emitOpError("reads a constant, which has no place in memory; kernels take inputs, parameters and computed values")
                .attachNote(operand.getLoc())
            << "the constant";
        return WalkResult::interrupt();
      }
    }
    return WalkResult::advance();
  });
  return failure(found.wasInterrupted());
}

LogicalResult Planner::planOp(Operation &op, SmallVector<int> &freed) {
  if (failed(checkKernelOperands(op))) {
    return failure();
  }
  if (auto region = dyn_cast<kernel::RowsOp>(op)) {
    auto yield = cast<kernel::YieldOp>(region.getBody().front().back());
    for (auto [inner, result] : llvm::zip(yield.getOperands(), region.getResults())) {
      // A copy: the second insertion may move what the first one put in.
      const Buffer place = placeResult(result);
      buffers[result] = place;
      buffers[inner] = place;
    }
    planRegion(region, freed);
    return success();
  }
  if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
    planInvoke(invoke, freed);
    return success();
  }
  if (auto apply = dyn_cast<nn::ApplyOp>(op)) {
    result.scratches[apply] = scratch({scratchOfApply(layout, apply), 0, -1}, freed);
    return success();
  }
  if (auto refresh = dyn_cast<nn::RefreshOp>(op)) {
    result.rowsRead[refresh.getName()] = planRowsRead(layout, plan, refresh);
    return success();
  }
  if (isa<kernel::PackOp, nn::GlobalWriter, nn::SettleOp, nn::AccumulateOp, nn::OutputOp, func::ReturnOp>(op)) {
    return success();
  }
  return op.emitError("no lowering for this operation outside a row region");
}

Buffer Planner::scratch(const Extent &extent, SmallVector<int> &freed) {
  Buffer buffer;
  buffer.axis = extent.axis;
  buffer.slot = plan.allocate(extent);
  buffer.element = Float32Type::get(source.getContext());
  freed.push_back(buffer.slot);
  return buffer;
}

void Planner::planInvoke(kernel::InvokeOp invoke, SmallVector<int> &freed) {
  for (OpResult value : invoke->getResults()) {
    buffers[value] = placeResult(value);
  }
  const KernelRow &row = *findKernelRow(invoke.getKernel());
  bool usesScratch =
      !layout.onDevice && llvm::any_of(row.arguments, [](const KernelArgument &argument) { return argument.role == KernelRole::scratch; });
  if (usesScratch && row.scope == KernelScope::segments) {
    result.workers[invoke] = PENSTOCK_SCRATCH_FLOATS * 4;
  } else if (usesScratch) {
    result.scratches[invoke] = scratch(scratchExtent(invoke, row.scratch), freed);
  }
}

Extent Planner::scratchExtent(kernel::InvokeOp invoke, const KernelScratch &needs) const {
  int64_t perRow = needs.perRow, constant = needs.constant;
  for (KernelValue padded : needs.padded) {
    perRow += padded.index < 0 ? 0 : round32(nn::widthOf(valueOf(invoke, padded).getType()));
  }
  if (needs.andRowsOf.index >= 0) {
    constant += nn::rowsOf(valueOf(invoke, needs.andRowsOf).getType()).rows;
  }
  nn::RowsOf rows = nn::rowsOf(valueOf(invoke, needs.over).getType());
  Extent extent{constant * 4, perRow * 4, plan.axisOf(rows)};
  if (extent.axis < 0) {
    extent.constant += (rows.rows + 15) / 16 * 16 * extent.coefficient;
    extent.coefficient = 0;
  }
  return extent;
}

// A kernel's result that row-wise ops replace element by element lies where one of them puts its own, so that a block has fewer bytes to
// keep in the second-level cache (a feed-forward layer: a third). Its one reader overwrites an element after reading it; several readers do
// so where their stage is one loop (storeStage): all of it element by element, of one width.
std::optional<Buffer> Planner::placeOfReader(Operation &op, Value v, const RegionPlan &regionPlan,
                                             llvm::DenseSet<Operation *> &shared) const {
  auto replaces = [&](Operation *reader) { return isa<nn::ElementWise>(reader) && reader->getResult(0).getType() == v.getType(); };
  SmallVector<Operation *> readers(v.getUsers());
  if (!isa<kernel::InvokeOp>(op) || readers.empty() || !llvm::all_of(readers, replaces)) {
    return std::nullopt;
  }
  int first = stageOf.lookup(readers.front());
  bool oneLoop = llvm::all_of(readers, [&](Operation *reader) { return stageOf.lookup(reader) == first; }) &&
                 llvm::all_of(regionPlan.stages[first].ops, replaces);
  if (!oneLoop && !llvm::all_equal(readers)) {
    return std::nullopt;
  }
  for (Operation *reader : readers) {
    const Buffer *place = result.find(reader->getResult(0));
    if (place && (place->kind == Buffer::Kind::arena || place->kind == Buffer::Kind::worker) && shared.insert(reader).second) {
      return *place;
    }
  }
  return std::nullopt;
}

// Alternate: all row-wise ops that can run, then all kernels that can run.
void Planner::formStages(Block &body, SmallVector<Stage> &stages) {
  SmallVector<Operation *> waiting;
  for (Operation &op : body.without_terminator()) {
    waiting.push_back(&op);
  }
  stageOf.clear();
  auto ready = [&](Operation *op) {
    return llvm::all_of(op->getOperands(), [&](Value v) {
      Operation *def = v.getDefiningOp();
      return !def || def->getBlock() != &body || stageOf.count(def);
    });
  };
  while (!waiting.empty()) {
    for (bool kernels : {false, true}) {
      Stage stage{!kernels, {}};
      SmallVector<Operation *> rest;
      for (Operation *op : waiting) {
        if (isa<kernel::InvokeOp>(op) == kernels && ready(op)) {
          stage.ops.push_back(op);
          if (!kernels) {
            stageOf[op] = static_cast<int>(stages.size());
          }
        } else {
          rest.push_back(op);
        }
      }
      if (stage.ops.empty()) {
        continue;
      }
      for (Operation *op : stage.ops) {
        stageOf[op] = static_cast<int>(stages.size());
      }
      waiting = std::move(rest);
      stages.push_back(std::move(stage));
    }
  }
}

// One partial result a block: at most rows / block + 1 of them.
void Planner::planPartial(Operation *sum, RegionPlan &regionPlan, SmallVector<int> &freed) {
  nn::RowsOf rows = nn::iterationRows(sum);
  int64_t width = nn::widthOf(sum->getResult(0).getType());
  Extent extent;
  extent.axis = layout.onDevice ? -1 : plan.axisOf(rows);
  if (layout.onDevice) {
    extent.constant = devicePartials * width * 4;
  } else if (extent.axis < 0) {
    extent.constant = (rows.rows / regionPlan.block + 1) * width * 4;
  } else {
    extent.constant = width * 4;
    extent.coefficient = (width * 4 + leastBlockRows - 1) / leastBlockRows;
  }
  Buffer partial = scratch(extent, freed);
  partial.width = width;
  regionPlan.partials[sum] = partial;
}

void Planner::planRegion(kernel::RowsOp region, SmallVector<int> &freed) {
  RegionPlan &regionPlan = result.regions[region];
  Block &body = region.getBody().front();
  int64_t widest = 1;
  for (Operation &op : body.without_terminator()) {
    for (Value v : op.getResults()) {
      widest = std::max(widest, nn::widthOf(v.getType()));
    }
  }
  nn::RowsOf rows = nn::iterationRows(&body.front());
  regionPlan.block = blockRows(rows, widest, source->getParentOfType<ModuleOp>());
  formStages(body, regionPlan.stages);

  // What must be in memory and has no place yet lives in the worker's scratch for one block. Regions do not overlap in
  // time, so all use the same bytes.
  int64_t offset = 0;
  llvm::DenseSet<Operation *> shared;                              // ops whose result's place holds an operand before
  for (Operation &op : llvm::reverse(body.without_terminator())) { // users first, so that their places are known
    if (nn::sumsOverRows(&op)) {
      planPartial(&op, regionPlan, freed);
      continue;
    }
    for (Value v : op.getResults()) {
      if (buffers.count(v)) {
        continue;
      }
      if (std::optional<Buffer> place = placeOfReader(op, v, regionPlan, shared)) {
        buffers[v] = *place;
        continue;
      }
      bool needed = isa<kernel::InvokeOp>(op) || llvm::any_of(v.getUsers(), [&](Operation *user) {
                      return isa<kernel::InvokeOp>(user) || (stageOf.count(user) && stageOf[user] != stageOf[&op]);
                    });
      if (!needed) {
        continue;
      }
      Buffer buffer;
      buffer.kind = Buffer::Kind::worker;
      buffer.offset = offset;
      buffer.rows = rows;
      buffer.width = nn::widthOf(v.getType());
      buffer.element = nn::elementTypeOf(v.getType());
      int64_t count = rows.kind == nn::RowsOf::Kind::fixed ? std::min(regionPlan.block, rows.rows) : regionPlan.block;
      offset += (buffer.rowBytes() * count + 63) / 64 * 64;
      buffers[v] = buffer;
    }
  }
  result.workers[region] = offset;
}

} // namespace

bool holdsGradient(func::FuncOp entry) {
  const StringRef role = nn::roleOf(entry.getName());
  return role == "train_step" || role == "gradient";
}

FailureOr<EntryPlan> planEntry(const ProgramLayout &layout, func::FuncOp source) {
  Planner planner(layout, source);
  if (failed(planner.run())) {
    return failure();
  }
  return planner.take();
}

} // namespace penstock
