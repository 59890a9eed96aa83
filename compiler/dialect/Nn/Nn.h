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

#include <optional>
#include <string>

namespace penstock::nn {

/// What the rows of a value are.
struct RowsOf {
  enum class Kind { axis, records, fixed } kind = Kind::fixed;
  mlir::ArrayAttr axes;  // of Kind::axis: the path from the records
  std::int64_t rows = 1; // of Kind::fixed
  bool operator==(const RowsOf &) const = default;
};

/// Rows of a value of the batch, or of a tensor of static shape (rank 0 or 1: one row; else the first dimension).
RowsOf rowsOf(mlir::Type type);
/// Elements of one row.
std::int64_t widthOf(mlir::Type type);
mlir::Type elementTypeOf(mlir::Type type);
std::int64_t bytesOf(mlir::Type element);
/// The type of `like`'s rows with another width: `width` elements of `element` a row.
mlir::Type withWidth(mlir::Type like, std::int64_t width, mlir::Type element = {});
/// Whether a value lies on an axis.
bool isOnAxis(mlir::Type type);
/// The rows that own those of an axis: the records, or the rows of another axis.
RowsOf parentOf(const RowsOf &axis);
/// The extents of a static axis; none of a ragged one.
llvm::ArrayRef<std::int64_t> extentsOf(const RowsOf &axis);
/// The last step of an axis in words: "words", "[28, 28]".
std::string nameOf(const RowsOf &axis);
/// In words: "records", "records x words x characters", "records x [28, 28]", "fixed".
std::string wordsOf(const RowsOf &rows);
bool isScalar(mlir::Type type);
/// Whether `rhs` may be the right side of a binary op on `lhs`: of its type, a vector of its width, a column of its rows or a
/// scalar.
bool broadcasts(mlir::Type rhs, mlir::Type lhs);

/// What the default methods of the interfaces ask: the greatest width of the first result and of operands on these rows, and whether
/// no two writers of the op's block name one global.
std::int64_t widestOnRows(mlir::Operation *op, const RowsOf &rows);
llvm::LogicalResult verifyOneWriter(mlir::Operation *op);
llvm::LogicalResult verifyPools(mlir::Operation *op);
llvm::LogicalResult verifySpreads(mlir::Operation *op);

// What the traits say stands in NnBase.td.
template <typename Op> class RowWise : public mlir::OpTrait::TraitBase<Op, RowWise> {};
template <typename Op> class KeepsOrder : public mlir::OpTrait::TraitBase<Op, KeepsOrder> {};
template <typename Op> class Leaf : public mlir::OpTrait::TraitBase<Op, Leaf> {};
template <typename Op> class Immediate : public mlir::OpTrait::TraitBase<Op, Immediate> {};
template <typename Op> class EndsEntry : public mlir::OpTrait::TraitBase<Op, EndsEntry> {};
template <typename Op> class Optimizes : public mlir::OpTrait::TraitBase<Op, Optimizes> {};
template <typename Op> struct PoolsRows : mlir::OpTrait::TraitBase<Op, PoolsRows> {
  static llvm::LogicalResult verifyTrait(mlir::Operation *op) { return verifyPools(op); }
};
template <typename Op> struct SpreadsRows : mlir::OpTrait::TraitBase<Op, SpreadsRows> {
  static llvm::LogicalResult verifyTrait(mlir::Operation *op) { return verifySpreads(op); }
};

} // namespace penstock::nn

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

/// Rows with `width` elements of `element`, f32 where it is null.
RowsType recordsOf(mlir::MLIRContext *context, std::int64_t width, mlir::Type element = {});
RowsType rowsOn(const RowsOf &rows, mlir::MLIRContext *context, std::int64_t width, mlir::Type element = {});
/// The type of the parent's rows with the width and element of `type`, or those given.
RowsType parentType(mlir::Type type, std::int64_t width = 0, mlir::Type element = {});
/// The axis whose segments an op measures.
RowsOf axisOf(SegmentLengthOp length);
/// Number of rows of each segment of an axis: a column of the parent's rows, or one number where all are alike.
mlir::Value segmentLength(mlir::OpBuilder &builder, mlir::Location loc, const RowsOf &axis);
/// Number of rows of the batch, of the records or of an axis, as a scalar.
mlir::Value rowCount(mlir::OpBuilder &builder, mlir::Location loc, const RowsOf &rows);

/// What a global lives for: NnOps.td.
enum class TensorClass { parameter, modelState, trainingState, fitted };
/// Nothing where there is no such class.
std::optional<TensorClass> parseTensorClass(llvm::StringRef name);
/// Of a verified global.
TensorClass classOf(GlobalOp global);
/// Has gradients: a parameter that is not frozen.
bool isTrained(GlobalOp global);

/// The index of the objective that a global, an op of the optimizer or an entry (`nn.objective`) is of; 0 where nothing is said.
std::int64_t objectiveOf(mlir::Operation *op);
/// What an entry is for. Entries of a named objective are called "ROLE.NAME".
inline llvm::StringRef roleOf(llvm::StringRef entry) { return entry.split('.').first; }
/// The output of @model that is the loss of the objective of that name: "loss" of one without a name, else "NAME.loss".
inline std::string lossOutput(llvm::StringRef objective) { return objective.empty() ? "loss" : (objective + ".loss").str(); }

/// The read of the global that `value` is, or columns of which it is; null for what is computed.
ReadOp readOf(mlir::Value value);
/// The rows that an op of a region runs over: as RowOp says, those of its result for a kernel.
RowsOf iterationRows(mlir::Operation *op);
/// Whether the result of an op of a region is complete only after the region.
bool sumsOverRows(mlir::Operation *op);
/// Whether the op is read where it is used, so that it has no code: a leaf, or columns of a global.
bool isLeaf(mlir::Operation *op);

} // namespace penstock::nn
