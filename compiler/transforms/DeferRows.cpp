#include "compiler/transforms/DeferRows.h"

#include "compiler/dialect/Nn/Nn.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace penstock;

namespace {

// Below this a table is updated faster than its rows are found.
constexpr int64_t leastElements = 1 << 16;

struct DeferRowsPass : PassWrapper<DeferRowsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DeferRowsPass)
  StringRef getArgument() const final { return "penstock-defer-rows"; }
  StringRef getDescription() const final { return "update only those rows of embedding tables that a step reads"; }
  void getDependentDialects(DialectRegistry &registry) const final { registry.insert<nn::NnDialect, func::FuncDialect>(); }

  void runOnOperation() final {
    ModuleOp module = getOperation();
    auto step = module.lookupSymbol<func::FuncOp>("train_step");
    if (!step) {
      return;
    }
    SmallVector<nn::ApplyOp> applies(step.getOps<nn::ApplyOp>());
    if (applies.size() != 1) {
      return;
    }
    nn::ApplyOp apply = applies.front();
    // With an epsilon of 0, Adam's step of a row that never had a gradient is 0 / 0.
    if (apply.getKind() != "sgd" && apply.getEpsilon().isZero()) {
      return;
    }
    llvm::StringMap<SmallVector<nn::ParameterOp>> reads;
    for (auto parameter : step.getOps<nn::ParameterOp>()) {
      reads[parameter.getName()].push_back(parameter);
    }
    SymbolTable symbols(module);
    bool eager = module->hasAttr("nn.eager"), any = false;
    for (nn::GradientOp gradient : llvm::make_early_inc_range(step.getOps<nn::GradientOp>())) {
      auto global = symbols.lookup<nn::GlobalOp>(gradient.getName());
      auto type = cast<RankedTensorType>(global.getType());
      ArrayRef<nn::ParameterOp> readers = reads[gradient.getName()];
      Operation *sum = gradient.getGradient().getDefiningOp();
      if (type.getRank() != 2 || type.getNumElements() < leastElements || readers.size() != 1 || !readers.front()->hasOneUse() ||
          !isa_and_nonnull<nn::EmbeddingGradOp, nn::BagSumGradOp>(sum) || !sum->hasOneUse()) {
        continue;
      }
      Operation *reader = *readers.front()->user_begin();
      Value ids = reader->getOperand(0);
      if (!isa<nn::EmbeddingOp, nn::BagSumOp>(reader) || sum->getOperand(0) != ids || !ids.getDefiningOp<nn::InputOp>()) {
        continue;
      }
      global.setUpdate(eager ? "rows" : "deferred");
      if (eager) {
        continue;
      }
      any = true;
      OpBuilder builder(&step.front(), step.front().begin());
      builder.setInsertionPointAfterValue(ids);
      nn::RefreshOp::create(builder, reader->getLoc(), gradient.getName(), ids);
      builder.setInsertionPoint(gradient);
      nn::RowGradientOp::create(builder, gradient.getLoc(), gradient.getName(), ids, sum->getOperand(1));
      gradient.erase();
      sum->erase();
    }
    if (any) {
      OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
      auto settle = func::FuncOp::create(builder, apply.getLoc(), "settle", builder.getFunctionType({}, {}));
      builder.setInsertionPointToStart(settle.addEntryBlock());
      nn::SettleOp::create(builder, apply.getLoc(), apply->getAttrDictionary());
      func::ReturnOp::create(builder, apply.getLoc());
    }
  }
};

} // namespace

std::unique_ptr<Pass> penstock::createDeferRowsPass() { return std::make_unique<DeferRowsPass>(); }
