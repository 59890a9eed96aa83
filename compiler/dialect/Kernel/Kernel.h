// The Kernel dialect: see KernelOps.td.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-parameter" // generated code
#include "compiler/dialect/Kernel/KernelDialect.h.inc"
#include "compiler/dialect/Kernel/KernelEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "compiler/dialect/Kernel/KernelAttrs.h.inc"
#define GET_OP_CLASSES
#include "compiler/dialect/Kernel/KernelOps.h.inc"
#pragma clang diagnostic pop

namespace penstock::kernel {

/// The level of programs whose steps enqueue on a device.
inline constexpr llvm::StringLiteral deviceLevel = "cuda";

/// Whether the module is to become such a program.
inline bool computesOnDevice(mlir::Operation *module) {
  auto level = module->getAttrOfType<mlir::StringAttr>("penstock.level");
  return level && level.getValue() == deviceLevel;
}

} // namespace penstock::kernel
