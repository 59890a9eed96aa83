#include "compiler/transforms/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace penstock;

namespace penstock {
#define GEN_PASS_DEF_DEFERROWSPASS
#include "compiler/transforms/Passes.h.inc"
} // namespace penstock

namespace {

struct DeferRowsPass : penstock::impl::DeferRowsPassBase<DeferRowsPass> {
  using DeferRowsPassBase::DeferRowsPassBase;

  void runOnOperation() final {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> steps;
    llvm::StringMap<SmallVector<nn::ReadOp>> reads; // of all objectives: a table that two read is up to date for both
    for (auto function : module.getOps<func::FuncOp>()) {
      if (nn::roleOf(function.getName()) == "train_step") {
        steps.push_back(function);
        for (auto parameter : function.getOps<nn::ReadOp>()) {
          reads[parameter.getName()].push_back(parameter);
        }
      }
    }
    func::FuncOp settle;
    for (func::FuncOp step : steps) {
      deferTables(step, reads, settle);
    }
    if (settle) {
      OpBuilder builder = OpBuilder::atBlockEnd(&settle.front());
      func::ReturnOp::create(builder, settle.getLoc());
    }
  }

private:
  /// The tables of one objective, whose rows `settle` brings up to date; makes that entry where there is none.
  void deferTables(func::FuncOp step, const llvm::StringMap<SmallVector<nn::ReadOp>> &reads, func::FuncOp &settle) {
    ModuleOp module = getOperation();
    SmallVector<nn::ApplyOp> applies(step.getOps<nn::ApplyOp>());
    if (applies.size() != 1) {
      return;
    }
    nn::ApplyOp apply = applies.front();
    // With an epsilon of 0, Adam's step of a row that never had a gradient is 0 / 0.
    if (apply.getKind() != "sgd" && apply.getEpsilon().isZero()) {
      return;
    }
    SymbolTable symbols(module);
    bool eager = module->hasAttr("nn.eager"), any = false;
    for (nn::GradientOp gradient : llvm::make_early_inc_range(step.getOps<nn::GradientOp>())) {
      auto global = symbols.lookup<nn::GlobalOp>(gradient.getName());
      auto type = cast<RankedTensorType>(global.getType());
      const SmallVector<nn::ReadOp> readers = reads.lookup(gradient.getName());
      auto sum = gradient.getGradient().getDefiningOp<nn::TableGradient>();
      if (type.getRank() != 2 || type.getNumElements() < leastElements || readers.size() != 1 || !readers.front()->hasOneUse() || !sum ||
          !sum->hasOneUse()) {
        continue;
      }
      nn::ReadOp read = readers.front();
      auto reader = dyn_cast<nn::TableReader>(*read->user_begin());
      Value ids = sum.getIds();
      if (!reader || reader.getTable() != read.getResult() || reader.getIds() != ids || !ids.getDefiningOp<nn::InputOp>()) {
        continue;
      }
      if (auto lookup = dyn_cast<nn::EmbeddingOp>(*reader); lookup && lookup.getNullable()) {
        continue; // rows are grouped by ids of which each names a row
      }
      ++tables;
      global.setUpdate(eager ? "rows" : "deferred");
      if (eager) {
        continue;
      }
      any = true;
      OpBuilder builder(&step.front(), step.front().begin());
      builder.setInsertionPointAfterValue(ids);
      nn::RefreshOp::create(builder, reader->getLoc(), gradient.getName(), ids);
      builder.setInsertionPoint(gradient);
      nn::RowGradientOp::create(builder, gradient.getLoc(), gradient.getName(), ids, sum.getCotangent());
      gradient.erase();
      sum->erase();
    }
    if (!any) {
      return;
    }
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    if (!settle) {
      settle = func::FuncOp::create(builder, apply.getLoc(), "settle", builder.getFunctionType({}, {}));
      settle.addEntryBlock();
    }
    builder.setInsertionPointToEnd(&settle.front());
    nn::SettleOp::create(builder, apply.getLoc(), apply->getAttrDictionary(), apply.getObjective());
  }
};

} // namespace
