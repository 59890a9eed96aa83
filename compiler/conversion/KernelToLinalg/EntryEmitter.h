// The work of --penstock-kernel-to-linalg on one entry. Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/MemoryPlan.h"
#include "compiler/conversion/KernelToLinalg/Optimizer.h"
#include "compiler/conversion/KernelToLinalg/StepShape.h"
#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/dialect/Kernel/KernelTable.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SetVector.h"

namespace penstock {

/// A value of the row that is being computed.
struct RowValue {
  enum class Kind {
    memory, // `value` is a memref of the row
    scalar, // `value` is the row's one number
    pending // computed element by element from its op's operands where it is needed
  } kind = Kind::pending;
  mlir::Value value;
};

/// The code of all steps so far, by the shape that it was made for; shared by the entries.
struct StepCode {
  std::string function;
  std::int64_t rowScratch = 0; // bytes that it needs for a row
};
using StepCodes = llvm::StringMap<StepCode>;

class EntryEmitter {
public:
  EntryEmitter(const ProgramLayout &layout, mlir::func::FuncOp source, StepCodes &codes, bool profile)
      : layout(layout), source(source), codes(codes), profile(profile), plan(layout), b(source.getContext()) {}

  mlir::LogicalResult run(ProgramTable::Entry &entry);

private:
  // --- planning (EntryPlan.cpp)
  struct Stage {
    bool rows = false; // row-wise ops, or one kernel
    mlir::SmallVector<mlir::Operation *> ops;
  };
  struct RegionPlan {
    mlir::SmallVector<Stage> stages;
    std::int64_t block = 1;
    llvm::DenseMap<mlir::Operation *, Buffer> partials; // of sums over rows
  };
  mlir::LogicalResult planMemory();
  mlir::LogicalResult planOp(mlir::Operation &op, mlir::SmallVector<int> &freed);
  void planRegion(kernel::RowsOp region, RegionPlan &regionPlan, mlir::SmallVector<int> &freed);
  std::optional<Buffer> placeOfReader(mlir::Operation &op, mlir::Value v, const RegionPlan &regionPlan,
                                      const llvm::DenseMap<mlir::Operation *, int> &stageOf,
                                      llvm::DenseSet<mlir::Operation *> &shared) const;
  Buffer arenaBuffer(mlir::Type type);
  Buffer placeResult(mlir::Value value);
  Buffer leafBuffer(mlir::Value value);

  // --- steps
  /// A step of this shape, for `op` (null: for the gaps between gradients): its code is `emit`'s unless there is some for the shape
  /// already.
  mlir::LogicalResult step(mlir::Operation *op, StepShape shape, llvm::function_ref<mlir::LogicalResult()> emit);
  StepShape shapeOf(mlir::Operation *op);
  StepShape ownShape(mlir::Operation *op);
  mlir::LogicalResult emitCopyStep(mlir::Operation *op, mlir::Value value, const Buffer &to);
  mlir::LogicalResult emitFillGaps();

  // --- views
  void beginScope(mlir::Location loc);
  /// A number of the step, and the offset that stands in its numbers from `place` on.
  mlir::Value number(unsigned place, mlir::Type type);
  mlir::Value offsetAt(unsigned place);
  unsigned placeOf(StepShape::Kind kind, std::int64_t value);
  mlir::Value handle(mlir::FlatSymbolRefAttr symbol);
  mlir::Value get(llvm::StringRef what, mlir::Type type, std::int64_t index = 0);
  mlir::Value constant(std::int64_t value);
  mlir::Value constantF32(double value);
  mlir::Value rowsOfBuffer(const nn::RowsOf &rows);
  mlir::Value base(const Buffer &buffer);
  mlir::Value byteOffset(const Buffer &buffer);
  /// A memref of `width` elements at row `row` (index) of the buffer, `extra` bytes further.
  mlir::Value rowView(const Buffer &buffer, mlir::Value row, std::int64_t width, std::int64_t extra = 0);
  mlir::Value axisArray(llvm::StringRef what, const nn::RowsOf &rows, mlir::Value at, mlir::Type element);

  // --- emission
  mlir::LogicalResult emitOp(mlir::Operation &op);
  mlir::LogicalResult emitRegion(kernel::RowsOp region);
  mlir::LogicalResult emitBlock(kernel::RowsOp region, RegionPlan &regionPlan, mlir::Value firstRow, mlir::Value endRow, mlir::Value block);
  mlir::LogicalResult emitRowsKernel(kernel::InvokeOp invoke, mlir::Value firstRow, mlir::Value rows);
  mlir::LogicalResult emitInvoke(kernel::InvokeOp invoke);
  void emitCopy(mlir::Value value, const Buffer &to);

