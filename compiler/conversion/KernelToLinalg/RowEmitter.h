// The code of row-wise ops, one row at a time. Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/StepBuilder.h"
#include "llvm/ADT/SetVector.h"

namespace penstock {

/// A value of the row that is being computed.
struct RowValue {
  enum class Kind {
    memory, // `value` is a memref of the row
    scalar, // `value` is the row's one number
    pending // computed element by element from its op's operands where it is needed
  } kind = Kind::pending;
  mlir::Value value;
};

class RowEmitter : public StepBuilder {
public:
  explicit RowEmitter(const StepContext &context) : StepBuilder(context) {}

  /// A value that is not computed where it goes, small and rare: a parameter or constant handed out as it is.
  void emit(nn::OutputOp output) { copy(output); }
  void emit(nn::GradientOp gradient) { copy(gradient); }
  void emit(nn::UpdateOp update) { copy(update); }
  void emit(kernel::ZerosOp zeros);

protected:
  /// A loop over the rows of a block in which all ops of the stage are computed.
  mlir::LogicalResult emitRowStage(const RegionPlan &regionPlan, const Stage &stage, mlir::Value firstRow, mlir::Value endRow,
                                   mlir::Value block);

private:
  void copy(mlir::Operation *op);
  mlir::LogicalResult emitRowOp(const RegionPlan &regionPlan, mlir::Operation *op, mlir::Value block);
  mlir::LogicalResult emitLossOp(mlir::Operation *op);
  void storeStage(const Stage &stage);
  void beginRow(const nn::RowsOf &rows);
  RowValue rowValue(mlir::Value value);
  mlir::Value scalarOf(mlir::Value value);
  /// The row of a value in memory: where it is, or written to its buffer or to the row's scratch now.
  mlir::Value memoryOf(mlir::Value value);
  mlir::Value ownMemory(mlir::Value value);
  mlir::Value rowScratch(std::int64_t width);
  void setMemory(mlir::Value value, mlir::Value memory);
  void setPending(mlir::Value value);
  /// Computes values of one width into memory, in one linalg.generic; `accumulate` adds to what is there.
  void flush(llvm::ArrayRef<std::pair<mlir::Value, mlir::Value>> targets, bool accumulate = false);
  using Step = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value accumulator, mlir::Value element)>;
  mlir::Value reduceValue(mlir::Value value, double initial, Step step);
  mlir::Value reduceSum(mlir::Value value);
  mlir::Value rowMaximum(mlir::Value value);
  void collectLeaves(mlir::Value value, llvm::SetVector<mlir::Value> &leaves, llvm::DenseSet<mlir::Value> &seen);
  mlir::Value leafMemory(mlir::Value leaf);
  /// The element of a value from the elements of its leaves; `index` is the place in the row.
  mlir::Value element(mlir::OpBuilder &builder, mlir::Value value, llvm::DenseMap<mlir::Value, mlir::Value> &known,
                      llvm::function_ref<mlir::Value()> index);
  /// Bytes of the program that hold these numbers, as memref<?xi8>.
  mlir::Value globalTable(llvm::ArrayRef<float> numbers);
  mlir::Value globalRow(nn::ConstantOp constant, mlir::Value at);
  mlir::Value weightsTable(llvm::ArrayRef<double> weights);
  mlir::Value targetIndex(mlir::Value target);
  mlir::Value classWeight(mlir::ArrayRef<double> weights, mlir::Value target);

  mlir::Value row, localRow; // in its axis, and in its block
  nn::RowsOf rowsHere;
  llvm::DenseMap<mlir::Value, RowValue> rowValues;
  llvm::DenseSet<mlir::Value> stored;                      // values that are in their own buffer
  llvm::DenseMap<mlir::Operation *, mlir::Value> sideLeaf; // memory that a pending op reads beside its operands
  llvm::DenseMap<mlir::Operation *, mlir::SmallVector<mlir::Value>> sideScalars;
  std::int64_t rowScratchOffset = 0;
};

} // namespace penstock
