// Writes the code of one step: what of the call and of the step's numbers it reads, and where its values lie. Internal to this folder.
#pragma once

#include "compiler/conversion/KernelToLinalg/EntryPlan.h"
#include "compiler/conversion/KernelToLinalg/Execution.h"
#include "compiler/conversion/KernelToLinalg/StepShape.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "runtime/base/kernel_rows.h"

namespace penstock {

/// What the code of a step is made from.
struct StepContext {
  const ProgramLayout &layout;
  const EntryPlan &plan;
  const StepShape &shape;
  mlir::SymbolTable &module;
  mlir::OpBuilder b; // where the code goes
  mlir::Location loc;
  std::int64_t workerBytes; // of a worker's scratch that the plan of the step took
  Execution &execution;
};

class StepBuilder {
public:
  /// Bytes of a worker's scratch that the code needs: what the plan took, and behind it values of the row at hand.
  std::int64_t workerBytes() const { return blockBytes + rowScratchPeak; }
  /// Whether the code reads a number that its shape does not name: a mistake of the lowering.
  bool readsUnnamedNumber() const { return unnamedNumber; }

  // --- for executions (Execution.h)
  mlir::OpBuilder &builder() { return b; }
  mlir::Location where() const { return loc; }
  mlir::SymbolTable &symbols() { return module; }
  /// Writes code whose values of the call and of the step's numbers are its own: those of the body of a loop that another function will
  /// hold. `worker`: whose scratch it uses.
  void inScope(mlir::Block &body, mlir::Value worker, llvm::function_ref<void()> write);
  mlir::Value get(llvm::StringRef what, mlir::Type type, std::int64_t index = 0);
  mlir::Value constant(std::int64_t value);
  mlir::Value loadAt(mlir::Value memory, mlir::Value place);

protected:
  explicit StepBuilder(const StepContext &context);

  // --- places
  /// Where a value lies that is in memory.
  const Buffer &bufferOf(mlir::Value value) const { return *plan.find(value); }
  int axisOf(const nn::RowsOf &rows) const { return plan.memory.axisOf(rows); }

  // --- numbers and what the call holds: each once in a scope (the step, or the body of a parallel loop), at its beginning
  mlir::Value number(unsigned place, mlir::Type type);
  /// The number of the step that stands for `value`.
  mlir::Value number(StepShape::Kind kind, std::int64_t value, mlir::Type type) { return number(placeOf(kind, value), type); }
  mlir::Value handle(mlir::FlatSymbolRefAttr symbol);
  mlir::Value constantF32(double value);
  mlir::Value constantI64(std::int64_t value);
  mlir::Value constantI32(std::int64_t value);
  mlir::Value nullPointer();
  mlir::Value pool();
  mlir::Value asI64(mlir::Value index);
  mlir::Value rowsOfBuffer(const nn::RowsOf &rows);
  /// index * factor + plus.
  mlir::Value scaled(mlir::Value index, std::int64_t factor, std::int64_t plus = 0);

  // --- views
  mlir::Value base(const Buffer &buffer);
  mlir::Value byteOffset(const Buffer &buffer);
  /// A memref of bytes: what the views are of.
  mlir::MemRefType bytesType();
  /// A memref of `width` elements at row `row` (index) of the buffer, or at its beginning where that is null.
  mlir::Value rowView(const Buffer &buffer, mlir::Value row, std::int64_t width);
  mlir::Value loadScalar(mlir::Value memory) { return loadAt(memory, constant(0)); }
  /// One number of an array of the batch: `offsets` or a `row_...` of an axis, or `record_numbers`.
  mlir::Value axisArray(llvm::StringRef what, const nn::RowsOf &rows, mlir::Value at, mlir::Type element);

