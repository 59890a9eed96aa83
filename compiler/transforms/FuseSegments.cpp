#include "compiler/transforms/FuseSegments.h"

#include "compiler/dialect/Nn/Nn.h"

using namespace mlir;
using namespace penstock;

namespace {

struct CountsToBagSum : OpRewritePattern<nn::MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::MatmulOp op, PatternRewriter &rewriter) const final {
    auto counts = op.getInput().getDefiningOp<nn::CountsOp>();
    if (!counts || op.getTransposed()) {
      return failure();
    }
    rewriter.replaceOpWithNewOp<nn::BagSumOp>(op, op.getType(), counts.getIds(), op.getWeight());
    return success();
  }
};

/// Moves one monotone op from before a maximum to behind it.
struct MaxBeforeMonotone : OpRewritePattern<nn::SegmentMaxOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::SegmentMaxOp op, PatternRewriter &rewriter) const final {
    Operation *producer = op.getInput().getDefiningOp();
    // The place of the maximum is that before the op; where several rows share the maximum it may be another one.
    if (!producer || !producer->hasOneUse() || !op.getArgmax().use_empty()) {
      return failure();
    }
    if (auto add = dyn_cast<nn::AddOp>(producer)) {
      auto addend = dyn_cast<RankedTensorType>(add.getRhs().getType());
      if (!addend || addend.getRank() > 1 || !addend.hasStaticShape()) {
        return failure();
      }
    } else if (!isa<nn::ReluOp, nn::TanhOp, nn::SigmoidOp, nn::ExpOp>(producer)) {
      return failure();
    }
    auto max = nn::SegmentMaxOp::create(rewriter, op.getLoc(), op.getResult().getType(), op.getArgmax().getType(), producer->getOperand(0));
    IRMapping mapping;
    mapping.map(producer->getOperand(0), max.getResult());
    Operation *moved = rewriter.clone(*producer, mapping);
    rewriter.modifyOpInPlace(moved, [&] { moved->getResult(0).setType(op.getResult().getType()); });
    rewriter.replaceOp(op, {moved->getResult(0), max.getArgmax()});
    return success();
  }
};

struct ConvolutionMax : OpRewritePattern<nn::SegmentMaxOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::SegmentMaxOp op, PatternRewriter &rewriter) const final {
    auto conv = op.getInput().getDefiningOp<nn::Conv1dOp>();
    if (!conv || !conv->hasOneUse()) {
      return failure();
    }
    auto fused = nn::Conv1dMaxOp::create(rewriter, conv.getLoc(), op.getResult().getType(), op.getArgmax().getType(), conv.getInput(),
                                         conv.getWeight());
    rewriter.replaceOp(op, fused.getResults());
    return success();
  }
};

struct FuseSegmentsPass : PassWrapper<FuseSegmentsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FuseSegmentsPass)
  StringRef getArgument() const final { return "penstock-fuse-segments"; }
  StringRef getDescription() const final { return "keep counts, convolutions and activations before a maximum small"; }
  void getDependentDialects(DialectRegistry &registry) const final { registry.insert<nn::NnDialect>(); }

  void runOnOperation() final {
    RewritePatternSet patterns(&getContext());
    patterns.add<CountsToBagSum, MaxBeforeMonotone, ConvolutionMax>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      signalPassFailure();
    }
  }
};

} // namespace

std::unique_ptr<Pass> penstock::createFuseSegmentsPass() { return std::make_unique<FuseSegmentsPass>(); }
