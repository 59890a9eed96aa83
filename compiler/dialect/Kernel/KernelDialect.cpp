#include "compiler/dialect/Kernel/Kernel.h"
#include "runtime/base/kernel_rows.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace penstock;
using namespace penstock::kernel;

#include "compiler/dialect/Kernel/KernelDialect.cpp.inc"
#include "compiler/dialect/Kernel/KernelEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "compiler/dialect/Kernel/KernelAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "compiler/dialect/Kernel/KernelOps.cpp.inc"

void KernelDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "compiler/dialect/Kernel/KernelAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "compiler/dialect/Kernel/KernelOps.cpp.inc"
      >();
}

LogicalResult InvokeOp::verify() {
  const KernelRow *row = findKernelRow(getKernel());
  if (!row || row->scope == KernelScope::inner) {
    return emitOpError("names no kernel of the table: ") << getKernel();
  }
  bool takesHandle = row->handle != nullptr;
  if (takesHandle != getHandle().has_value()) {
    return emitOpError(takesHandle ? "needs the handle of a kernel.dispatch" : "takes no handle");
  }
  const KernelOperands counts = operandsOf(*row);
  int operands = static_cast<int>(getNumOperands()), results = static_cast<int>(getNumResults());
  if (operands < counts.least || operands > counts.most || results < counts.results) {
    return emitOpError("has ") << operands << " operands and " << results << " results; the table says " << counts.least
                               << (counts.most > counts.least ? " or one more, and " : " and ") << counts.results;
  }
  return success();
}

LogicalResult CallOp::verify() {
  if (getDevice()) {
    return success(); // as many as the roles say there
  }
  const KernelRow *row = findKernelRow(getKernel());
  if (!row) {
    return emitOpError("names no kernel of the table: ") << getKernel();
  }
  size_t arguments = getNumOperands(), expected = argumentsOf(*row).size();
  if (arguments != expected) {
    return emitOpError("has ") << arguments << " arguments; the table says " << expected;
  }
  return success();
}

LogicalResult DispatchOp::verify() {
  const KernelHandleKind *kind = findKernelHandleKind(getKernel());
  if (!kind) {
    return emitOpError("names no kind of handle of the table: ") << getKernel();
  }
  if (static_cast<int>(getNumbers().size()) != countNumbers(*kind)) {
    return emitOpError("has ") << getNumbers().size() << " numbers; the table says " << countNumbers(*kind);
  }
  return success();
}
