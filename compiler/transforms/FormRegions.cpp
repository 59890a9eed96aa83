#include "compiler/transforms/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/base/kernel_rows.h"

#include <list>
#include <set>

using namespace mlir;

namespace penstock {
#define GEN_PASS_DEF_FORMREGIONSPASS
#include "compiler/transforms/Passes.h.inc"

namespace {

// On a device a kernel is a launch of its own, which ends a region.
bool runsOverRows(Operation *op, bool onDevice) {
  if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
    return !onDevice && findKernelRow(invoke.getKernel())->scope == KernelScope::rows;
  }
  return isa<nn::RowOp>(op);
}

// The code of a region is one function, and LLVM's time for a function grows faster than its size: a region that is long enough ends where
// the program begins to repeat it, so that the next one is a step of the same code, and never grows beyond a most. All regions of
// the layers that are common are shorter (a block of a transformer with its gradients: 34 operations).
constexpr unsigned longEnough = 36, mostOperations = 64;
constexpr unsigned repeatedOperations = 8; // that must be alike for a repetition
constexpr unsigned mostParts = 32;         // of one concatenation: each is a loop

unsigned sizeOf(Operation *op) { return isa<nn::ConcatOp>(op) ? op->getNumOperands() : 1; }

/// Makes a concatenation of many parts one of concatenations, so that no single operation is beyond a region's size.
void divide(nn::ConcatOp concat) {
  SmallVector<Value> parts(concat.getInputs());
  OpBuilder builder(concat);
  while (parts.size() > mostParts) {
    SmallVector<Value> joined;
    for (size_t i = 0; i < parts.size(); i += mostParts) {
      ArrayRef<Value> some = ArrayRef(parts).slice(i, std::min<size_t>(mostParts, parts.size() - i));
      int64_t width = 0;
      for (Value part : some) {
        width += nn::widthOf(part.getType());
      }
      joined.push_back(nn::ConcatOp::create(builder, concat.getLoc(), nn::withWidth(concat.getType(), width), some));
    }
    parts = std::move(joined);
  }
  concat.getInputsMutable().assign(parts);
}

/// Whether two ops do the same with values of the same types; which values, handles and keys they name is left out.
bool alike(Operation *a, Operation *b) {
  return a->getName() == b->getName() && a->getResultTypes() == b->getResultTypes() && a->getOperandTypes() == b->getOperandTypes() &&
         a->getAttr("kernel") == b->getAttr("kernel");
}

/// List scheduling: what is ready stands in sets ordered by the place in the program, so that the time grows with the number
/// of operations and the logarithm of what is ready at once.
class Scheduler {
public:
  explicit Scheduler(func::FuncOp function)
      : block(function.getBody().front()), onDevice(kernel::computesOnDevice(function->getParentOfType<ModuleOp>())) {}

  /// The number of regions made.
  unsigned run() {
    for (auto concat : llvm::make_early_inc_range(block.getOps<nn::ConcatOp>())) {
      divide(concat);
    }
    for (Operation &op : block.without_terminator()) {
      if (!nn::isLeaf(&op)) {
        place[&op] = static_cast<unsigned>(ops.size());
        ops.push_back(&op);
      }
    }
    waiting.assign(ops.size(), 0);
    after.resize(ops.size());
    for (auto [i, op] : llvm::enumerate(ops)) {
      for (Value v : op->getOperands()) {
        waiting[i] += v.getDefiningOp() && !nn::isLeaf(v.getDefiningOp());
      }
    }
    orderEffects();
    for (unsigned i = 0; i < ops.size(); ++i) {
      if (waiting[i] == 0) {
        makeReady(i);
      }
    }

    SmallVector<std::pair<bool, SmallVector<Operation *>>> groups; // (region?, ops)
    for (size_t left = ops.size(); left > 0;) {
      if (!single.empty()) {
        unsigned i = takeFirst(single);
        groups.push_back({false, {ops[i]}});
        settle(i);
        --left;
        continue;
      }
      // The rows of the first op that is ready; its region takes all that is, or becomes, ready on the same rows.
      std::set<unsigned> *rows = nullptr;
      for (auto &[kind, ready] : overRows) {
        if (!ready.empty() && (!rows || *ready.begin() < *rows->begin())) {
          rows = &ready;
        }
      }
      if (!rows) {
        break; // a cycle: impossible in SSA form
      }
      SmallVector<Operation *> members;
      SmallVector<unsigned> sums; // settled after the region
      const unsigned first = *rows->begin();
      unsigned size = 0;
      while (!rows->empty() && !endsBefore(*rows->begin(), first, size)) {
        unsigned i = takeFirst(*rows);
        size += sizeOf(ops[i]);
        members.push_back(ops[i]);
        --left;
        if (nn::sumsOverRows(ops[i])) {
          sums.push_back(i);
        } else {
          settle(i);
        }
      }
      for (unsigned i : sums) {
        settle(i);
      }
      groups.push_back({true, members});
    }

    unsigned regions = 0;
    Operation *terminator = block.getTerminator();
    for (auto &[isRegion, ops] : groups) {
      if (!isRegion) {
        ops.front()->moveBefore(terminator);
        continue;
      }
      makeRegion(ops, terminator);
      ++regions;
    }
    return regions;
  }

private:
  /// Whether a region of `size` operations that began with `first` ends before `next`.
  bool endsBefore(unsigned next, unsigned first, unsigned size) const {
    if (size > 0 && size + sizeOf(ops[next]) > mostOperations) {
      return true;
    }
    if (size < longEnough) {
      return false;
    }
    for (unsigned i = 0; i < repeatedOperations; ++i) {
      if (next + i >= ops.size() || !alike(ops[next + i], ops[first + i])) {
        return false;
      }
    }
    return true;
  }

