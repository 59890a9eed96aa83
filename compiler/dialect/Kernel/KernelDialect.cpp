#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/dialect/Kernel/KernelTable.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace penstock::kernel;

#include "compiler/dialect/Kernel/KernelDialect.cpp.inc"
#define GET_OP_CLASSES
#include "compiler/dialect/Kernel/KernelOps.cpp.inc"

void KernelDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "compiler/dialect/Kernel/KernelOps.cpp.inc"
      >();
}

LogicalResult InvokeOp::verify() {
  const KernelRow *row = findKernel(getKernel());
  if (!row) {
    return emitOpError("names no kernel of the table: ") << getKernel();
  }
  if (row->handle != getHandle().has_value()) {
    return emitOpError(row->handle ? "needs the handle of a kernel.dispatch" : "takes no handle");
  }
  return success();
}

namespace penstock::kernel {

const KernelRow *findKernel(llvm::StringRef name) {
  static const KernelRow rows[] = {
      {"matmul", "penstock_matmul_run", Scope::rows, true},
      {"weight_gradient", "penstock_weight_gradient", Scope::whole, true},
      {"attention", "penstock_attention_forward", Scope::segments, false},
      {"attention_grad", "penstock_attention_backward", Scope::segments, false},
      {"attention_first", "penstock_attention_first_forward", Scope::segments, false},
      {"attention_first_grad", "penstock_attention_first_backward", Scope::segments, false},
      {"conv1d", "penstock_conv1d_run", Scope::segments, true},
      {"conv1d_input_grad", "penstock_conv1d_gradient_input", Scope::segments, true},
      {"conv1d_weight_grad", "penstock_conv1d_gradient_weight", Scope::whole, true},
      {"conv1d_max", "penstock_conv1d_max", Scope::segments, true},
      {"conv1d_max_input_grad", "penstock_conv1d_max_gradient_input", Scope::segments, true},
      {"conv1d_max_weight_grad", "penstock_conv1d_max_gradient_weight", Scope::whole, true},
      {"segment_sum", "penstock_segment_sum", Scope::segments, false},
      {"segment_max", "penstock_segment_max", Scope::segments, false},
      {"segment_max_grad", "penstock_segment_max_gradient", Scope::segments, false},
      {"bag_sum", "penstock_bag_sum", Scope::segments, false},
      {"crf_loss", "penstock_crf_loss", Scope::segments, false},
      {"crf_loss_grad", "penstock_crf_loss_gradient", Scope::segments, false},
      {"crf_decode", "penstock_crf_decode", Scope::segments, false},
      {"counts", "penstock_counts", Scope::segments, false},
      {"embedding_grad", "penstock_embedding_gradient", Scope::whole, false},
      {"position_rows_grad", "penstock_embedding_gradient", Scope::whole, false},
      {"bag_sum_grad", "penstock_embedding_gradient", Scope::whole, false},
  };
  for (const KernelRow &row : rows) {
    if (row.name == name) {
      return &row;
    }
  }
  return nullptr;
}

} // namespace penstock::kernel
