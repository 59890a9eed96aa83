// What a rewriting leaves behind.
#pragma once

namespace mlir {
class Block;
}

namespace penstock {
/// Erases what nothing reads and what only that reads, in one walk from the end to the beginning.
void eraseDead(mlir::Block &block);
} // namespace penstock
