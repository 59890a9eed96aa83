#include "compiler/transforms/Simplify.h"

#include "compiler/dialect/Nn/Nn.h"

using namespace mlir;
using namespace penstock;

namespace {

/// The one number of a scalar constant.
std::optional<float> scalarConstant(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  if (!constant || !nn::isScalar(constant.getType())) {
    return std::nullopt;
  }
  auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
  return elements ? std::optional<float>(elements.getSplatValue<float>()) : std::nullopt;
}

float compute(nn::AddOp, float x, float y) { return x + y; }
float compute(nn::SubOp, float x, float y) { return x - y; }
float compute(nn::MulOp, float x, float y) { return x * y; }
float compute(nn::DivOp, float x, float y) { return x / y; }

template <typename Op> struct SimplifyBinary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const final {
    std::optional<float> left = scalarConstant(op.getLhs()), right = scalarConstant(op.getRhs());
    constexpr bool isMul = std::is_same_v<Op, nn::MulOp>, isDiv = std::is_same_v<Op, nn::DivOp>;
    if (left && right) {
      auto type = cast<RankedTensorType>(op.getType());
      rewriter.replaceOpWithNewOp<nn::ConstantOp>(op, type, DenseElementsAttr::get(type, compute(op, *left, *right)));
      return success();
    }
    if ((isMul || isDiv) && right && *right == 1.0F) {
      rewriter.replaceOp(op, op.getLhs());
      return success();
    }
    if (isMul && left && *left == 1.0F && op.getRhs().getType() == op.getType()) {
      rewriter.replaceOp(op, op.getRhs());
      return success();
    }
    if (auto spread = op.getRhs().template getDefiningOp<nn::SpreadOp>()) {
      if (nn::broadcasts(spread.getInput().getType(), op.getLhs().getType())) {
        rewriter.modifyOpInPlace(op, [&] { op.getRhsMutable().assign(spread.getInput()); });
        return success();
      }
    }
    if constexpr (isMul) {
      auto spread = op.getLhs().template getDefiningOp<nn::SpreadOp>();
      if (spread && op.getRhs().getType() == op.getType() && nn::broadcasts(spread.getInput().getType(), op.getType())) {
        rewriter.replaceOpWithNewOp<nn::MulOp>(op, op.getRhs(), spread.getInput());
        return success();
      }
    }
    return failure();
  }
};

/// Columns side by side: what the gradients of the slices of one value add up to.
struct JoinPads : OpRewritePattern<nn::AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::AddOp op, PatternRewriter &rewriter) const final {
    auto left = op.getLhs().getDefiningOp<nn::PadOp>(), right = op.getRhs().getDefiningOp<nn::PadOp>();
    if (!left || !right || left.getType() != right.getType()) {
      return failure();
    }
    if (left.getOffset() > right.getOffset()) {
      std::swap(left, right);
    }
    int64_t leftWidth = nn::widthOf(left.getInput().getType()), rightWidth = nn::widthOf(right.getInput().getType());
    if (left.getOffset() != 0 || static_cast<int64_t>(right.getOffset()) != leftWidth ||
        leftWidth + rightWidth != nn::widthOf(op.getType())) {
      return failure();
    }
    rewriter.replaceOpWithNewOp<nn::ConcatOp>(op, op.getType(), ValueRange{left.getInput(), right.getInput()});
    return success();
  }
};

} // namespace

void penstock::populateSimplifyPatterns(RewritePatternSet &patterns) {
  patterns.add<SimplifyBinary<nn::AddOp>, SimplifyBinary<nn::SubOp>, SimplifyBinary<nn::MulOp>, SimplifyBinary<nn::DivOp>, JoinPads>(
      patterns.getContext());
}
