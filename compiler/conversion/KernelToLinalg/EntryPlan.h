// Where everything of an entry lies, decided before any code is written. Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/MemoryPlan.h"
#include "compiler/dialect/Kernel/Kernel.h"

namespace penstock {

/// Row-wise ops that run row by row, or kernels that run over a block: a region alternates between the two.
struct Stage {
  bool rows = false;
  mlir::SmallVector<mlir::Operation *> ops;
};

/// How a row region runs.
struct RegionPlan {
  mlir::SmallVector<Stage> stages;
  std::int64_t block = 1;                             // the most rows of a block
  llvm::DenseMap<mlir::Operation *, Buffer> partials; // of sums over rows: one partial result a block
};

/// What a step knows of the rows of a deferred table that it reads (DeferredRows.cpp).
struct RowsRead {
  Buffer groups, gradient, partials;
};

struct EntryPlan {
  explicit EntryPlan(const ProgramLayout &layout) : memory(layout) {}
  /// Where a value lies; null for one that is in no memory.
  const Buffer *find(mlir::Value value) const;

  MemoryPlan memory;
  llvm::DenseMap<mlir::Value, Buffer> buffers;
  llvm::DenseMap<mlir::Operation *, Buffer> scratches; // of whole kernels and of apply
  llvm::DenseMap<mlir::Operation *, RegionPlan> regions;
  llvm::DenseMap<mlir::Operation *, std::int64_t> workers; // bytes of a worker's scratch, of regions and kernels
  llvm::StringMap<RowsRead> rowsRead;                      // by table
};

/// Plans the entry `source`, in program order. Fails, with a diagnostic, at an op that cannot be placed.
mlir::FailureOr<EntryPlan> planEntry(const ProgramLayout &layout, mlir::func::FuncOp source);

/// Whether the entry's gradient lies at the start of its arena.
bool holdsGradient(mlir::func::FuncOp entry);

} // namespace penstock
