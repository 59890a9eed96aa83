#include "compiler/transforms/EraseDead.h"
#include "compiler/transforms/Losses.h"
#include "compiler/transforms/Passes.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace penstock;

namespace penstock {
#define GEN_PASS_DEF_DERIVEENTRIESPASS
#include "compiler/transforms/Passes.h.inc"
} // namespace penstock

namespace {

bool isLoss(nn::OutputOp output) { return output.getName() == "loss"; }

/// Leaves out what a step of training alone does.
void removeTraining(func::FuncOp function) {
  for (Operation &op : llvm::make_early_inc_range(function.front())) {
    if (isa<nn::UpdateOp>(op)) {
      op.erase();
    } else if (auto choice = dyn_cast<nn::InTrainingOp>(op)) {
      choice.replaceAllUsesWith(choice.getOtherwise());
      choice.erase();
    } else if (auto dropout = dyn_cast<nn::DropoutOp>(op)) {
      dropout.replaceAllUsesWith(dropout.getInput());
      dropout.erase();
    } else if (auto attention = dyn_cast<nn::AttentionOp>(op)) {
      attention.setDropout(APFloat(0.0));
      attention.setKey(0);
    }
  }
}

/// Keeps what a step of training does: of the updates those whose states belong to what the outputs read.
void keepTraining(func::FuncOp function) {
  llvm::DenseSet<Value> read;
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(function.front()))) {
    if (auto choice = dyn_cast<nn::InTrainingOp>(op)) {
      choice.replaceAllUsesWith(choice.getStep());
      if (read.contains(choice.getResult())) {
        read.insert(choice.getStep());
      }
      choice.erase();
    } else if (isa<nn::OutputOp>(op) || llvm::any_of(op.getResults(), [&](Value result) { return read.contains(result); })) {
      read.insert(op.operand_begin(), op.operand_end());
    }
  }
  for (auto update : llvm::make_early_inc_range(function.getOps<nn::UpdateOp>())) {
    if (!update.getOf().empty() && llvm::none_of(update.getOf(), [&](Value value) { return read.contains(value); })) {
      update.erase();
    } else {
      update.getOfMutable().clear();
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

nn::OutputOp lossOf(func::FuncOp function) {
  for (auto output : function.getOps<nn::OutputOp>()) {
    if (isLoss(output)) {
      return output;
    }
  }
  return {};
}

/// The loss of a part is its share of that of the whole step, so that the parts' losses and gradients are added: each sum of items is
/// divided by the weight of all parts.
void divideByStep(func::FuncOp gradient) {
  nn::OutputOp output = lossOf(gradient);
  SmallVector<Loss> losses = lossesOf(gradient, output.getValue());
  OpBuilder b(gradient.front().getTerminator());
  Location loc = output.getLoc();
  auto scalar = cast<RankedTensorType>(output.getValue().getType());
  Value objective;
  for (auto [i, loss] : llvm::enumerate(losses)) {
    Value weight = nn::StepWeightOp::create(b, loc, scalar, b.getI64IntegerAttr(static_cast<int64_t>(i)));
    Value term = nn::DivOp::create(b, loc, sumOf(b, loss.items, /*training=*/true), weight);
    if (loss.coefficient != 1) {
      auto factor = DenseElementsAttr::get(scalar, static_cast<float>(loss.coefficient));
      term = nn::MulOp::create(b, loc, term, nn::ConstantOp::create(b, loc, scalar, factor));
    }
    objective = objective ? Value(nn::AddOp::create(b, loc, objective, term)) : term;
  }
  output->moveBefore(gradient.front().getTerminator());
  output.getValueMutable().assign(objective);
}

/// From the loss to its weights in one batch, an output a loss.
void keepWeights(func::FuncOp weights) {
  nn::OutputOp output = lossOf(weights);
  SmallVector<Loss> losses = lossesOf(weights, output.getValue());
  OpBuilder b(weights.front().getTerminator());
  for (auto [i, loss] : llvm::enumerate(losses)) {
    nn::OutputOp::create(b, output.getLoc(), ("weight " + Twine(i)).str(), i, sumOf(b, loss.weights, /*training=*/true));
  }
  output.erase();
}

/// In place of the loss the items and the weights of each of its losses, a row's in one number; the host adds them up. Says in
/// `nn.losses` of the module which output is what.
void keepItems(func::FuncOp evaluate) {
  nn::OutputOp output = lossOf(evaluate);
  SmallVector<Loss> losses = lossesOf(evaluate, output.getValue());
  OpBuilder b(evaluate.front().getTerminator());
  Location loc = output.getLoc();
  auto inOneNumber = [&](Value rows) -> Value {
    if (auto total = rows.getDefiningOp<nn::TotalOp>()) { // the host adds, in double precision
      rows = total.getInput();
    }
    if (nn::rowsOf(rows.getType()).kind == nn::RowsOf::Kind::fixed) {
      return sumOf(b, rows, /*training=*/false);
    }
    return nn::widthOf(rows.getType()) == 1 ? rows : nn::RowSumOp::create(b, loc, nn::withWidth(rows.getType(), 1), rows);
  };
  const auto more = static_cast<int64_t>(2 * losses.size()) - 1;
  for (auto other : evaluate.getOps<nn::OutputOp>()) {
    other.setIndex(other.getIndex() + static_cast<uint64_t>(more));
  }
  SmallVector<double> coefficients;
  for (auto [i, loss] : llvm::enumerate(losses)) {
    nn::OutputOp::create(b, loc, ("items " + Twine(i)).str(), 2 * i, inOneNumber(loss.items));
    nn::OutputOp::create(b, loc, ("weights " + Twine(i)).str(), 2 * i + 1, inOneNumber(loss.weights));
    coefficients.push_back(loss.coefficient);
  }
  output.erase();
  evaluate->getParentOfType<ModuleOp>()->setAttr("nn.losses", b.getDenseF64ArrayAttr(coefficients));
}

struct DeriveEntriesPass : penstock::impl::DeriveEntriesPassBase<DeriveEntriesPass> {

  void runOnOperation() final {
    ModuleOp module = getOperation();
    auto model = module.lookupSymbol<func::FuncOp>("model");
    if (!model || model.isExternal() || !llvm::hasSingleElement(model.getBody()) || model.getNumArguments() != 0) {
      module.emitError("a module to derive entries from has a function @model of one block without arguments");
      return signalPassFailure();
    }
    const bool hasLoss = static_cast<bool>(lossOf(model));
    if (auto optimizer = module->getAttrOfType<DictionaryAttr>("nn.optimizer"); optimizer && hasLoss) {
      bool inParts = module->hasAttr("nn.accumulate");
      if (inParts) {
        func::FuncOp weights = derive(model, "weights", isLoss);
        removeTraining(weights);
        keepWeights(weights);
        lowerMeans(weights, /*training=*/true);
        eraseDead(weights.front());
      }
      func::FuncOp step = derive(model, inParts ? "gradient" : "train_step", isLoss);
      keepTraining(step);
      if (inParts) {
        divideByStep(step);
      }
      lowerMeans(step, /*training=*/true);
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
    if (hasLoss) {
      keepItems(evaluate);
    }
    lowerMeans(evaluate, /*training=*/false);
    eraseDead(evaluate.front());
    func::FuncOp predict = derive(model, "predict", [](nn::OutputOp output) { return !isLoss(output); });
    removeTraining(predict);
    lowerMeans(predict, /*training=*/false);
    eraseDead(predict.front());
    model.erase();
  }
};

} // namespace
