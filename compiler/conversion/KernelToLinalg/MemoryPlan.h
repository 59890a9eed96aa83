// Where every value of an entry lives: one arena whose size is affine in the rows of each axis and the number of records.
#pragma once

#include "compiler/dialect/Nn/Nn.h"
#include "compiler/emit/program_table.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

#include <map>
#include <optional>
#include <set>

namespace penstock {

/// A place for a value.
struct Buffer {
  enum class Kind { arena, parameter, state, fitted, input, output, worker } kind = Kind::arena;
  std::int64_t offset = 0; // bytes: in the flat buffer of long-lived tensors, in the worker's scratch, in the part of it for a row
  int slot = -1;           // of Kind::arena; -1: `offset` bytes from its beginning
  int axis = -1;           // of a slot: the section of the arena in which it lies, as in Extent
  int index = 0;           // of input, output
  nn::RowsOf rows;
  std::int64_t width = 1;  // elements a row
  std::int64_t stride = 0; // elements from a row to the next where they are more than `width`: columns of a parameter
  mlir::Type element;

  /// Bytes from one row to the next.
  std::int64_t rowBytes() const { return std::max(width, stride) * nn::bytesOf(element); }
};

/// The layout that all entries share: flat buffers, axes, inputs. Built from the module's globals and inputs.
struct ProgramLayout {
  explicit ProgramLayout(mlir::ModuleOp module);

  /// How a step treats a parameter: `update` of nn.global.
  enum class Update { whole, rows, deferred };
  struct Parameter {
    std::string name;
    mlir::RankedTensorType type;
    std::int64_t offset = 0, elements = 0; // in float32
    bool decays = false, frozen = false;
    double rate = 1;
    Update update = Update::whole;
    unsigned objective = 0;                                  // that moves it
    std::int64_t rows() const { return type.getDimSize(0); } // of a table
    std::int64_t width() const { return elements / rows(); }
  };
  /// A range of the flat buffers, in float32, that an optimizer treats alike.
  struct Group {
    std::int64_t from = 0, to = 0;
    bool decays = false;
    double rate = 1;
  };
  /// What one objective moves: a range of the flat buffers, in float32. The gradient at the beginning of an entry's arena has that of
  /// its objective alone.
  struct Objective {
    std::int64_t from = 0, wholeEnd = 0, gradientEnd = 0, end = 0; // whole, then rows, then deferred
    std::vector<Group> groups;                                     // of whole and rows
    unsigned firstDeferred = 0, deferredEnd = 0;                   // of ProgramLayout::deferred
    std::vector<std::string> moments;                              // what its optimizer keeps of each parameter: beginnings of names
    std::int64_t states = 0;                                       // where that stands in the flat buffer of states, moment after moment
    std::int64_t gradientElements() const { return gradientEnd - from; }
  };
  /// A table with Update::deferred: `offset`, in bytes of PenstockCall.deferred, of one int32 a row.
  struct Deferred {
    unsigned parameter = 0;
    std::int64_t offset = 0;
  };
  /// Where a global lies: in the flat buffer of `kind`, `offset` in float32.
  struct Place {
    Buffer::Kind kind = Buffer::Kind::parameter;
    std::int64_t offset = 0;
  };
  std::vector<Parameter> parameters; // by objective, update and group, frozen ones last; offsets are multiples of 64
  std::vector<Objective> objectives; // at least one; every one that has an entry
  std::vector<Deferred> deferred;    // by objective
  std::int64_t historyOffset = 0;    // in PenstockCall.deferred: numbers of each step, of each table
  std::int64_t parameterElements = 0;
  llvm::StringMap<Place> places; // of all globals
  llvm::StringMap<unsigned> parameterIndex, handleIndex;
  llvm::DenseMap<mlir::Attribute, unsigned> axisIndex; // by the path of the axis
  ProgramTable table;                                  // axes, inputs, tensors, dispatches filled in
  bool onDevice = false;                               // the module's target is a device: loops become launches
  std::int32_t precision = 0;                          // 1: contractions round their operands to bf16

