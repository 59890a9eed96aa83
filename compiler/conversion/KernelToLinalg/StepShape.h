// What a step of an entry is, apart from the numbers in which equal steps may differ.
#pragma once

#include "compiler/conversion/KernelToLinalg/MemoryPlan.h"
#include "compiler/dialect/Kernel/Kernel.h"

#include <string>
#include <vector>

namespace penstock {

/// Built by naming, in one fixed order, everything that the code of the step is made from. What may differ between two steps of
/// one code (a place in memory, the handle of a kernel, the key of random numbers) becomes a number: the key holds only which
/// of the step's numbers it is, so equal keys also mean that the same numbers are equal among themselves. Everything else (ops, types,
/// attributes, widths, blocks, kinds of memory) stands in the key itself.
class StepShape {
public:
  using Kind = kernel::NumberKind;

  explicit StepShape(const ProgramLayout &layout) : layout(layout) {}
  /// Of a function of a step: its numbers alone, as `numbersAttr` gave them.
  StepShape(const ProgramLayout &layout, mlir::ArrayAttr numbers);

  /// Adds to the key; two different sequences of these give different keys.
  void add(std::int64_t value);
  void add(const void *unique);
  /// A number of the step.
  void addNumber(Kind kind, std::int64_t value);
  void addBuffer(const Buffer &buffer);
  /// An op with its attributes, results and operands; `bufferOf` gives the place of a value, or null.
  void addOp(mlir::Operation *op, llvm::function_ref<const Buffer *(mlir::Value)> bufferOf);
  /// An op whose code only hands its values and their sizes to a kernel: widths and static numbers of rows are numbers of the step.
  void addKernel(mlir::Operation *op, llvm::function_ref<const Buffer *(mlir::Value)> bufferOf);

  const std::string &text() const { return key; }

  /// Where the number stands in the table; a slot is two, the constant and the coefficient of its axis. Nothing where the number is
  /// not one of the step.
  std::optional<unsigned> placeOf(Kind kind, std::int64_t value) const;

  /// The table, from the offsets of all slots. The size of a worker's scratch is zero until all code is written.
  std::vector<std::int64_t> numbers(llvm::ArrayRef<MemoryPlan::Offset> offsets) const;
  /// What the numbers are in this step.
  mlir::ArrayAttr numbersAttr(mlir::Builder &b) const;

  /// The first numbers of every table: bytes of a worker's scratch, where the first worker's begins in the workers' section.
  static constexpr unsigned scratchSize = 0, scratchBegin = 1;

  /// A value and the place where it lies, null for one that has none.
  void addValue(mlir::Value value, const Buffer *buffer);

private:
  void addAttributes(mlir::Operation *op);
  void addRows(const nn::RowsOf &rows);
  void addPlace(const Buffer &buffer);

  struct Number {
    Kind kind;
    std::int64_t value;
  };
  const ProgramLayout &layout;
  std::string key;
  std::vector<Number> list;
  llvm::DenseMap<std::pair<int, std::int64_t>, unsigned> places;
  llvm::DenseMap<mlir::Value, std::int64_t> names;
  unsigned next = scratchBegin + 1;
};

} // namespace penstock