  /// Rows of a block of a region over `rows`, at most `most`.
  mlir::Value blockSize(const nn::RowsOf &rows, std::int64_t most);
  mlir::func::FuncOp addBlocks();
  void finishPartial(mlir::Operation *sum, const Buffer &partial, std::int64_t block);
  void call(llvm::StringRef symbol, mlir::ValueRange operands);
  /// Runs `body(begin, end)` over [0, count) in pieces of `grain` on the pool.
  void parallel(mlir::Value count, std::int64_t grain, llvm::function_ref<void(mlir::Value, mlir::Value)> body);
  void forRange(mlir::Value from, mlir::Value to, llvm::function_ref<void(mlir::Value)> body);

  // --- the optimizer (ApplyOptimizer.cpp)
  void planApply(nn::ApplyOp apply, mlir::SmallVector<int> &freed);
  void emitApply(nn::ApplyOp apply);
  void emitAccumulate();
  /// A range of a flat buffer from `offset + first` on, in elements.
  mlir::Value chunk(llvm::StringRef what, std::int64_t offset, mlir::Value first, mlir::Value size);
  void overChunks(std::int64_t from, std::int64_t to, llvm::function_ref<void()> prepare,
                  llvm::function_ref<void(mlir::Value first, mlir::Value size, mlir::Value number)> body);
  std::int64_t partialsOf(nn::ApplyOp apply) const;
  std::int64_t firstPartial() const;
  mlir::Value viewAt(llvm::StringRef what, mlir::Value offset, mlir::Type elements);
  mlir::Value scaled(mlir::Value index, std::int64_t factor, std::int64_t plus = 0);
  mlir::Value sumOfSquares(mlir::Value memory, mlir::Value size);
  mlir::Value sumOfPartials(mlir::Value sum, const Buffer &scratch, mlir::Value first, mlir::Value count);
  void storeScalars(const OptimizerRule::Scalars &scalars, mlir::Value memory);
  OptimizerRule::Scalars loadScalars(const OptimizerRule &rule, mlir::Value memory);
  /// Updates parameter and moments (`places`) element by element; a null gradient is zero.
  void emitUpdate(const OptimizerRule &rule, const OptimizerRule::Scalars &scalars, double decay, mlir::Value gradient,
                  mlir::ValueRange places);

  // --- tables that are updated by the rows that are read (DeferredRows.cpp)
  struct RowsRead {
    mlir::Value ids;
    Buffer groups, gradient, partials;
  };
  void planRefresh(nn::RefreshOp refresh);
  void emitRefresh(nn::RefreshOp refresh);
  void emitRowGradient(nn::RowGradientOp gradient);
  void emitSettle(nn::SettleOp settle);
  mlir::Value loadIndex(llvm::StringRef what, mlir::Value offset);
  mlir::Value countOfRead(const RowsRead &read);
  mlir::Value idOfRead(const RowsRead &read, mlir::Value number);
  mlir::Value stepsDeferred();
  mlir::Value stepNumbers(const ProgramLayout::Deferred &d, mlir::Value step);
  void rememberStep(const OptimizerRule::Scalars &scalars, const ProgramLayout::Deferred &d);
  void storeStep(const ProgramLayout::Deferred &d, mlir::Value id, mlir::Value step);
  mlir::SmallVector<mlir::Value> placesOfRow(const OptimizerRule &rule, const ProgramLayout::Parameter &p, mlir::Value id);
  void emitMissedSteps(const OptimizerRule &rule, const ProgramLayout::Deferred &d, mlir::Value from, mlir::Value to,
                       mlir::ArrayRef<mlir::Value> places);
  mlir::Value sumDeferredSquares(mlir::Value sum, const ProgramLayout::Deferred &d);
  void emitDeferredUpdate(const OptimizerRule &rule, const ProgramLayout::Deferred &d, llvm::function_ref<OptimizerRule::Scalars()> load);

