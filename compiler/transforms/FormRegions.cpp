#include "compiler/transforms/FormRegions.h"

#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/dialect/Kernel/KernelTable.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace penstock {

bool isRowReduction(Operation *op) { return isa<nn::ColumnSumOp, nn::TotalOp>(op); }

nn::RowsOf iterationRows(Operation *op) {
  return nn::rowsOf(isRowReduction(op) ? op->getOperand(0).getType() : op->getResult(0).getType());
}

namespace {

/// Read where they are used; never scheduled.
bool isLeaf(Operation *op) {
  return isa<nn::ParameterOp, nn::InputOp, nn::ConstantOp, nn::RecordCountOp>(op);
}

bool runsOverRows(Operation *op) {
  if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
    return kernel::findKernel(invoke.getKernel())->scope == kernel::Scope::rows;
  }
  return isa<nn::NnDialect>(op->getDialect()) && op->getNumResults() > 0;
}

class Scheduler {
public:
  explicit Scheduler(func::FuncOp function) : block(function.getBody().front()) {}

  void run() {
    SmallVector<Operation *> leaves, rest;
    for (Operation &op : block.without_terminator()) {
      (isLeaf(&op) ? leaves : rest).push_back(&op);
    }
    llvm::DenseMap<Operation *, unsigned> waiting; // operands that are not computed yet
    for (Operation *op : rest) {
      unsigned n = 0;
      for (Value v : op->getOperands()) {
        n += v.getDefiningOp() && !isLeaf(v.getDefiningOp());
      }
      waiting[op] = n;
    }
    // A pack must come before the ops that use its handle, and an optimizer after all gradients: program order among
    // ops without results.
    llvm::DenseMap<Attribute, Operation *> packOf;
    for (Operation *op : rest) {
      if (auto pack = dyn_cast<kernel::PackOp>(op)) {
        packOf[pack.getHandleAttr()] = op;
      }
    }
    llvm::DenseMap<Operation *, SmallVector<Operation *>> after;
    for (Operation *op : rest) {
      if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
        if (auto it = packOf.find(invoke.getHandleAttr()); invoke.getHandleAttr() && it != packOf.end()) {
          after[it->second].push_back(op);
          ++waiting[op];
        }
      } else if (isa<nn::ApplyOp>(op)) {
        // The optimizer overwrites parameters: everything else reads them first.
        for (Operation *other : rest) {
          if (other != op) {
            after[other].push_back(op);
            ++waiting[op];
          }
        }
      }
    }

    llvm::DenseMap<Operation *, bool> done;
    auto settle = [&](Operation *op) {
      done[op] = true;
      for (OpResult result : op->getResults()) {
        for (OpOperand &use : result.getUses()) {
          --waiting[use.getOwner()];
        }
      }
      for (Operation *user : after[op]) {
        --waiting[user];
      }
    };

    SmallVector<std::pair<bool, SmallVector<Operation *>>> groups; // (region?, ops)
    size_t left = rest.size();
    while (left > 0) {
      Operation *single = nullptr, *row = nullptr;
      for (Operation *op : rest) {
        if (done.lookup(op) || waiting[op] != 0) {
          continue;
        }
        if (!runsOverRows(op)) {
          single = op;
          break;
        }
        row = row ? row : op;
      }
      if (single) {
        groups.push_back({false, {single}});
        settle(single);
        --left;
        continue;
      }
      nn::RowsOf rows = iterationRows(row);
      SmallVector<Operation *> members;
      SmallVector<Operation *> sums; // settled after the region
      for (bool grew = true; grew;) {
        grew = false;
        for (Operation *op : rest) {
          if (done.lookup(op) || waiting[op] != 0 || !runsOverRows(op) || !(iterationRows(op) == rows)) {
            continue;
          }
          members.push_back(op);
          --left;
          grew = true;
          if (isRowReduction(op)) {
            done[op] = true;
            sums.push_back(op);
          } else {
            settle(op);
          }
        }
      }
      for (Operation *op : sums) {
        settle(op);
      }
      groups.push_back({true, members});
    }

    Operation *terminator = block.getTerminator();
    for (auto &[isRegion, ops] : groups) {
      if (!isRegion) {
        ops.front()->moveBefore(terminator);
        continue;
      }
      makeRegion(ops, terminator);
    }
  }

private:
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
    nn::RowsOf rows = iterationRows(ops.front());
    std::string axis = rows.kind == nn::RowsOf::Kind::axis      ? "@" + rows.axis.str()
                       : rows.kind == nn::RowsOf::Kind::records ? "records"
                                                                : "fixed";
    SmallVector<Type> types;
    for (Value v : escaping) {
      types.push_back(v.getType());
    }
    auto region = kernel::RowsOp::create(builder, ops.front()->getLoc(), types, builder.getStringAttr(axis));
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
};

struct FormRegionsPass : PassWrapper<FormRegionsPass, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FormRegionsPass)
  StringRef getArgument() const override { return "penstock-form-regions"; }
  StringRef getDescription() const override { return "group row-wise work into kernel.rows"; }
  void getDependentDialects(DialectRegistry &registry) const override { registry.insert<kernel::KernelDialect>(); }
  void runOnOperation() override {
    if (!getOperation().isDeclaration()) {
      Scheduler(getOperation()).run();
    }
  }
};

} // namespace

std::unique_ptr<Pass> createFormRegionsPass() { return std::make_unique<FormRegionsPass>(); }

} // namespace penstock
