// The code of the steps that move parameters: apply and accumulate (ApplyOptimizer.cpp), and tables of which a step touches only the rows
// that it reads (DeferredRows.cpp). Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/Optimizer.h"
#include "compiler/conversion/KernelToLinalg/StepBuilder.h"

namespace penstock {

class OptimizerEmitter : public StepBuilder {
public:
  explicit OptimizerEmitter(const StepContext &context) : StepBuilder(context) {}

  void emit(nn::ApplyOp apply);
  void emit(nn::AccumulateOp accumulate);
  void emit(nn::RefreshOp refresh);
  void emit(nn::RowGradientOp gradient);
  void emit(nn::SettleOp settle);

private:
  // --- flat buffers (ApplyOptimizer.cpp)
  /// A range of a flat buffer from `offset + first` on, in elements.
  mlir::Value chunk(llvm::StringRef what, std::int64_t offset, mlir::Value first, mlir::Value size);
  void overChunks(std::int64_t from, std::int64_t to, llvm::function_ref<void()> prepare,
                  llvm::function_ref<void(mlir::Value first, mlir::Value size, mlir::Value number)> body);
  mlir::Value viewAt(llvm::StringRef what, mlir::Value offset, mlir::Type elements);
  mlir::Value sumOfSquares(mlir::Value memory, mlir::Value size);
  mlir::Value sumOfPartials(mlir::Value sum, const Buffer &scratch, mlir::Value first, mlir::Value count);
  /// Where the gradient of a number of the flat buffer of parameters stands: `offset`, in float32, behind the number.
  struct Gradient {
    llvm::StringRef memory;
    std::int64_t offset;
  };
  void partialsOfNorm(nn::ApplyOp apply, const Gradient &gradient, const Buffer &scratch);
  mlir::Value scaleOfGradient(nn::ApplyOp apply, const OptimizerRule &rule, const Buffer &scratch);
  void storeScalars(const OptimizerRule::Scalars &scalars, mlir::Value memory);
  OptimizerRule::Scalars loadScalars(const OptimizerRule &rule, mlir::Value memory);
  /// Updates parameter and moments (`places`) element by element; a null gradient is zero.
  void emitUpdate(const OptimizerRule &rule, const OptimizerRule::Scalars &scalars, double decay, mlir::Value gradient,
                  mlir::ValueRange places);

  // --- rows of tables (DeferredRows.cpp)
  mlir::Value loadIndex(llvm::StringRef what, mlir::Value offset);
  mlir::Value countOfRead(const RowsRead &read);
  mlir::Value idOfRead(const RowsRead &read, mlir::Value number);
  mlir::Value stepsDeferred();
  mlir::Value stepNumbers(const ProgramLayout::Deferred &d, mlir::Value step);
  void rememberStep(const OptimizerRule::Scalars &scalars, const ProgramLayout::Deferred &d);
  void storeStep(const ProgramLayout::Deferred &d, mlir::Value id, mlir::Value step);
  mlir::SmallVector<mlir::Value> placesOfRow(const OptimizerRule &rule, const ProgramLayout::Parameter &p, mlir::Value id);
  void emitMissedSteps(const OptimizerRule &rule, const ProgramLayout::Deferred &d, mlir::Value from, mlir::Value to,
                       mlir::ArrayRef<mlir::Value> places);
  void settleRow(const OptimizerRule &rule, const ProgramLayout::Deferred &d, mlir::Value now, mlir::Value id);
  /// The work of all rows that were read; `width` columns each.
  Work workOfRead(const RowsRead &read, llvm::function_ref<mlir::Value()> count) const;
  void deferredSquares(const ProgramLayout::Deferred &d);
  void emitDeferredUpdate(const OptimizerRule &rule, const ProgramLayout::Deferred &d, llvm::function_ref<OptimizerRule::Scalars()> load);
};

/// Bytes of the scratch that `apply` needs: what all parameters of a rate have in common, and partial sums for the norm.
std::int64_t scratchOfApply(const ProgramLayout &layout, nn::ApplyOp apply);
/// The places of what a step knows of the rows that it reads.
RowsRead planRowsRead(const ProgramLayout &layout, MemoryPlan &memory, nn::RefreshOp refresh);

} // namespace penstock
