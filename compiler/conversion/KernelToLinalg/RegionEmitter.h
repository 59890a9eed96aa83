// The code of row regions: a parallel loop over blocks of rows, in which row-wise stages and kernels alternate. Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/RowOps.h"

namespace penstock {

class RegionEmitter : public RowOps {
public:
  explicit RegionEmitter(const StepContext &context) : RowOps(context) {}

  using RowEmitter::emit;
  /// Fails, with a diagnostic, at an op that has no code.
  mlir::LogicalResult emit(kernel::RowsOp region);

private:
  mlir::LogicalResult emitBlock(kernel::RowsOp region, const RegionPlan &regionPlan, mlir::Value firstRow, mlir::Value endRow,
                                mlir::Value block);
  /// Rows of a block of a region over `rows`, at most `most`.
  mlir::Value blockSize(const nn::RowsOf &rows, std::int64_t most);
  mlir::Value blocksOf(const nn::RowsOf &rows, std::int64_t most);
  void addPartialsOnDevice(const nn::RowsOf &rows, const RegionPlan &regionPlan);
  mlir::func::FuncOp addBlocks();
  void finishPartial(mlir::Operation *sum, const Buffer &partial, std::int64_t block);

  bool sums = false; // over the rows of the region at hand
};

} // namespace penstock