  // --- one row (RowEmitter.cpp)
  mlir::LogicalResult emitRowStage(RegionPlan &regionPlan, const Stage &stage, mlir::Value firstRow, mlir::Value endRow, mlir::Value block);
  mlir::LogicalResult emitRowOp(RegionPlan &regionPlan, mlir::Operation *op, mlir::Value block);
  mlir::LogicalResult emitLossOp(mlir::Operation *op);
  void storeStage(const Stage &stage);
  RowValue rowValue(mlir::Value value);
  mlir::Value scalarOf(mlir::Value value);
  /// The row of a value in memory: where it is, or written to its buffer or to the row's scratch now.
  mlir::Value memoryOf(mlir::Value value);
  mlir::Value ownMemory(mlir::Value value);
  mlir::Value rowScratch(std::int64_t width);
  mlir::Value loadScalar(mlir::Value memory);
  void setMemory(mlir::Value value, mlir::Value memory);
  void setPending(mlir::Value value);
  /// Computes values of one width into memory, in one linalg.generic; `accumulate` adds to what is there.
  void flush(llvm::ArrayRef<std::pair<mlir::Value, mlir::Value>> targets, bool accumulate = false);
  using Step = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value accumulator, mlir::Value element)>;
  mlir::Value reduceValue(mlir::Value value, double initial, Step step);
  mlir::Value reduceSum(mlir::Value value);
  mlir::Value rowMaximum(mlir::Value value);
  void collectLeaves(mlir::Value value, llvm::SetVector<mlir::Value> &leaves, llvm::DenseSet<mlir::Value> &seen);
  mlir::Value leafMemory(mlir::Value leaf);
  /// The element of a value from the elements of its leaves; `index` is the place in the row.
  mlir::Value element(mlir::OpBuilder &builder, mlir::Value value, llvm::DenseMap<mlir::Value, mlir::Value> &known,
                      llvm::function_ref<mlir::Value()> index);
  /// Bytes of the program that hold these numbers, as memref<?xi8>.
  mlir::Value globalTable(llvm::ArrayRef<float> numbers);
  mlir::Value globalRow(nn::ConstantOp constant, mlir::Value at);
  mlir::Value weightsTable(llvm::ArrayRef<double> weights);
  mlir::Value targetIndex(mlir::Value target);
  mlir::Value classWeight(mlir::ArrayRef<double> weights, mlir::Value target);

  const ProgramLayout &layout;
  mlir::func::FuncOp source;
  StepCodes &codes;
  bool profile; // steps say what they do
  mlir::SymbolTable module{source->getParentOfType<mlir::ModuleOp>()};
  MemoryPlan plan;
  mlir::OpBuilder b;
  mlir::Location loc = mlir::UnknownLoc::get(b.getContext());

  bool training = false;
  llvm::DenseMap<mlir::Value, Buffer> buffers;
  llvm::DenseMap<mlir::Operation *, Buffer> scratches; // of whole kernels and of apply
  llvm::DenseMap<mlir::Operation *, RegionPlan> regions;
  llvm::StringMap<RowsRead> rowsRead; // by table
  std::int64_t regionScratchEnd = 0;  // bytes of a worker for values of a block, or a kernel's own

  struct EmittedStep {
    std::string function;
    StepShape shape;
    mlir::Operation *op;
  };
  std::vector<EmittedStep> steps;
  const StepShape *shape = nullptr; // of the step whose code is being emitted
  std::int64_t rowScratchEnd = 0;   // bytes of a worker for values of a row, of all steps
  bool unnamedNumber = false;       // the code asked for a number that its shape does not name

  mlir::Operation *prologueEnd = nullptr; // values that a scope needs once go before it
  llvm::DenseMap<std::pair<mlir::Attribute, std::int64_t>, mlir::Value> scopeGets;
  llvm::DenseMap<std::int64_t, mlir::Value> scopeConstants;
  llvm::DenseMap<std::pair<mlir::Type, unsigned>, mlir::Value> scopePlaces; // numbers of the step
  llvm::DenseMap<unsigned, mlir::Value> scopeOffsets;
  llvm::DenseMap<std::int64_t, mlir::Value> scopeNumbers; // float32 constants by their bits
  mlir::Value worker;

  // The row that is being emitted.
  mlir::Value row, localRow; // in its axis, and in its block
  nn::RowsOf rowsHere;
  llvm::DenseMap<mlir::Value, RowValue> rowValues;
  llvm::DenseSet<mlir::Value> stored;                      // values that are in their own buffer
  llvm::DenseMap<mlir::Operation *, mlir::Value> sideLeaf; // memory that a pending op reads beside its operands
  llvm::DenseMap<mlir::Operation *, mlir::SmallVector<mlir::Value>> sideScalars;
  std::int64_t rowScratchOffset = 0, rowScratchPeak = 0;
  int constantGlobals = 0;
};

/// Whether an element of the result is made of the same element of the operands (RowEmitter.cpp).
bool isElementwise(mlir::Operation *op);
/// The arithmetic of one element (ScalarExpressions.cpp).
mlir::Value emitUnary(mlir::OpBuilder &b, mlir::Location loc, mlir::Operation *op, mlir::Value x);
mlir::Value emitReluGrad(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x, mlir::Value g);
mlir::Value emitBinary(mlir::OpBuilder &b, mlir::Location loc, mlir::Operation *op, mlir::Value x, mlir::Value y);
mlir::Value f32Constant(mlir::OpBuilder &b, mlir::Location loc, double value);

} // namespace penstock
