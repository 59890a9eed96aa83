#include "compiler/transforms/EraseDead.h"
#include "compiler/transforms/Passes.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace penstock;

namespace penstock {
#define GEN_PASS_DEF_DERIVEENTRIESPASS
#include "compiler/transforms/Passes.h.inc"
} // namespace penstock

namespace {

/// Leaves out what a step of training alone does.
void removeTraining(func::FuncOp function) {
  for (Operation &op : llvm::make_early_inc_range(function.front())) {
    if (isa<nn::UpdateOp>(op)) {
      op.erase();
    } else if (auto dropout = dyn_cast<nn::DropoutOp>(op)) {
      dropout.replaceAllUsesWith(dropout.getInput());
      dropout.erase();
    } else if (auto attention = dyn_cast<nn::AttentionOp>(op)) {
      attention.setDropout(APFloat(0.0));
      attention.setKey(0);
    }
  }
}

/// Copies the model under another name with the outputs for which `keep` holds, numbered anew.
func::FuncOp derive(func::FuncOp model, StringRef name, llvm::function_ref<bool(nn::OutputOp)> keep) {
  func::FuncOp entry = model.clone();
  entry.setSymName(name);
  SmallVector<nn::OutputOp> outputs(entry.getOps<nn::OutputOp>());
  llvm::sort(outputs, [](nn::OutputOp a, nn::OutputOp b) { return a.getIndex() < b.getIndex(); });
  int64_t index = 0;
  for (nn::OutputOp output : outputs) {
    if (keep(output)) {
      output.setIndex(index++);
    } else {
      output.erase();
    }
  }
  OpBuilder(model).insert(entry);
  return entry;
}

struct DeriveEntriesPass : penstock::impl::DeriveEntriesPassBase<DeriveEntriesPass> {

  void runOnOperation() final {
    ModuleOp module = getOperation();
    auto model = module.lookupSymbol<func::FuncOp>("model");
    if (!model || model.isExternal() || !llvm::hasSingleElement(model.getBody()) || model.getNumArguments() != 0) {
      module.emitError("a module to derive entries from has a function @model of one block without arguments");
      return signalPassFailure();
    }
    auto isLoss = [](nn::OutputOp output) { return output.getName() == "loss"; };
    bool hasLoss = llvm::any_of(model.getOps<nn::OutputOp>(), isLoss);
    if (auto optimizer = module->getAttrOfType<DictionaryAttr>("nn.optimizer"); optimizer && hasLoss) {
      bool inParts = module->hasAttr("nn.accumulate");
      func::FuncOp step = derive(model, inParts ? "gradient" : "train_step", isLoss);
      step->setAttr("nn.differentiate", UnitAttr::get(&getContext()));
      OpBuilder builder(step.front().getTerminator());
      if (inParts) {
        nn::AccumulateOp::create(builder, step.getLoc());
        builder.setInsertionPoint(model);
        auto apply = func::FuncOp::create(builder, step.getLoc(), "apply", builder.getFunctionType({}, {}));
        builder.setInsertionPointToStart(apply.addEntryBlock());
        builder.setInsertionPoint(func::ReturnOp::create(builder, step.getLoc()));
      }
      OperationState state(step.getLoc(), nn::ApplyOp::getOperationName());
      state.addAttributes(optimizer.getValue());
      Operation *apply = builder.create(state);
      if (failed(mlir::verify(apply))) {
        return signalPassFailure();
      }
      eraseDead(step.front());
    }
    func::FuncOp evaluate = derive(model, "evaluate", [](nn::OutputOp) { return true; });
    removeTraining(evaluate);
    eraseDead(evaluate.front());
    func::FuncOp predict = derive(model, "predict", [&](nn::OutputOp output) { return !isLoss(output); });
    removeTraining(predict);
    eraseDead(predict.front());
    model.erase();
  }
};

} // namespace
