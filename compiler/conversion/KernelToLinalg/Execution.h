// How the loops of a step run: over pieces of its work, and over the columns of a row. On the CPU a piece belongs to a thread of the pool,
// which takes the columns one after another; on a device to a team of threads, which share them (compiler/conversion/KernelToGpu). The code
// that says what is computed is the same. Internal to the conversions from Kernel.
#pragma once

#include "compiler/dialect/Nn/Nn.h"
#include "mlir/IR/Builders.h"

#include <memory>

namespace penstock {

class StepBuilder;

/// Pieces of work that do not wait for each other: [0, count) by number.
struct Work {
  /// What bounds their number without reading memory: the capacity of a section of the arena (an axis, the records), or where that is -1,
  /// `most`. Of a section, too, there are no more than `most` where that is not 0.
  int section = -1;
  std::int64_t most = 0;
  /// The number; written where it is needed, on a device in the code that runs there.
  llvm::function_ref<mlir::Value()> count;
  std::int64_t grain = 1; // pieces of a thread of the pool
  std::int64_t width = 1; // the widest row of a piece, at most: how many columns threads can share
};

/// How what threads have of a sum, maximum ... becomes one.
enum class Combine { add, maximum, bitOr };

class Execution {
public:
  using Body = llvm::function_ref<void(mlir::Value begin, mlir::Value end)>;
  using Fold = llvm::function_ref<mlir::Value(mlir::Value accumulator, mlir::Value place)>;
  /// From one element of each of `ins` and `outs`, what goes into `outs`; `index` gives its place.
  using Element = llvm::function_ref<mlir::SmallVector<mlir::Value>(mlir::OpBuilder &, mlir::Location, mlir::ValueRange elements,
                                                                    llvm::function_ref<mlir::Value()> index)>;
  virtual ~Execution() = default;
  /// Runs `body(begin, end)` over the pieces.
  virtual void parallel(StepBuilder &at, const Work &work, Body body) = 0;
  /// Work of one piece outside of `parallel`, which sees what ran before.
  virtual void serial(StepBuilder &at, llvm::function_ref<void()> body) = 0;

  // --- in a piece
  /// Bytes at the beginning of its scratch that the execution uses itself.
  virtual std::int64_t reservedBytes() const { return 0; }
  /// Whether the scratch of the piece at hand lies in the workers' section of the arena, and not where its team is.
  virtual bool scratchInArena() const { return true; }
  /// Teams that have scratch in the arena: on the CPU as many as the pool has workers, which is said by 1.
  virtual std::int64_t teamsInArena() const { return 1; }
  /// Between one row and the next, whose values lie in the same scratch.
  virtual void betweenRows(StepBuilder &at) = 0;
  /// Elements of memrefs of one dimension and one size.
  virtual void elementwise(StepBuilder &at, mlir::ValueRange ins, mlir::ValueRange outs, Element body) = 0;
  /// Over the places of [0, count).
  virtual mlir::Value fold(StepBuilder &at, mlir::Value count, mlir::Value initial, Combine combine, Fold step) = 0;
  virtual void fill(StepBuilder &at, mlir::Value number, mlir::Value memory) = 0;
  /// One number that every thread has.
  virtual void storeScalar(StepBuilder &at, mlir::Value value, mlir::Value memory, mlir::Value place) = 0;
  /// Adds it to what is there.
  virtual void addScalar(StepBuilder &at, mlir::Value value, mlir::Value memory) = 0;
  /// The multipliers of dropout of one row: see `dropout_row` in runtime/base/kernel_rows.def.
  virtual void dropoutRow(StepBuilder &at, mlir::Value mask, std::int64_t width, mlir::ValueRange counters, double p) = 0;
};

std::unique_ptr<Execution> hostExecution();
/// Of a device: pieces are launches (KernelToGpu/TeamExecution.cpp). `least`: threads that a team has at least; tests ask for more than
/// rows of a few numbers would get, by `kernel.least_team` of the module.
std::unique_ptr<Execution> teamExecution(std::int64_t least);

} // namespace penstock