  /// A pack must come before the ops that use its handle, and an optimizer after all gradients: program order among ops without results.
  void orderEffects() {
    llvm::DenseMap<Attribute, unsigned> packOf;
    llvm::StringMap<SmallVector<nn::ReadOp>> readsOf; // by the global
    for (auto read : block.getOps<nn::ReadOp>()) {
      readsOf[read.getName()].push_back(read);
    }
    for (auto [i, op] : llvm::enumerate(ops)) {
      if (auto pack = dyn_cast<kernel::PackOp>(op)) {
        packOf[pack.getHandleAttr()] = static_cast<unsigned>(i);
      }
    }
    for (auto [i, op] : llvm::enumerate(ops)) {
      if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
        if (auto it = packOf.find(invoke.getHandleAttr()); invoke.getHandleAttr() && it != packOf.end()) {
          after[it->second].push_back(static_cast<unsigned>(i));
          ++waiting[i];
        }
      } else if (auto update = dyn_cast<nn::UpdateOp>(op)) {
        waitForReaders(readsOf[update.getName()], static_cast<unsigned>(i));
      } else if (op->hasTrait<nn::EndsEntry>()) {
        // The optimizer overwrites parameters: everything else reads them first.
        for (unsigned other = 0; other < ops.size(); ++other) {
          if (other != i) {
            after[other].push_back(static_cast<unsigned>(i));
            ++waiting[i];
          }
        }
      }
    }
  }

  /// Whoever reads a global reads what stood there before the step: an update of it (number `i`) comes after them.
  void waitForReaders(ArrayRef<nn::ReadOp> reads, unsigned i) {
    for (nn::ReadOp read : reads) {
      SmallVector<Operation *> readers(read->getUsers());
      while (!readers.empty()) {
        Operation *reader = readers.pop_back_val();
        if (nn::isLeaf(reader)) { // columns of it
          readers.append(reader->user_begin(), reader->user_end());
        } else if (reader != ops[i]) {
          after[place.lookup(reader)].push_back(i);
          ++waiting[i];
        }
      }
    }
  }

  static unsigned takeFirst(std::set<unsigned> &from) {
    unsigned first = *from.begin();
    from.erase(from.begin());
    return first;
  }

  void makeReady(unsigned i) {
    if (!runsOverRows(ops[i], onDevice)) {
      single.insert(i);
      return;
    }
    nn::RowsOf rows = nn::iterationRows(ops[i]);
    for (auto &[kind, ready] : overRows) {
      if (kind == rows) {
        ready.insert(i);
        return;
      }
    }
    overRows.emplace_back(rows, std::set<unsigned>{i});
  }

  void settle(unsigned i) {
    auto release = [&](unsigned user) {
      if (--waiting[user] == 0) {
        makeReady(user);
      }
    };
    for (OpResult result : ops[i]->getResults()) {
      for (OpOperand &use : result.getUses()) {
        if (auto it = place.find(use.getOwner()); it != place.end()) {
          release(it->second);
        }
      }
    }
    for (unsigned user : after[i]) {
      release(user);
    }
  }

  void makeRegion(ArrayRef<Operation *> ops, Operation *before) {
    llvm::SmallPtrSet<Operation *, 16> inside(ops.begin(), ops.end());
    SmallVector<Value> escaping;
    for (Operation *op : ops) {
      for (Value result : op->getResults()) {
        if (llvm::any_of(result.getUsers(), [&](Operation *user) { return !inside.contains(user); })) {
          escaping.push_back(result);
        }
      }
    }
    OpBuilder builder(before);
    nn::RowsOf rows = nn::iterationRows(ops.front());
    SmallVector<Type> types;
    for (Value v : escaping) {
      types.push_back(v.getType());
    }
    auto region = kernel::RowsOp::create(builder, ops.front()->getLoc(), types, builder.getStringAttr(nn::wordsOf(rows)));
    Block &body = region.getBody().emplaceBlock();
    for (Operation *op : ops) {
      op->moveBefore(&body, body.end());
    }
    builder.setInsertionPointToEnd(&body);
    kernel::YieldOp::create(builder, region.getLoc(), escaping);
    for (auto [value, result] : llvm::zip(escaping, region.getResults())) {
      value.replaceUsesWithIf(result, [&](OpOperand &use) { return use.getOwner()->getBlock() != &body; });
    }
  }

  Block &block;
  const bool onDevice;
  SmallVector<Operation *> ops; // in program order, without leaves
  llvm::DenseMap<Operation *, unsigned> place;
  SmallVector<unsigned> waiting; // operands that are not computed yet
  SmallVector<SmallVector<unsigned>> after;
  std::set<unsigned> single;
  std::list<std::pair<nn::RowsOf, std::set<unsigned>>> overRows; // a list: elements stay where they are
};

struct FormRegionsPass : penstock::impl::FormRegionsPassBase<FormRegionsPass> {
  void runOnOperation() override {
    if (!getOperation().isDeclaration()) {
      regions += Scheduler(getOperation()).run();
    }
  }
};

} // namespace

} // namespace penstock
