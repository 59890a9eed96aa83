#include "compiler/transforms/FuseSegments.h"

#include "compiler/dialect/Nn/Nn.h"

using namespace mlir;
using namespace penstock;

namespace {

void fuseCounts(nn::MatmulOp op) {
  auto counts = op.getInput().getDefiningOp<nn::CountsOp>();
  if (!counts || op.getTransposed()) {
    return;
  }
  OpBuilder builder(op);
  Value sum = nn::BagSumOp::create(builder, op.getLoc(), op.getType(), counts.getIds(), op.getWeight());
  op.replaceAllUsesWith(sum);
  op.erase();
  if (counts->use_empty()) {
    counts.erase();
  }
}

/// Whether the op keeps the order of the numbers of each column of its first operand.
bool isMonotone(Operation *op) {
  if (auto add = dyn_cast<nn::AddOp>(op)) {
    auto addend = dyn_cast<RankedTensorType>(add.getRhs().getType());
    return addend && addend.getRank() <= 1;
  }
  return isa<nn::ReluOp, nn::TanhOp, nn::SigmoidOp, nn::ExpOp>(op);
}

/// Moves all monotone ops before a maximum behind it at once, and makes the convolution before them and the maximum one op.
void fuseMaximum(nn::SegmentMaxOp op) {
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
    return;
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
}

struct FuseSegmentsPass : PassWrapper<FuseSegmentsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FuseSegmentsPass)
  StringRef getArgument() const final { return "penstock-fuse-segments"; }
  StringRef getDescription() const final { return "keep counts, convolutions and activations before a maximum small"; }
  void getDependentDialects(DialectRegistry &registry) const final { registry.insert<nn::NnDialect>(); }

  // What a rewriting makes is nothing that another one looks for, so each op is looked at once.
  void runOnOperation() final {
    getOperation().walk([](Operation *op) {
      if (auto matmul = dyn_cast<nn::MatmulOp>(op)) {
        fuseCounts(matmul);
      } else if (auto maximum = dyn_cast<nn::SegmentMaxOp>(op)) {
        fuseMaximum(maximum);
      }
    });
  }
};

} // namespace

std::unique_ptr<Pass> penstock::createFuseSegmentsPass() { return std::make_unique<FuseSegmentsPass>(); }
