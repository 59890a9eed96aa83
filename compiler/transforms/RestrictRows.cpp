#include "compiler/transforms/EraseDead.h"
#include "compiler/transforms/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace penstock;

namespace penstock {
#define GEN_PASS_DEF_RESTRICTROWSPASS
#include "compiler/transforms/Passes.h.inc"
} // namespace penstock

namespace {

enum class Demand { nothing, first, all };

/// Whether every row of the results is computed from the same row of the operands on the axis, whose first rows can be taken.
bool isRowByRow(Operation *op) {
  auto isOnAxis = [](Value v) { return nn::isOnAxis(v.getType()); };
  auto hasFirsts = [&](Value v) { return !isOnAxis(v) || nn::elementTypeOf(v.getType()).isF32(); };
  return op->hasTrait<nn::RowWise>() && llvm::all_of(op->getResults(), isOnAxis) && llvm::all_of(op->getOperands(), hasFirsts);
}

class Restriction {
public:
  explicit Restriction(Block &block) : block(block) {}

  /// The number of operations that moved.
  unsigned run() {
    for (Operation &op : llvm::reverse(block)) {
      ask(&op);
    }
    for (Operation &op : llvm::make_early_inc_range(block)) {
      restrict(&op);
    }
    eraseDead(block);
    return moved;
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
    if (auto attention = dyn_cast<nn::AttentionOp>(op)) {
      restrictQueries(builder, attention);
      return;
    }
    if (!isRowByRow(op)) {
      return;
    }
    IRMapping mapping;
    for (Value operand : op->getOperands()) {
      if (nn::isOnAxis(operand.getType())) {
        mapping.map(operand, firstOf(builder, op->getLoc(), operand));
      }
    }
    Operation *restricted = builder.clone(*op, mapping);
    ++moved;
    for (auto [result, record] : llvm::zip(op->getResults(), restricted->getResults())) {
      record.setType(nn::parentType(result.getType()));
      firsts[result] = record;
    }
  }

  /// Whether columns of `value` cost their share of it: a matmul's result, biases added, that nothing else reads.
  static bool isMadeByColumns(Value value) {
    if (!value.hasOneUse()) {
      return false;
    }
    if (auto add = value.getDefiningOp<nn::AddOp>()) {
      auto bias = dyn_cast<RankedTensorType>(add.getRhs().getType());
      return bias && bias.getRank() == 1 && isMadeByColumns(add.getLhs());
    }
    auto matmul = value.getDefiningOp<nn::MatmulOp>();
    return matmul && !matmul.getTransposed();
  }

  /// `width` columns of what is made by columns, for all rows of the axis or the first ones.
  Value columns(OpBuilder &builder, Value value, int64_t offset, int64_t width, Demand rows) {
    Location loc = value.getLoc();
    if (auto add = value.getDefiningOp<nn::AddOp>()) {
      Value left = columns(builder, add.getLhs(), offset, width, rows);
      Type bias = RankedTensorType::get({width}, builder.getF32Type());
      return nn::AddOp::create(builder, loc, left, nn::SliceOp::create(builder, loc, bias, add.getRhs(), offset));
    }
    auto matmul = value.getDefiningOp<nn::MatmulOp>();
    Value input = rows == Demand::first ? firstOf(builder, loc, matmul.getInput()) : matmul.getInput();
    Type narrow = nn::withWidth(matmul.getWeight().getType(), width);
    Value weight = nn::SliceOp::create(builder, loc, narrow, matmul.getWeight(), offset);
    return nn::MatmulOp::create(builder, loc, nn::withWidth(input.getType(), width), input, weight, false);
  }

  void restrictQueries(OpBuilder &builder, nn::AttentionOp attention) {
    if (!isMadeByColumns(attention.getQkv())) {
      return;
    }
    int64_t width = nn::widthOf(attention.getResult().getType());
    Value query = columns(builder, attention.getQkv(), 0, width, Demand::first);
    Value keysValues = columns(builder, attention.getQkv(), width, 2 * width, Demand::all);
    auto first = nn::AttentionFirstOp::create(builder, attention.getLoc(), nn::parentType(attention.getResult().getType()),
                                              nn::parentType(attention.getLse().getType()), query, keysValues, attention.getHeadsAttr(),
                                              attention.getDropoutAttr(), attention.getKeyAttr());
    firsts[attention.getResult()] = first.getResult();
  }

  Value firstOf(OpBuilder &builder, Location loc, Value value) {
    Value &known = firsts[value];
    if (!known) {
      known = nn::SegmentFirstOp::create(builder, loc, nn::parentType(value.getType()), value);
    }
    return known;
  }

  Block &block;
  unsigned moved = 0;
  llvm::DenseMap<Value, Demand> demands;
  llvm::DenseMap<Value, Value> firsts; // the first rows of a value of an axis
};

struct RestrictRowsPass : penstock::impl::RestrictRowsPassBase<RestrictRowsPass> {

  void runOnOperation() final {
    if (!getOperation().isDeclaration() && llvm::hasSingleElement(getOperation().getBody())) {
      moved += Restriction(getOperation().front()).run();
    }
  }
};

} // namespace
