// Exact simplifications of Nn that derivatives leave room for; the differentiation applies them to what it made.
//
//   x op spread(s)          -> x op s               op: add, sub, mul, div; the spread value is not made
//   spread(s) * y           -> y * s
//   x * 1, x / 1            -> x
//   constant op constant    -> constant              scalars, in float32 as the step would compute it
#pragma once

namespace mlir {
class Block;
}

namespace penstock {
/// Simplifies the ops of a block in their order, each until nothing is left to do, and erases what is not read any more. An op is decided
/// by its operands, which stand before it: one walk is all.
void simplify(mlir::Block &block);
} // namespace penstock
