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
      if (spread && op.getRhs().getType() == op.getType() &&
          nn::broadcasts(spread.getInput().getType(), op.getType())) {
        rewriter.replaceOpWithNewOp<nn::MulOp>(op, op.getRhs(), spread.getInput());
        return success();
      }
    }
    return failure();
  }
};

} // namespace

void penstock::populateSimplifyPatterns(RewritePatternSet &patterns) {
  patterns.add<SimplifyBinary<nn::AddOp>, SimplifyBinary<nn::SubOp>, SimplifyBinary<nn::MulOp>,
               SimplifyBinary<nn::DivOp>>(patterns.getContext());
}
