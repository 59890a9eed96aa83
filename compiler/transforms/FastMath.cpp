#include "compiler/transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace penstock {
#define GEN_PASS_DEF_FASTMATHPASS
#include "compiler/transforms/Passes.h.inc"
namespace {

/// The value that `op` continues a reduction of: an iteration argument of a loop whose yield is
/// op's result, or a load of the place that op's result is stored to. Null where op carries none.
Value carriedOperand(Operation *op) {
  if (!op->hasOneUse()) {
    return {};
  }
  OpOperand &use = *op->getResult(0).use_begin();
  if (auto yield = dyn_cast<scf::YieldOp>(use.getOwner())) {
    if (auto loop = dyn_cast<scf::ForOp>(yield->getParentOp())) {
      const Value carried = loop.getRegionIterArg(use.getOperandNumber());
      return llvm::is_contained(op->getOperands(), carried) ? carried : Value();
    }
    return {};
  }
  if (auto store = dyn_cast<memref::StoreOp>(use.getOwner())) {
    for (const Value operand : op->getOperands()) {
      auto load = operand.getDefiningOp<memref::LoadOp>();
      if (load && load.getMemRef() == store.getMemRef() && load.getIndices() == store.getIndices()) {
        return operand;
      }
    }
  }
  return {};
}

struct FastMathPass : penstock::impl::FastMathPassBase<FastMathPass> {
  using FastMathPassBase::FastMathPassBase;

  void runOnOperation() override {
    using Flags = arith::FastMathFlags;
    const auto allow = [&](Operation *op, Flags flags) { op->setAttr("fastmath", arith::FastMathFlagsAttr::get(&getContext(), flags)); };
    SmallVector<Operation *> sums;
    getOperation()->walk([&](Operation *op) {
      if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp>(op)) {
        return;
      }
      const Value carried = !reorders || isa<arith::SubFOp>(op) ? Value() : carriedOperand(op);
      if (!carried) {
        if (isa<arith::AddFOp, arith::SubFOp>(op)) {
          sums.push_back(op);
        }
        return;
      }
      allow(op, Flags::reassoc | Flags::nsz | Flags::contract);
      const Value other = op->getOperand(op->getOperand(0) == carried ? 1 : 0);
      if (auto product = other.getDefiningOp<arith::MulFOp>(); product && product->hasOneUse()) {
        allow(product, Flags::contract);
      }
    });
    for (Operation *op : sums) {
      fuse(op);
    }
  }

private:
  /// Where both operands are products, the first becomes the fused one: a choice that LLVM must not
  /// make differently twice.
  static void fuse(Operation *op) {
    const bool subtracts = isa<arith::SubFOp>(op);
    for (const unsigned side : {0u, 1u}) {
      auto product = op->getOperand(side).getDefiningOp<arith::MulFOp>();
      if (!product || !product->hasOneUse() || product->getBlock() != op->getBlock()) {
        continue;
      }
      OpBuilder builder(op);
      Value a = product.getLhs(), c = op->getOperand(1 - side);
      if (subtracts && side == 0) {
        c = arith::NegFOp::create(builder, op->getLoc(), c);
      } else if (subtracts) {
        a = arith::NegFOp::create(builder, op->getLoc(), a);
      }
      const Value fused = math::FmaOp::create(builder, op->getLoc(), a, product.getRhs(), c);
      op->getResult(0).replaceAllUsesWith(fused);
      op->erase();
      product->erase();
      return;
    }
  }
};

} // namespace

} // namespace penstock