  // --- calls and loops
  /// Calls the C function of a row of the table of kernels.
  void call(llvm::StringRef kernel, mlir::ValueRange operands);
  /// The same with the arguments that the row names. `first` and `second` are, by the row's scope, the first row of a block and how many it
  /// has, the range of records, or null (KernelEmitter.cpp).
  void callKernel(kernel::InvokeOp invoke, mlir::Value first, mlir::Value second);
  /// Number of segments of the axis that the kernel works along: the rows of its parent.
  mlir::Value kernelSegments(kernel::InvokeOp invoke);
  /// What the call of a kernel of role `pool` gets: nothing on a device.
  void addPool(mlir::SmallVectorImpl<mlir::Value> &arguments);
  /// What the call of a kernel of role `rows` gets of the rows of a value.
  void addRows(mlir::SmallVectorImpl<mlir::Value> &arguments, const nn::RowsOf &rows);
  /// Runs `body(begin, end)` over pieces of work.
  void parallel(const Work &work, Execution::Body body) { execution.parallel(*this, work, body); }
  /// Pieces that are the rows of a value, or of a buffer in a section of the arena.
  Work workOver(const nn::RowsOf &rows, std::int64_t width, llvm::function_ref<mlir::Value()> count, std::int64_t grain = 1) const;
  /// Over [0, count).
  void parallel(std::int64_t count, std::int64_t grain, std::int64_t width, Execution::Body body);
  void serial(llvm::function_ref<void()> body) { execution.serial(*this, body); }
  void forRange(mlir::Value from, mlir::Value to, llvm::function_ref<void(mlir::Value)> body);
  /// The next value of an accumulator, from what comes next: a place, or an element.
  using Fold = Execution::Fold;
  /// A loop over the places of [0, count), in their order on the CPU. `combine` says what `step` does with the accumulator.
  mlir::Value fold(mlir::Value count, mlir::Value initial, Combine combine, Fold step) {
    return execution.fold(*this, count, initial, combine, step);
  }
  /// `body` computes the elements of `outs` from those of `ins` and `outs`, all of one width.
  void elementwise(mlir::ValueRange ins, mlir::ValueRange outs, Execution::Element body) { execution.elementwise(*this, ins, outs, body); }
  void fill(double number, mlir::Value memory) { execution.fill(*this, constantF32(number), memory); }
  void storeScalar(mlir::Value value, mlir::Value memory, std::int64_t place = 0) {
    execution.storeScalar(*this, value, memory, constant(place));
  }

  const ProgramLayout &layout;
  const EntryPlan &plan;
  const StepShape &shape;
  mlir::SymbolTable &module;
  mlir::OpBuilder b;
  mlir::Location loc;
  Execution &execution;
  const std::int64_t blockBytes;
  std::int64_t rowScratchPeak = 0;

  /// Where what a scope needs once is put.
  void insertAtScope() { b.setInsertionPoint(scope.end); }

private:
  mlir::Value kernelArgument(kernel::InvokeOp invoke, const KernelRow &row, const KernelArgument &argument, mlir::Value first,
                             mlir::Value second);
  /// Whether a device wants another form of the argument (runtime/cuda/kernel_types.h), which is added.
  bool addDeviceArgument(kernel::InvokeOp invoke, const KernelArgument &argument, mlir::SmallVectorImpl<mlir::Value> &arguments);
  mlir::Value kernelValue(kernel::InvokeOp invoke, const KernelArgument &argument, mlir::Value firstRow);
  /// An array of the batch, of the axis that the kernel works along.
  mlir::Value kernelArray(kernel::InvokeOp invoke, llvm::StringRef what);
  mlir::Value kernelSize(std::int64_t size, bool inRegion);
  void beginScope();
  mlir::Value offsetAt(unsigned place, int axis);
  mlir::Value scaledBytes(mlir::Value unit, mlir::Value number, std::int64_t plus);
  unsigned placeOf(StepShape::Kind kind, std::int64_t value);

  struct Scope {
    mlir::Operation *end = nullptr; // the scope's values go before it
    llvm::DenseMap<std::pair<mlir::Attribute, std::int64_t>, mlir::Value> gets;
    llvm::DenseMap<std::int64_t, mlir::Value> constants, floats;          // float32 constants by their bits
    llvm::DenseMap<std::pair<mlir::Type, unsigned>, mlir::Value> numbers; // of the step
    llvm::DenseMap<unsigned, mlir::Value> offsets;
    mlir::Value worker;
  };
  Scope scope;
  bool unnamedNumber = false;
};

/// The value of an invocation that a row of the table means; null for an operand that this one has not.
mlir::Value valueOf(kernel::InvokeOp invoke, KernelValue which);
/// Of an argument of role `width`.
std::int64_t widthOf(kernel::InvokeOp invoke, const KernelArgument &argument);

mlir::Value f32Constant(mlir::OpBuilder &b, mlir::Location loc, double value);

} // namespace penstock
