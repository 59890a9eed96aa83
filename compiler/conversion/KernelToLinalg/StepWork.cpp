#include "compiler/conversion/KernelToLinalg/StepWork.h"

#include "compiler/conversion/KernelToLinalg/Optimizer.h"
#include "compiler/conversion/KernelToLinalg/StepBuilder.h"
#include "compiler/dialect/Kernel/Kernel.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

#include <map>
#include <set>

using namespace mlir;

namespace penstock {
namespace {

class Description {
public:
  explicit Description(const ProgramLayout &layout) : layout(layout) {
    for (ProgramTable::Amount *amount : {&work.flops, &work.bytes}) {
      amount->perRow.assign(layout.table.axes.size(), 0);
      amount->perPair.assign(layout.table.axes.size(), 0);
    }
  }

  ProgramTable::Work describe(Operation *step) {
    if (isa<kernel::ZerosOp>(step)) {
      work.kind = "copy";
      names.insert("zeros between gradients");
    } else if (auto region = dyn_cast<kernel::RowsOp>(step)) {
      Block &body = region.getBody().front();
      work.kind = "rows";
      for (Operation &op : body.without_terminator()) {
        if (isa<kernel::InvokeOp>(op)) {
          work.kind = "matmul and rows";
        }
        addOp(&op, &body);
      }
      for (Value escaping : body.back().getOperands()) {
        addTraffic(escaping);
      }
    } else {
      work.kind = kindOf(step);
      addOp(step, nullptr);
      for (Value result : step->getResults()) {
        addTraffic(result);
      }
    }
    return std::move(work).finish(names, places);
  }

private:
  struct Unfinished : ProgramTable::Work {
    ProgramTable::Work finish(const llvm::SetVector<StringRef> &names, const std::map<std::string, std::set<unsigned>> &places) && {
      size_t shown = 0;
      for (StringRef name : names) {
        if (++shown > 10) {
          what += ", ...";
          break;
        }
        what += (what.empty() ? "" : ", ") + name.str();
      }
      for (const auto &[file, lines] : places) {
        where += (where.empty() ? "" : "; ") + file + ":";
        bool first = true;
        for (unsigned line : lines) {
          where += (first ? "" : ", ") + std::to_string(line);
          first = false;
        }
      }
      return std::move(static_cast<ProgramTable::Work &>(*this));
    }
  };

  static std::string kindOf(Operation *op) {
    if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
      return findKernelRow(invoke.getKernel())->cost.kind;
    }
    return isa<kernel::PackOp>(op)         ? "packing"
           : op->hasTrait<nn::Optimizes>() ? "optimizer"
           : isa<nn::RowGradientOp>(op)    ? "embedding"
                                           : "copy";
  }

  /// `passes` over the elements of the rows that `ids` name, as if no two were equal.
  void addRows(Value ids, StringRef table, int64_t passes, int64_t arithmetic) {
    nn::RowsOf rows = nn::rowsOf(ids.getType());
    int64_t width = layout.parameter(table).width();
    add(work.bytes, rows, passes * 4 * width);
    add(work.flops, rows, arithmetic * width);
  }

  /// How often parameter and moments are read and written where they are brought up to date without a gradient.
  static int64_t passesWithoutGradient(const OptimizerRule &rule) { return 2 + 2 * static_cast<int64_t>(rule.moments().size()); }

  /// An update of elements with gradients; of deferred tables only those rows that the step reads.
  void addUpdate(nn::ApplyOp apply) {
    OptimizerRule rule(apply);
    // The gradient is read too; clipping reads it once more.
    int64_t passes = passesWithoutGradient(rule) + 1 + (rule.clip > 0);
    int64_t arithmetic = apply.getKind() != "sgd" ? 14 : 4;
    const int64_t elements = layout.objectiveOf(apply).gradientElements();
    work.bytes.constant += passes * 4 * elements;
    work.flops.constant += arithmetic * elements;
    apply->getParentOfType<func::FuncOp>().walk(
        [&](nn::RowGradientOp gradient) { addRows(gradient.getIds(), gradient.getName(), passes, arithmetic); });
  }

  void add(ProgramTable::Amount &amount, const nn::RowsOf &rows, int64_t perRow) {
    switch (rows.kind) {
    case nn::RowsOf::Kind::axis:
      amount.perRow[layout.axisIndex.lookup(rows.axes)] += perRow;
      break;
    case nn::RowsOf::Kind::records:
      amount.perRecord += perRow;
      break;
    case nn::RowsOf::Kind::fixed:
      amount.constant += rows.rows * perRow;
      break;
    }
  }

  /// A whole value is read or written.
  void addTraffic(Value value) {
    Type type = value.getType();
    add(work.bytes, nn::rowsOf(type), nn::widthOf(type) * nn::bytesOf(nn::elementTypeOf(type)));
  }