  const Parameter &parameter(llvm::StringRef name) const { return parameters[parameterIndex.lookup(name)]; }
  const Deferred &deferredTable(llvm::StringRef name) const;
  /// Of the objective whose entry, apply or accumulate `op` is.
  const Objective &objectiveOf(mlir::Operation *op) const { return objectives[nn::objectiveOf(op)]; }
  llvm::ArrayRef<Deferred> deferredOf(const Objective &objective) const {
    return llvm::ArrayRef(deferred).slice(objective.firstDeferred, objective.deferredEnd - objective.firstDeferred);
  }
  /// Where the gradient of a parameter stands in that of its objective, in float32.
  std::int64_t gradientOffset(const Parameter &p) const { return p.offset - objectives[p.objective].from; }
  /// Where the moment of a number of the flat buffer of parameters stands, less the number: in float32.
  std::int64_t momentOffset(const Objective &objective, std::size_t moment) const {
    return objective.states + static_cast<std::int64_t>(moment) * (objective.end - objective.from) - objective.from;
  }
  /// Where a global lies, seen as a value of `type`.
  Buffer bufferOf(llvm::StringRef global, mlir::Type type) const;

private:
  void addParameters(mlir::ModuleOp module);
  void addObjectives(std::size_t count, std::int64_t from);
  void addTrained(const Parameter &p);
  void addMoments(mlir::ModuleOp module);
  void addTensor(nn::GlobalOp global, Buffer::Kind kind, int tensorClass, std::int64_t &end);
};

/// The most rows that a row region computes at once, by the module's level and precision. Fewer keep its values in the second-level cache,
/// more read the weights less often; docs/design/kernels.md has what was measured.
std::int64_t blockRows(const nn::RowsOf &rows, std::int64_t widest, mlir::ModuleOp module);
/// Fewer rows than this are not worth reading the weights for, where the number of rows is known at run time only. A region takes
/// a number of blocks that is divisible by four where it can (`blockPieces`), of about equal size, so that few rows keep all threads busy.
inline constexpr std::int64_t leastBlockRows = 12, blockPieces = 4;
/// The most partial results of a sum over rows on a device.
inline constexpr std::int64_t devicePartials = 512;

/// constant + coefficient * (rows of an axis, or records, rounded up to 16); bytes.
struct Extent {
  std::int64_t constant = 0, coefficient = 0;
  int axis = -1; // index of the axis, `recordsAxis`, or -1 where the size is constant
};
inline constexpr int recordsAxis = 1 << 20;

/// The arena of one entry, filled in program order: slots of a constant size, then a section with the slots of each axis, one with those of
/// the records, and the workers' scratch. A place in it is affine in the rows of its own axis alone; what stands before its section is
/// added up once a call.
class MemoryPlan {
public:
  explicit MemoryPlan(const ProgramLayout &layout) : layout(&layout) {}
  /// The arena that `kernel.slots` and `kernel.reserved` of an entry, or of its function, describe.
  static MemoryPlan read(const ProgramLayout &layout, mlir::Operation *entry);

  /// Bytes at the start of the arena that are never shared: gradients.
  void reserve(std::int64_t bytes) { reserved = (bytes + 63) / 64 * 64; }
  int allocate(const Extent &extent);
  void release(int slot);
  /// Of rows of `bytes` each.
  Extent extentOf(const nn::RowsOf &rows, std::int64_t bytes) const;
  int axisOf(const nn::RowsOf &rows) const;

  /// Where a slot begins: the constant, what the call says of the section of its axis (PenstockCall.arena_sections), and `coefficient`
  /// bytes for each of the axis's rows.
  struct Offset {
    std::int64_t constant = 0, coefficient = 0;
  };
  /// Of every slot, and behind them where the workers' scratch begins in the last section.
  std::vector<Offset> offsets() const;
  /// The index of an axis, of the records and of the workers in PenstockCall.arena_sections.
  int sectionOf(int axis) const { return axis == recordsAxis ? workersSection() - 1 : axis; }
  int axisOfSection(std::int64_t section) const { return section == workersSection() - 1 ? recordsAxis : static_cast<int>(section); }
  int workersSection() const { return static_cast<int>(layout->table.axes.size()) + 1; }
  llvm::ArrayRef<Extent> allSlots() const { return slots; }
  std::int64_t reservedBytes() const { return reserved; }
  ProgramTable::Arena arena(std::int64_t perWorker) const;

private:
  const ProgramLayout *layout;
  std::vector<Extent> slots;
  std::map<int, std::set<std::pair<std::int64_t, int>>> released; // slots that are free, by axis: size and number
  std::int64_t reserved = 0;
};

} // namespace penstock
