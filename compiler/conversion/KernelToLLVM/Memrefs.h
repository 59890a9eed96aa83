// Memory that the call names, as the memrefs that code is written with. Internal to the conversions from Kernel.
#pragma once

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <cstdint>

namespace penstock::kernel {

/// A pointer as the memref<?xi8> that views are cut from.
inline mlir::Value memrefOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value address, mlir::Type type) {
  using namespace mlir;
  Type i64 = b.getI64Type(), pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto array = LLVM::LLVMArrayType::get(i64, 1);
  auto descriptor = LLVM::LLVMStructType::getLiteral(b.getContext(), {pointer, pointer, i64, array, array});
  Value d = LLVM::PoisonOp::create(b, loc, descriptor);
  auto insert = [&](Value v, ArrayRef<int64_t> at) { d = LLVM::InsertValueOp::create(b, loc, d, v, at); };
  auto number = [&](int64_t n) -> Value { return LLVM::ConstantOp::create(b, loc, i64, b.getI64IntegerAttr(n)); };
  insert(address, {0});
  insert(address, {1});
  insert(number(0), {2});
  insert(number(INT64_MAX), {3, 0});
  insert(number(1), {4, 0});
  return UnrealizedConversionCastOp::create(b, loc, type, d).getResult(0);
}

} // namespace penstock::kernel
