// The Pipe dialect: see PipeOps.td for what each op means.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-parameter" // generated code
#include "compiler/dialect/Pipe/PipeDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "compiler/dialect/Pipe/PipeTypes.h.inc"

#define GET_OP_CLASSES
#include "compiler/dialect/Pipe/PipeOps.h.inc"
#pragma clang diagnostic pop
