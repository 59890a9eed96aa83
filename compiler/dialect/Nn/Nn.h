// The Nn dialect: see NnOps.td for what each op means.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-parameter" // generated code
#include "compiler/dialect/Nn/NnDialect.h.inc"
#include "compiler/dialect/Nn/NnInterfaces.h.inc"

#define GET_TYPEDEF_CLASSES
#include "compiler/dialect/Nn/NnTypes.h.inc"

#define GET_OP_CLASSES
#include "compiler/dialect/Nn/NnOps.h.inc"
#pragma clang diagnostic pop

namespace penstock::nn {

/// What the rows of a value are.
struct RowsOf {
  enum class Kind { axis, records, fixed } kind = Kind::fixed;
  mlir::StringAttr axis; // of Kind::axis
  std::int64_t rows = 1; // of Kind::fixed
  bool operator==(const RowsOf &) const = default;
};

/// Rows of a ragged value, a record value (first dimension dynamic), or a static tensor (rank 0: one row; rank 1: one row;
/// else the first dimension).
RowsOf rowsOf(mlir::Type type);
/// Elements of one row.
std::int64_t widthOf(mlir::Type type);
mlir::Type elementTypeOf(mlir::Type type);
/// The type of `like`'s rows with another width: `width` elements of `element` a row.
mlir::Type withWidth(mlir::Type like, std::int64_t width, mlir::Type element = {});
bool isScalar(mlir::Type type);
/// The parameter that `value` is, or columns of which it is; null for what is computed.
ParameterOp parameterOf(mlir::Value value);
/// Whether `rhs` may be the right side of a binary op on `lhs`: of its type, a vector of its width, a column of its rows or a
/// scalar.
bool broadcasts(mlir::Type rhs, mlir::Type lhs);

} // namespace penstock::nn
