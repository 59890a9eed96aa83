#include "compiler/transforms/Passes.h"

using namespace mlir;
using namespace penstock;

namespace penstock {
#define GEN_PASS_DEF_FUSESEGMENTSPASS
#include "compiler/transforms/Passes.h.inc"
} // namespace penstock

namespace {

/// Whether the product was one of counts.
bool fuseCounts(nn::MatmulOp op) {
  auto counts = op.getInput().getDefiningOp<nn::CountsOp>();
  if (!counts || op.getTransposed()) {
    return false;
  }
  OpBuilder builder(op);
  Value sum = nn::BagSumOp::create(builder, op.getLoc(), op.getType(), counts.getIds(), op.getWeight());
  op.replaceAllUsesWith(sum);
  op.erase();
  if (counts->use_empty()) {
    counts.erase();
  }
  return true;
}

/// Whether the product was one of weighted counts: the table row of each id times its weight, summed.
bool fuseWeightedCounts(nn::MatmulOp op) {
  auto counts = op.getInput().getDefiningOp<nn::WeightedCountsOp>();
  if (!counts || op.getTransposed()) {
    return false;
  }
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Type rows = nn::withWidth(counts.getWeights().getType(), nn::widthOf(op.getType()));
  Value row = nn::EmbeddingOp::create(builder, loc, rows, counts.getIds(), op.getWeight(), UnitAttr());
  Value sum = nn::SegmentSumOp::create(builder, loc, op.getType(), nn::MulOp::create(builder, loc, row, counts.getWeights()));
  op.replaceAllUsesWith(sum);
  op.erase();
  if (counts->use_empty()) {
    counts.erase();
  }
  return true;
}

/// segment_sum(embedding(ids, w)) becomes bag_sum(ids, w): no [rows x K] matrix, forward and backward, and sums of the same order. Whether
/// what is summed were rows of a table, which nothing else reads.
bool fusePooledRows(nn::SegmentSumOp op) {
  auto rows = op.getInput().getDefiningOp<nn::EmbeddingOp>();
  if (!rows || rows.getNullable() || !rows->hasOneUse()) {
    return false;
  }
  OpBuilder builder(op);
  Value sum = nn::BagSumOp::create(builder, op.getLoc(), op.getType(), rows.getIds(), rows.getTable());
  op.replaceAllUsesWith(sum);
  op.erase();
  rows.erase();
  return true;
}

/// Whether the op keeps the order of the numbers of each column of its first operand.
bool isMonotone(Operation *op) {
  if (auto add = dyn_cast<nn::AddOp>(op)) {
    auto addend = dyn_cast<RankedTensorType>(add.getRhs().getType());
    return addend && addend.getRank() <= 1;
  }
  return op->hasTrait<nn::KeepsOrder>();
}

/// Moves all monotone ops before a maximum behind it at once, and makes the convolution before them and the maximum one op. Whether there
/// were any.
bool fuseMaximum(nn::SegmentMaxOp op) {
  SmallVector<Operation *> rowOps; // from the maximum to the beginning
  Value input = op.getInput();
  // The place of the maximum is that before the ops; where several rows share the maximum it may be another one.
  if (op.getArgmax().use_empty()) {
    for (Operation *producer = input.getDefiningOp(); producer && producer->hasOneUse() && isMonotone(producer);
         producer = input.getDefiningOp()) {
      rowOps.push_back(producer);
      input = producer->getOperand(0);
    }
  }
  auto conv = input.getDefiningOp<nn::Conv1dOp>();
  if (conv && conv->hasOneUse()) {
    rowOps.push_back(conv);
  } else {
    conv = {};
  }
  if (rowOps.empty()) {
    return false;
  }

  OpBuilder builder(op);
  Type records = op.getResult().getType(), places = op.getArgmax().getType();
  Operation *maximum =
      conv ? nn::Conv1dMaxOp::create(builder, conv.getLoc(), records, places, conv.getInput(), conv.getWeight()).getOperation()
           : nn::SegmentMaxOp::create(builder, op.getLoc(), records, places, input).getOperation();
  Value last = maximum->getResult(0);
  for (Operation *rowOp : llvm::reverse(rowOps)) {
    if (rowOp == conv) {
      continue;
    }
    IRMapping mapping;
    mapping.map(rowOp->getOperand(0), last);
    Operation *moved = builder.clone(*rowOp, mapping);
    moved->getResult(0).setType(records);
    last = moved->getResult(0);
  }
  op.getResult().replaceAllUsesWith(last);
  op.getArgmax().replaceAllUsesWith(maximum->getResult(1));
  op.erase();
  for (Operation *rowOp : rowOps) {
    rowOp->erase();
  }
  return true;
}

struct FuseSegmentsPass : penstock::impl::FuseSegmentsPassBase<FuseSegmentsPass> {

  // What a rewriting makes is nothing that another one looks for, so each op is looked at once.
  void runOnOperation() final {
    getOperation().walk([&](Operation *op) {
      if (auto matmul = dyn_cast<nn::MatmulOp>(op)) {
        bagSums += fuseCounts(matmul) || fuseWeightedCounts(matmul);
      } else if (auto sum = dyn_cast<nn::SegmentSumOp>(op)) {
        bagSums += fusePooledRows(sum);
      } else if (auto maximum = dyn_cast<nn::SegmentMaxOp>(op)) {
        maxima += fuseMaximum(maximum);
      }
    });
  }
};

} // namespace
