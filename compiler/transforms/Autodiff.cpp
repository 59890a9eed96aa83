#include "compiler/transforms/Passes.h"
#include "compiler/transforms/Simplify.h"

using namespace mlir;
using namespace penstock;

namespace penstock {
#define GEN_PASS_DEF_AUTODIFFPASS
#include "compiler/transforms/Passes.h.inc"
} // namespace penstock

namespace {

constexpr StringLiteral differentiate = "nn.differentiate";

/// Differentiates one function.
class Reverse {
public:
  Reverse(func::FuncOp function, ModuleOp module) : function(function), module(module), symbols(module), builder(function.getContext()) {}

  LogicalResult run() {
    nn::OutputOp objective = findObjective();
    if (!objective) {
      return failure();
    }
    markActive();
    Operation *end = function.front().getTerminator();
    for (Operation &op : function.front()) {
      if (op.hasTrait<nn::EndsEntry>()) {
        end = &op;
        break;
      }
    }
    SmallVector<Operation *> program;
    for (Operation &op : function.front()) {
      program.push_back(&op);
    }
    builder.setInsertionPoint(end);
    Value loss = objective.getValue();
    cotangents[loss] =
        nn::ConstantOp::create(builder, objective.getLoc(), loss.getType(), DenseElementsAttr::get(cast<ShapedType>(loss.getType()), 1.0F));
    for (Operation *op : llvm::reverse(program)) {
      if (failed(visit(op))) {
        return failure();
      }
    }
    emitGradients(program);
    return success();
  }

private:
  nn::OutputOp findObjective() {
    nn::OutputOp objective;
    for (auto output : function.getOps<nn::OutputOp>()) {
      if (output.getIndex() == 0) {
        objective = output;
      }
    }
    if (!objective) {
      function.emitOpError("has no output of index 0 to differentiate");
    } else if (!nn::isScalar(objective.getValue().getType())) {
      objective.emitOpError("is the objective and must be a scalar, not ") << objective.getValue().getType();
      return {};
    }
    return objective;
  }

  bool isTrained(nn::ReadOp parameter) {
    auto global = symbols.lookup<nn::GlobalOp>(parameter.getName());
    return global && isMoved(global);
  }

  /// By the objective of this entry.
  bool isMoved(nn::GlobalOp global) { return nn::isTrained(global) && nn::objectiveOf(global) == nn::objectiveOf(function); }

  /// A value is active if a trained parameter reaches it; only active values have cotangents.
  void markActive() {
    for (Operation &op : function.front()) {
      auto parameter = dyn_cast<nn::ReadOp>(op);
      bool on = parameter ? isTrained(parameter) : llvm::any_of(op.getOperands(), [&](Value v) { return active.contains(v); });
      if (!on) {
        continue;
      }
      for (Value result : op.getResults()) {
        // Ids and places of maxima carry no derivative.
        if (nn::elementTypeOf(result.getType()).isF32()) {
          active.insert(result);
        }
      }
    }
  }

  LogicalResult visit(Operation *op) {
    SmallVector<Value> results;
    for (Value result : op->getResults()) {
      results.push_back(cotangents.lookup(result));
    }
    bool reached = llvm::any_of(results, [](Value v) { return bool(v); });
    bool wanted = llvm::any_of(op->getOperands(), [&](Value v) { return active.contains(v); });
    if (!reached || !wanted) {
      return success();
    }
    auto differentiable = dyn_cast<nn::Differentiable>(op);
    if (!differentiable) {
      return op->emitError("no derivative: `") << op->getName() << "` stands between a parameter and the objective";
    }
    SmallVector<Value> operands;
    if (failed(differentiable.buildVjp(builder, results, operands))) {
      return failure();
    }
    if (operands.size() != op->getNumOperands()) {
      return op->emitError("no derivative: `") << op->getName() << "` gave " << operands.size() << " cotangents for "
                                               << op->getNumOperands() << " operands";
    }
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      if (!active.contains(operand)) {
        continue;
      }
      Value cotangent = operands[i];
      if (!cotangent) {
        // Of a value that is not read only the rows matter; all others without a cotangent are missing derivatives.
        if (auto elementWise = dyn_cast<nn::ElementWise>(op); elementWise && !elementWise.reads(static_cast<unsigned>(i))) {
          continue;
        }
        return op->emitError("no derivative: `") << op->getName() << "` has none by its operand " << i;
      }
      if (cotangent.getType() != operand.getType()) {
        return op->emitError("no derivative: the cotangent of operand ")
               << i << " is of type " << cotangent.getType() << ", the operand of " << operand.getType();
      }
      Value &sum = cotangents[operand];
      sum = sum ? Value(nn::AddOp::create(builder, op->getLoc(), sum, cotangent)) : cotangent;
    }
    return success();
  }

  void emitGradients(ArrayRef<Operation *> program) {
    llvm::StringMap<Value> sums;
    for (Operation *op : program) {
      auto parameter = dyn_cast<nn::ReadOp>(op);
      Value cotangent = parameter ? cotangents.lookup(parameter.getResult()) : Value(); // of a frozen one there is none
      if (cotangent) {
        Value &sum = sums[parameter.getName()];
        sum = sum ? Value(nn::AddOp::create(builder, op->getLoc(), sum, cotangent)) : cotangent;
      }
    }
    for (auto global : module.getOps<nn::GlobalOp>()) {
      if (!isMoved(global)) {
        continue;
      }
      Value gradient = sums.lookup(global.getSymName());
      if (!gradient) {
        global.emitWarning("the objective does not depend on parameter `") << global.getSymName() << "`; its gradient is zero";
        auto type = cast<RankedTensorType>(global.getType());
        gradient = nn::ConstantOp::create(builder, global.getLoc(), type, DenseElementsAttr::get(type, 0.0F));
      }
      nn::GradientOp::create(builder, gradient.getLoc(), global.getSymName(), gradient);
    }
  }

  func::FuncOp function;
  ModuleOp module;
  SymbolTable symbols;
  OpBuilder builder;
  llvm::DenseSet<Value> active;
  llvm::DenseMap<Value, Value> cotangents;
};

struct AutodiffPass : penstock::impl::AutodiffPassBase<AutodiffPass> {

  void runOnOperation() final {
    ModuleOp module = getOperation();
    for (auto function : module.getOps<func::FuncOp>()) {
      if (!function->hasAttr(differentiate)) {
        continue;
      }
      if (!llvm::hasSingleElement(function.getBody())) {
        function.emitOpError("is to be differentiated and must be one block");
        return signalPassFailure();
      }
      if (failed(Reverse(function, module).run())) {
        return signalPassFailure();
      }
      function->removeAttr(differentiate);
      simplify(function.front());
    }
  }
};

} // namespace
