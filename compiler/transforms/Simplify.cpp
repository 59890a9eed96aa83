#include "compiler/transforms/Simplify.h"

#include "compiler/dialect/Nn/Nn.h"
#include "compiler/transforms/EraseDead.h"

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

/// Puts `value` in the place of the op's result. Gives the op that makes it where that is a new one.
Operation *replace(Operation *op, Value value, bool isNew) {
  op->getResult(0).replaceAllUsesWith(value);
  op->erase();
  return isNew ? value.getDefiningOp() : nullptr;
}

/// One simplification of the op, whose operands are simplified. Gives the op to look at next: itself, what stands for it, or null where
/// nothing is left to do.
template <typename Op> Operation *simplifyBinary(Op op) {
  OpBuilder builder(op);
  std::optional<float> left = scalarConstant(op.getLhs()), right = scalarConstant(op.getRhs());
  constexpr bool isMul = std::is_same_v<Op, nn::MulOp>, isDiv = std::is_same_v<Op, nn::DivOp>;
  if (left && right) {
    auto type = cast<RankedTensorType>(op.getType());
    auto value = DenseElementsAttr::get(type, compute(op, *left, *right));
    return replace(op, nn::ConstantOp::create(builder, op.getLoc(), type, value), true);
  }
  if ((isMul || isDiv) && right && *right == 1.0F) {
    return replace(op, op.getLhs(), false);
  }
  if (isMul && left && *left == 1.0F && op.getRhs().getType() == op.getType()) {
    return replace(op, op.getRhs(), false);
  }
  if (auto spread = op.getRhs().template getDefiningOp<nn::SpreadOp>()) {
    if (nn::broadcasts(spread.getInput().getType(), op.getLhs().getType())) {
      op.getRhsMutable().assign(spread.getInput());
      return op;
    }
  }
  if constexpr (isMul) {
    auto spread = op.getLhs().template getDefiningOp<nn::SpreadOp>();
    if (spread && op.getRhs().getType() == op.getType() && nn::broadcasts(spread.getInput().getType(), op.getType())) {
      return replace(op, nn::MulOp::create(builder, op.getLoc(), op.getRhs(), spread.getInput()), true);
    }
  }
  return nullptr;
}

/// Columns side by side: what the gradients of the slices of one value add up to.
Operation *joinPads(nn::AddOp op) {
  auto left = op.getLhs().getDefiningOp<nn::PadOp>(), right = op.getRhs().getDefiningOp<nn::PadOp>();
  if (!left || !right || left.getType() != right.getType()) {
    return nullptr;
  }
  if (left.getOffset() > right.getOffset()) {
    std::swap(left, right);
  }
  int64_t leftWidth = nn::widthOf(left.getInput().getType()), rightWidth = nn::widthOf(right.getInput().getType());
  if (left.getOffset() != 0 || static_cast<int64_t>(right.getOffset()) != leftWidth ||
      leftWidth + rightWidth != nn::widthOf(op.getType())) {
    return nullptr;
  }
  OpBuilder builder(op);
  return replace(op, nn::ConcatOp::create(builder, op.getLoc(), op.getType(), ValueRange{left.getInput(), right.getInput()}), true);
}

/// What the forward pass gave for relu and then dropout is above 0 exactly where both let an element through. So the mask of their
/// derivative is read from it in place of being drawn again, which was a tenth to a fifth of the step of a small network.
///
///   relu_grad(h, dropout(g))  ->  relu_grad(dropout(relu(h)), g / (1 - p)), of one key
void readMask(nn::ReluGradOp op) {
  auto drawn = op.getCotangent().getDefiningOp<nn::DropoutOp>();
  if (!drawn || drawn.getP().convertToDouble() >= 1) {
    return;
  }
  for (Operation *relu : op.getInput().getUsers()) {
    if (!isa<nn::ReluOp>(relu)) {
      continue;
    }
    for (Operation *user : relu->getResult(0).getUsers()) {
      auto forward = dyn_cast<nn::DropoutOp>(user);
      if (!forward || forward == drawn || forward.getKey() != drawn.getKey() || forward.getP() != drawn.getP() ||
          forward->getBlock() != op->getBlock() || !forward->isBeforeInBlock(op)) {
        continue;
      }
      OpBuilder builder(op);
      auto scalar = RankedTensorType::get({}, builder.getF32Type());
      const float scale = 1.0F / (1.0F - static_cast<float>(drawn.getP().convertToDouble())); // as the kernel has it
      Value factor = nn::ConstantOp::create(builder, op.getLoc(), scalar, DenseElementsAttr::get(scalar, scale));
      Value scaled = nn::MulOp::create(builder, op.getLoc(), drawn.getInput(), factor);
      op.getInputMutable().assign(forward.getResult());
      op.getCotangentMutable().assign(scaled);
      return;
    }
  }
}

Operation *simplifyOnce(Operation *op) {
  if (auto add = dyn_cast<nn::AddOp>(op)) {
    Operation *next = simplifyBinary(add);
    return next ? next : joinPads(add);
  }
  if (auto sub = dyn_cast<nn::SubOp>(op)) {
    return simplifyBinary(sub);
  }
  if (auto mul = dyn_cast<nn::MulOp>(op)) {
    return simplifyBinary(mul);
  }
  if (auto div = dyn_cast<nn::DivOp>(op)) {
    return simplifyBinary(div);
  }
  if (auto grad = dyn_cast<nn::ReluGradOp>(op)) {
    readMask(grad);
  }
  return nullptr;
}

} // namespace

void penstock::simplify(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    for (Operation *next = &op; next;) {
      next = simplifyOnce(next);
    }
  }
  eraseDead(block);
}
