// The values of the row that is being computed, and how they get into memory. What an op is stands in RowOps. Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/StepBuilder.h"
#include "llvm/ADT/SetVector.h"

#include <functional>

namespace penstock {

/// A value of the row that is being computed.
struct RowValue {
  enum class Kind {
    memory, // `value` is a memref of the row
    scalar, // `value` is the row's one number
    pending // computed element by element where it is needed
  } kind = Kind::pending;
  mlir::Value value;
};

/// How an element of a pending value is computed.
struct Pending {
  mlir::SmallVector<mlir::Value> reads; // values of the row, or memrefs of it
  /// From one element of each of `reads`; `index` gives the place in the row.
  std::function<mlir::Value(mlir::OpBuilder &, mlir::ValueRange elements, llvm::function_ref<mlir::Value()> index)> element;
};

/// Row-wise ops are not emitted one by one: a value stays *pending* until memory needs it (its buffer, a sum over the row), and
/// everything pending of one width goes into one linalg.generic.
class RowEmitter : public StepBuilder {
public:
  explicit RowEmitter(const StepContext &context) : StepBuilder(context) {}

  /// A value that is not computed where it goes, small and rare: a parameter or constant handed out as it is, a state.
  void emit(nn::OutputOp output) { copy(output); }
  void emit(nn::GradientOp gradient) { copy(gradient); }
  void emit(nn::UpdateOp update) { copy(update); }
  void emit(kernel::ZerosOp zeros);

protected:
  void beginRow(const nn::RowsOf &rows);
  /// Writes the results of ops into their buffers where they are not there yet.
  void store(mlir::ArrayRef<mlir::Operation *> ops);

  RowValue rowValue(mlir::Value value);
  mlir::Value scalarOf(mlir::Value value);
  /// The row of a value in memory: where it is, or written to its buffer or to the row's scratch now.
  mlir::Value memoryOf(mlir::Value value);
  mlir::Value ownMemory(mlir::Value value);
  mlir::Value rowScratch(std::int64_t width);
  void setScalar(mlir::Value value, mlir::Value scalar) { rowValues[value] = {RowValue::Kind::scalar, scalar}; }
  void setMemory(mlir::Value value, mlir::Value memory);
  void setPending(mlir::Value value, Pending how);
  /// Computes the value into memory that is not its own: it stays what it is.
  void copyInto(mlir::Value value, mlir::Value memory);
  /// The value was computed into its own memory.
  void setStored(mlir::Value value, mlir::Value memory);
  /// Adds the value's elements to memory.
  void accumulateInto(mlir::Value value, mlir::Value memory) { flush({{value, memory}}, true); }

  /// A reduction of the row's elements, in their order.
  mlir::Value reduce(mlir::Value value, double initial, Combine combine, Fold step);
  mlir::Value sum(mlir::Value value);
  mlir::Value maximum(mlir::Value value);

  /// Bytes of the program that hold these numbers, seen as rows of `width` from row `at` on.
  mlir::Value tableRow(llvm::ArrayRef<float> numbers, std::int64_t width, mlir::Value at);
  mlir::Value constantRow(nn::ConstantOp constant, mlir::Value at);

  mlir::Value row, localRow; // in its axis, and in its block
  nn::RowsOf rowsHere;

private:
  void copy(mlir::Operation *op);
  /// Computes values of one width into memory, in one linalg.generic; `accumulate` adds to what is there.
  void flush(llvm::ArrayRef<std::pair<mlir::Value, mlir::Value>> targets, bool accumulate = false);
  void collectLeaves(mlir::Value value, llvm::SetVector<mlir::Value> &leaves, llvm::DenseSet<mlir::Value> &seen);
  mlir::Value leafMemory(mlir::Value leaf);
  /// The element of a value from the elements of its leaves.
  mlir::Value element(mlir::OpBuilder &builder, mlir::Value value, llvm::DenseMap<mlir::Value, mlir::Value> &known,
                      llvm::function_ref<mlir::Value()> index);

  llvm::DenseMap<mlir::Value, RowValue> rowValues;
  llvm::DenseMap<mlir::Value, Pending> pending;
  llvm::DenseSet<mlir::Value> stored; // values that are in their own buffer
  std::int64_t rowScratchOffset = 0;
};

} // namespace penstock
