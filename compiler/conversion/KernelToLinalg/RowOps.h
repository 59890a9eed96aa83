// The code of the row-wise ops, each described once. Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/RowEmitter.h"

namespace penstock {

/// Ops that are element-wise need nothing here: their scalar is the dialect's. Every other op has one method, which emits what a row
/// needs of it once and says what its value is: memory, one number, or pending with the arithmetic of an element.
class RowOps : public RowEmitter {
public:
  explicit RowOps(const StepContext &context) : RowEmitter(context) {}

protected:
  /// A loop over the rows of a block in which all ops of the stage are computed. Fails, with a diagnostic, at an op that has no code.
  mlir::LogicalResult emitRowStage(const RegionPlan &regionPlan, const Stage &stage, mlir::Value firstRow, mlir::Value endRow,
                                   mlir::Value block);

private:
  using Method = mlir::LogicalResult (RowOps::*)(mlir::Operation *);
  template <typename Op, mlir::LogicalResult (RowOps::*method)(Op)> mlir::LogicalResult of(mlir::Operation *op) {
    return (this->*method)(mlir::cast<Op>(op));
  }
  static const llvm::DenseMap<mlir::TypeID, Method> &methods();
  mlir::LogicalResult emitRowOp(mlir::Operation *op);
  void elementWise(nn::ElementWise op);

  mlir::LogicalResult dropout(nn::DropoutOp op);
  mlir::LogicalResult softmax(nn::SoftmaxOp op);
  mlir::LogicalResult normalize(nn::NormalizeOp op);
  mlir::LogicalResult normalizeGrad(nn::NormalizeGradOp op);
  mlir::LogicalResult rowSum(nn::RowSumOp op);
  mlir::LogicalResult columnSum(nn::ColumnSumOp op);
  mlir::LogicalResult total(nn::TotalOp op);
  mlir::LogicalResult concat(nn::ConcatOp op);
  mlir::LogicalResult slice(nn::SliceOp op);
  mlir::LogicalResult pad(nn::PadOp op);
  mlir::LogicalResult embedding(nn::EmbeddingOp op);
  mlir::LogicalResult positionRows(nn::PositionRowsOp op);
  mlir::LogicalResult broadcastRecords(nn::BroadcastRecordsOp op);
  mlir::LogicalResult segmentLength(nn::SegmentLengthOp op);
  mlir::LogicalResult segmentFirst(nn::SegmentFirstOp op);
  mlir::LogicalResult segmentFirstGrad(nn::SegmentFirstGradOp op);
  mlir::LogicalResult oneHot(nn::OneHotOp op);
  mlir::LogicalResult classWeight(nn::ClassWeightOp op);
  mlir::LogicalResult crossEntropy(nn::CrossEntropyOp op);
  mlir::LogicalResult crossEntropyGrad(nn::CrossEntropyGradOp op);

  mlir::Value toIndex(mlir::Value integer);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  /// The partial result of the block at hand of a sum over rows.
  mlir::Value partialOf(mlir::Operation *sum);
  void addToPartial(mlir::Operation *sum);
  /// The row of the parent that owns the row at hand, which lies on an axis.
  mlir::Value parentOfRow();
  mlir::Value columns(mlir::Value memory, std::int64_t offset, std::int64_t width);
  /// Where a result of parts is put together: its own place, or the row's scratch.
  mlir::Value placeFor(mlir::Value result);
  /// Puts parts side by side into the result, from `offset` on.
  void place(mlir::Value result, mlir::Value to, mlir::ValueRange parts, std::int64_t offset);
  /// A memref that a pending value reads, or its one number.
  void setPendingOn(mlir::Value value, mlir::Value memory, mlir::ValueRange reads,
                    std::function<mlir::Value(mlir::OpBuilder &, mlir::Value side, mlir::ValueRange elements)> element);

  struct Target;
  Target targetOf(mlir::Value target, mlir::ArrayRef<double> weights);
  mlir::Value logSumExp(mlir::Value logits);
  mlir::Value weightsTable(mlir::ArrayRef<double> weights);

  const RegionPlan *region = nullptr;
  mlir::Value block; // number of the block at hand
};

} // namespace penstock
