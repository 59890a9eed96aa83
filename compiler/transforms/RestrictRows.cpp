#include "compiler/transforms/RestrictRows.h"

#include "compiler/dialect/Nn/Nn.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace penstock;

namespace {

enum class Demand { nothing, first, all };

/// Whether every row of the results is computed from the same row of the ragged operands.
bool isRowByRow(Operation *op) {
  return isa<nn::ReluOp, nn::GeluOp, nn::TanhOp, nn::SigmoidOp, nn::ExpOp, nn::LogOp, nn::NegOp, nn::AddOp, nn::SubOp,
             nn::MulOp, nn::DivOp, nn::DropoutOp, nn::SoftmaxOp, nn::NormalizeOp, nn::RowSumOp, nn::SpreadOp, nn::ConcatOp,
             nn::SliceOp, nn::MatmulOp>(op) &&
         llvm::all_of(op->getResults(), [](Value v) { return isa<nn::RaggedType>(v.getType()); });
}

class Restriction {
public:
  explicit Restriction(Block &block) : block(block) {}

  void run() {
    for (Operation &op : llvm::reverse(block)) {
      ask(&op);
    }
    for (Operation &op : llvm::make_early_inc_range(block)) {
      restrict(&op);
    }
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
      if (isOpTriviallyDead(&op)) {
        op.erase();
      }
    }
  }

private:
  Demand demandOf(Operation *op) {
    Demand most = Demand::nothing;
    for (Value result : op->getResults()) {
      most = std::max(most, demands.lookup(result));
    }
    return most;
  }

  void ask(Operation *op) {
    Demand wanted = Demand::all;
    if (isa<nn::SegmentFirstOp>(op)) {
      wanted = Demand::first;
    } else if (isRowByRow(op)) {
      wanted = demandOf(op);
    }
    for (Value operand : op->getOperands()) {
      Demand &demand = demands[operand];
      demand = std::max(demand, wanted);
    }
  }

  void restrict(Operation *op) {
    OpBuilder builder(op);
    if (auto first = dyn_cast<nn::SegmentFirstOp>(op)) {
      // One of our own, or one that the model has.
      if (Value known = firsts.lookup(first.getInput()); known && known != first.getResult()) {
        first.replaceAllUsesWith(known);
      } else {
        firsts[first.getInput()] = first.getResult();
      }
      return;
    }
    if (demandOf(op) != Demand::first) {
      return;
    }
    if (auto broadcast = dyn_cast<nn::BroadcastRecordsOp>(op)) {
      firsts[broadcast.getResult()] = broadcast.getInput();
      return;
    }
    if (!isRowByRow(op)) {
      return;
    }
    IRMapping mapping;
    for (Value operand : op->getOperands()) {
      if (isa<nn::RaggedType>(operand.getType())) {
        mapping.map(operand, firstOf(builder, op->getLoc(), operand));
      }
    }
    Operation *moved = builder.clone(*op, mapping);
    for (auto [result, record] : llvm::zip(op->getResults(), moved->getResults())) {
      record.setType(recordsType(result.getType()));
      firsts[result] = record;
    }
  }

  Value firstOf(OpBuilder &builder, Location loc, Value value) {
    Value &known = firsts[value];
    if (!known) {
      known = nn::SegmentFirstOp::create(builder, loc, recordsType(value.getType()), value);
    }
    return known;
  }

  static Type recordsType(Type type) {
    auto ragged = cast<nn::RaggedType>(type);
    SmallVector<int64_t> shape{ShapedType::kDynamic};
    shape.append(ragged.getShape().begin(), ragged.getShape().end());
    return RankedTensorType::get(shape, ragged.getElementType());
  }

  Block &block;
  llvm::DenseMap<Value, Demand> demands;
  llvm::DenseMap<Value, Value> firsts; // the first rows of a value of an axis
};

struct RestrictRowsPass : PassWrapper<RestrictRowsPass, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RestrictRowsPass)
  StringRef getArgument() const final { return "penstock-restrict-rows"; }
  StringRef getDescription() const final { return "compute for the records what is read of first rows only"; }
  void getDependentDialects(DialectRegistry &registry) const final { registry.insert<nn::NnDialect>(); }

  void runOnOperation() final {
    if (!getOperation().isDeclaration() && llvm::hasSingleElement(getOperation().getBody())) {
      Restriction(getOperation().front()).run();
    }
  }
};

} // namespace

std::unique_ptr<Pass> penstock::createRestrictRowsPass() { return std::make_unique<RestrictRowsPass>(); }
