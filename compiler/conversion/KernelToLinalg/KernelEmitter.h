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
};

} // namespace penstock