  ArrayRef<int64_t> numbersOf(FlatSymbolRefAttr handle) {
    return layout.table.dispatches[layout.handleIndex.lookup(handle.getValue())].attributes;
  }

  void addOp(Operation *op, Block *body) {
    notePlace(op->getLoc());
    std::string name = op->getName().stripDialect().str();
    auto rowOp = dyn_cast<nn::RowOp>(op);
    nn::RowsOf rows;
    if (op->getNumResults() > 0) {
      rows = nn::rowsOf(op->getResult(0).getType());
    }
    if (auto invoke = dyn_cast<kernel::InvokeOp>(op)) {
      name = invoke.getKernel().str();
      addKernel(invoke, name);
    } else if (auto pack = dyn_cast<kernel::PackOp>(op)) {
      addTraffic(pack.getWeight()); // and once more, packed
    } else if (auto apply = dyn_cast<nn::ApplyOp>(op)) {
      name = apply.getKind().str();
      addUpdate(apply);
    } else if (isa<nn::AccumulateOp>(op)) {
      const int64_t elements = layout.objectiveOf(op).gradientElements();
      work.bytes.constant += 3 * 4 * elements;
      work.flops.constant += 2 * elements;
    } else if (auto refresh = dyn_cast<nn::RefreshOp>(op)) {
      // How many steps passed a row by is not known here: its numbers are read, and written once.
      OptimizerRule rule(refresh->getAttrOfType<DictionaryAttr>("kernel.optimizer"));
      addRows(refresh.getIds(), refresh.getName(), passesWithoutGradient(rule), 0);
    } else if (auto gradient = dyn_cast<nn::RowGradientOp>(op)) {
      addRows(gradient.getIds(), gradient.getName(), 1, 1);
    } else if (auto settle = dyn_cast<nn::SettleOp>(op)) {
      int64_t passes = passesWithoutGradient(OptimizerRule(settle.getOptimizer()));
      for (const ProgramLayout::Deferred &d : layout.deferred) {
        work.bytes.constant += passes * 4 * layout.parameters[d.parameter].elements;
      }
    } else if (rowOp) {
      add(work.flops, rowOp.getIterationRows(), rowOp.getOperationsPerRow());
    }
    names.insert(saved.insert(name).first->getKey());
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      Operation *from = operand.getDefiningOp();
      if (!from || (body && from->getBlock() == body) || from->hasTrait<nn::Immediate>()) {
        continue;
      }
      // Of a table one row is read for each row that is made; of a value of the axis the records' first ones.
      if (rowOp && rowOp.readsOneRow(static_cast<unsigned>(i))) {
        add(work.bytes, rows, nn::widthOf(op->getResult(0).getType()) * 4);
      } else if (read.insert(operand)) {
        addTraffic(operand);
      }
    }
  }

  void addKernel(kernel::InvokeOp invoke, std::string &name) {
    const KernelRow &row = *findKernelRow(invoke.getKernel());
    const KernelCost &cost = row.cost;
    int64_t each = 1;
    for (KernelValue factor : cost.widths) {
      each *= factor.index < 0 ? 1 : nn::widthOf(valueOf(invoke, factor).getType());
    }
    if (row.handle) {
      int64_t weight = 1;
      std::string shape;
      for (int64_t size : numbersOf(invoke.getHandleAttr()).take_front(static_cast<size_t>(row.handle->sizes))) {
        weight *= size;
        shape += (shape.empty() ? " " : "x") + std::to_string(size);
      }
      name += shape;
      each *= cost.sizes ? weight : 1;
      work.bytes.constant += cost.readsPackedWeight ? 4 * weight : 0;
    }
    nn::RowsOf rows = nn::rowsOf(valueOf(invoke, cost.over).getType());
    if (cost.pairs) {
      work.flops.perPair[layout.axisIndex.lookup(rows.axes)] += cost.arithmetic * (each / cost.divisor);
    } else {
      add(work.flops, rows, cost.arithmetic * each / cost.divisor);
    }
  }

  void notePlace(Location location) {
    location->walk([&](Location inner) {
      if (auto place = dyn_cast<FileLineColLoc>(inner)) {
        places[llvm::sys::path::filename(place.getFilename().getValue()).str()].insert(place.getLine());
      }
      return WalkResult::advance();
    });
  }

  const ProgramLayout &layout;
  Unfinished work;
  llvm::StringSet<> saved;
  llvm::SetVector<StringRef> names;
  llvm::SetVector<Value> read;
  std::map<std::string, std::set<unsigned>> places;
};

} // namespace

ProgramTable::Work workOf(Operation *step, const ProgramLayout &layout) { return Description(layout).describe(step); }

} // namespace penstock
