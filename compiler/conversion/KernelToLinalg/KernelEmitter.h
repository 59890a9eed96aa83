// Calls of kernels that do not run inside of a row region. Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/StepBuilder.h"

namespace penstock {

class KernelEmitter : public StepBuilder {
public:
  explicit KernelEmitter(const StepContext &context) : StepBuilder(context) {}

  /// Fails, with a diagnostic, at a kernel that has to stand in a row region.
  mlir::LogicalResult emit(kernel::InvokeOp invoke);
  void emit(kernel::PackOp pack);

private:
  void emitWhole(kernel::InvokeOp invoke);
  void emitSegments(kernel::InvokeOp invoke);
  mlir::Value at(mlir::Value value);
  mlir::Value size(std::int64_t value);
  mlir::Value widthOf(mlir::Value value);
  mlir::Value countOf(mlir::Value value);
  mlir::Value axisBytes(kernel::InvokeOp invoke, llvm::StringRef what);
  mlir::Value scratch();
  mlir::Type bytesType();
};

/// Elements of a query of one head of an attention kernel.
std::int64_t headWidth(kernel::InvokeOp attention);

} // namespace penstock
