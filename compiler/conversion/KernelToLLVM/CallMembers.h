// What code reads of the call by name, and the memrefs of the memory that it names. Internal to the conversions from Kernel.
#pragma once

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/abi/program_abi.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace penstock::kernel {

/// What is loaded as it is: pointers of the call and of an axis of the batch, numbers of the step's block.
struct Member {
  enum class Of { call, block, axis } of;
  llvm::StringLiteral name;
  size_t offset;
  bool isFloat; // of a number of the block, else int64
};
inline constexpr Member members[] = {
#define PENSTOCK_MEMBER(of, Struct, name) {Member::Of::of, #name, offsetof(Struct, name), std::is_same_v<decltype(Struct::name), float>}
    PENSTOCK_MEMBER(call, PenstockCall, pool),
    PENSTOCK_MEMBER(call, PenstockCall, parameters),
    PENSTOCK_MEMBER(call, PenstockCall, states),
    PENSTOCK_MEMBER(call, PenstockCall, fitted),
    PENSTOCK_MEMBER(call, PenstockCall, gradients),
    PENSTOCK_MEMBER(call, PenstockCall, deferred),
    PENSTOCK_MEMBER(call, PenstockCall, arena),
    PENSTOCK_MEMBER(block, PenstockStepBlock, records),
    PENSTOCK_MEMBER(block, PenstockStepBlock, seed),
    PENSTOCK_MEMBER(block, PenstockStepBlock, step),
    PENSTOCK_MEMBER(block, PenstockStepBlock, part),
    PENSTOCK_MEMBER(block, PenstockStepBlock, learning_rate),
    PENSTOCK_MEMBER(block, PenstockStepBlock, deferred_first),
    PENSTOCK_MEMBER(axis, PenstockAxisBatch, offsets),
    PENSTOCK_MEMBER(axis, PenstockAxisBatch, row_parent),
    PENSTOCK_MEMBER(axis, PenstockAxisBatch, row_record),
    PENSTOCK_MEMBER(axis, PenstockAxisBatch, row_place),
    PENSTOCK_MEMBER(axis, PenstockAxisBatch, row_word),
    PENSTOCK_MEMBER(axis, PenstockAxisBatch, row_position),
    PENSTOCK_MEMBER(axis, PenstockAxisBatch, row_segment),
#undef PENSTOCK_MEMBER
};

/// Null where the name is none of these.
inline const Member *memberOf(llvm::StringRef name) {
  const Member *found = llvm::find_if(members, [&](const Member &one) { return one.name == name; });
  return found == std::end(members) ? nullptr : found;
}

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
