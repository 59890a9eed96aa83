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

/// One of the module's `nn.objectives`.
struct Objective {
  DictionaryAttr optimizer; // attributes of its nn.apply; null where it is only measured
  std::string suffix;       // of its entries: ".critic"; "" where it has no name
  std::string loss;         // the output that is minimized: "critic.loss"
  int64_t index;
};

SmallVector<Objective> objectivesOf(ModuleOp module) {
  auto given = module->getAttrOfType<ArrayAttr>("nn.objectives");
  if (!given) {
    return {{{}, "", nn::lossOutput(""), 0}};
  }
  SmallVector<Objective> objectives;
  for (auto [index, each] : llvm::enumerate(given.getAsRange<DictionaryAttr>())) {
    NamedAttrList attributes(each);
    auto name = dyn_cast_or_null<StringAttr>(attributes.erase("name"));
    attributes.set("objective", IntegerAttr::get(IntegerType::get(module.getContext(), 64), static_cast<int64_t>(index)));
    const StringRef text = name ? name.getValue() : "";
    objectives.push_back({attributes.getDictionary(module.getContext()), text.empty() ? "" : ("." + text).str(), nn::lossOutput(text),
                          static_cast<int64_t>(index)});
  }
  return objectives;
}

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

/// Keeps what a step of training does: of the updates those of states that its objective moves and that belong to what the outputs read.
void keepTraining(func::FuncOp function, const Objective &objective) {
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
  SymbolTable symbols(function->getParentOfType<ModuleOp>());
  for (auto update : llvm::make_early_inc_range(function.getOps<nn::UpdateOp>())) {
    const bool moved = nn::objectiveOf(symbols.lookup(update.getName())) == objective.index;
    if (!moved || (!update.getOf().empty() && llvm::none_of(update.getOf(), [&](Value value) { return read.contains(value); }))) {
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

nn::OutputOp lossOf(func::FuncOp function, const Objective &objective) {
  for (auto output : function.getOps<nn::OutputOp>()) {
    if (output.getName() == objective.loss) {
      return output;
    }
  }
  return {};
}

/// Copies the model with the loss of one objective alone, called "loss".
func::FuncOp deriveStep(func::FuncOp model, StringRef role, const Objective &objective) {
  func::FuncOp entry =
      derive(model, (role + objective.suffix).str(), [&](nn::OutputOp output) { return output.getName() == objective.loss; });
  lossOf(entry, objective).setName("loss");
  if (objective.index > 0) {
    entry->setAttr("nn.objective", OpBuilder(entry).getI64IntegerAttr(objective.index));
  }
  return entry;
}

nn::OutputOp lossOf(func::FuncOp step) { return *step.getOps<nn::OutputOp>().begin(); }

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

/// In place of the losses of the objectives the items and the weights of each of their losses, a row's in one number; the host adds them
/// up. Says in `nn.losses` of the module which output is what.
void keepItems(func::FuncOp evaluate, ArrayRef<Objective> objectives) {
  OpBuilder b(evaluate.front().getTerminator());
  auto inOneNumber = [&](Value rows) -> Value {
    if (auto total = rows.getDefiningOp<nn::TotalOp>()) { // the host adds, in double precision
      rows = total.getInput();
    }
    if (nn::rowsOf(rows.getType()).kind == nn::RowsOf::Kind::fixed) {
      return sumOf(b, rows, /*training=*/false);
    }
    return nn::widthOf(rows.getType()) == 1 ? rows : nn::RowSumOp::create(b, rows.getLoc(), nn::withWidth(rows.getType(), 1), rows);
  };
  SmallVector<nn::OutputOp> answers(evaluate.getOps<nn::OutputOp>());
  SmallVector<Attribute> coefficients;
  uint64_t index = 0;
  for (const Objective &objective : objectives) {
    SmallVector<double> factors;
    if (nn::OutputOp output = lossOf(evaluate, objective)) {
      for (const Loss &loss : lossesOf(evaluate, output.getValue())) {
        const uint64_t number = index / 2;
        nn::OutputOp::create(b, output.getLoc(), ("items " + Twine(number)).str(), index++, inOneNumber(loss.items));
        nn::OutputOp::create(b, output.getLoc(), ("weights " + Twine(number)).str(), index++, inOneNumber(loss.weights));
        factors.push_back(loss.coefficient);
      }
      llvm::erase(answers, output);
      output.erase();
    }
    coefficients.push_back(b.getDenseF64ArrayAttr(factors));
  }
  llvm::sort(answers, [](nn::OutputOp a, nn::OutputOp b) { return a.getIndex() < b.getIndex(); });
  for (nn::OutputOp answer : answers) {
    answer.setIndex(index++);
  }
  if (answers.size() < index) {
    evaluate->getParentOfType<ModuleOp>()->setAttr("nn.losses", b.getArrayAttr(coefficients));
  }
}

/// "weights", "gradient" and "apply", or "train_step".
LogicalResult deriveTraining(func::FuncOp model, const Objective &objective, bool inParts) {
  if (inParts) {
    func::FuncOp weights = deriveStep(model, "weights", objective);
    removeTraining(weights);
    keepWeights(weights);
    lowerMeans(weights, /*training=*/true);
    eraseDead(weights.front());
  }
  func::FuncOp step = deriveStep(model, inParts ? "gradient" : "train_step", objective);
  keepTraining(step, objective);
  if (inParts) {
    divideByStep(step);
  }
  lowerMeans(step, /*training=*/true);
  step->setAttr("nn.differentiate", UnitAttr::get(model.getContext()));
  OpBuilder builder(step.front().getTerminator());
  if (inParts) {
    nn::AccumulateOp::create(builder, step.getLoc(), static_cast<uint64_t>(objective.index));
    builder.setInsertionPoint(model);
    auto apply = func::FuncOp::create(builder, step.getLoc(), "apply" + objective.suffix, builder.getFunctionType({}, {}));
    if (auto index = step->getAttr("nn.objective")) {
      apply->setAttr("nn.objective", index);
    }
    builder.setInsertionPointToStart(apply.addEntryBlock());
    builder.setInsertionPoint(func::ReturnOp::create(builder, step.getLoc()));
  }
  OperationState state(step.getLoc(), nn::ApplyOp::getOperationName());
  state.addAttributes(objective.optimizer.getValue());
  Operation *apply = builder.create(state);
  eraseDead(step.front());
  return mlir::verify(apply);
}

/// All entries but "predict".
LogicalResult deriveMeasured(func::FuncOp model, ArrayRef<Objective> objectives) {
  const bool inParts = model->getParentOp()->hasAttr("nn.accumulate");
  for (const Objective &objective : objectives) {
    if (objective.optimizer && lossOf(model, objective) && failed(deriveTraining(model, objective, inParts))) {
      return failure();
    }
  }
  func::FuncOp evaluate = derive(model, "evaluate", [](nn::OutputOp) { return true; });
  removeTraining(evaluate);
  keepItems(evaluate, objectives);
  lowerMeans(evaluate, /*training=*/false);
  eraseDead(evaluate.front());
  return success();
}

struct DeriveEntriesPass : penstock::impl::DeriveEntriesPassBase<DeriveEntriesPass> {

  void runOnOperation() final {
    ModuleOp module = getOperation();
    auto model = module.lookupSymbol<func::FuncOp>("model");
    if (!model || model.isExternal() || !llvm::hasSingleElement(model.getBody()) || model.getNumArguments() != 0) {
      module.emitError("a module to derive entries from has a function @model of one block without arguments");
      return signalPassFailure();
    }
    const SmallVector<Objective> objectives = objectivesOf(module);
    if (module->hasAttr("nn.predicts")) {
      module->removeAttr("nn.accumulate");
    } else if (failed(deriveMeasured(model, objectives))) {
      return signalPassFailure();
    }
    auto isLoss = [&](nn::OutputOp output) {
      return llvm::any_of(objectives, [&](const Objective &objective) { return output.getName() == objective.loss; });
    };
    func::FuncOp predict = derive(model, "predict", [&](nn::OutputOp output) { return !isLoss(output); });
    removeTraining(predict);
    lowerMeans(predict, /*training=*/false);
    eraseDead(predict.front());
    model.erase();
  }
};

} // namespace
