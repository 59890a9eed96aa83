// --penstock-nn-to-kernel: contractions, attention, segment reductions and scatters become kernel.invoke.
#pragma once

#include "mlir/Pass/Pass.h"

#include <memory>

namespace penstock {

/// Rewrites every op of Nn that has a kernel (KernelTable.h) into kernel.invoke, with one kernel.dispatch for each set of
/// numbers and packed weight, and one kernel.pack for each handle that holds a weight: before the first use in train_step,
/// and in the function @pack for what evaluate and predict use. Adding a vector right after matmul, conv1d or conv1d_max
/// becomes the kernel's bias. Element-wise and row-wise ops stay in Nn.
std::unique_ptr<mlir::Pass> createNnToKernelPass();

} // namespace penstock
