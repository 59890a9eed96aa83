#include "compiler/conversion/KernelToLinalg/ProgramTables.h"

#include "compiler/conversion/KernelToLinalg/ProgramInputs.h"
#include "compiler/dialect/Kernel/Kernel.h"
#include "mlir/IR/Builders.h"
#include "runtime/abi/program_abi.h"

using namespace mlir;

namespace penstock {

FailureOr<ProgramLayout> layoutOf(ModuleOp module) {
  ProgramLayout layout(module);
  if (failed(addInputs(module, layout))) {
    return failure();
  }
  return layout;
}

//===--- a profile's words ------------------------------------------------------------------------------------------===//

static Attribute amountAttribute(const ProgramTable::Amount &amount, Builder &b) {
  SmallVector<int64_t> numbers{amount.constant, amount.perRecord};
  numbers.append(amount.perRow.begin(), amount.perRow.end());
  numbers.append(amount.perPair.begin(), amount.perPair.end());
  return b.getDenseI64ArrayAttr(numbers);
}

static ProgramTable::Amount amountFrom(ArrayRef<int64_t> numbers) {
  const size_t axes = (numbers.size() - 2) / 2;
  auto from = [&](size_t first) { return std::vector<int64_t>(numbers.begin() + first, numbers.begin() + first + axes); };
  return {numbers[0], numbers[1], from(2), from(2 + axes)};
}

DictionaryAttr workAttribute(const ProgramTable::Work &work, Builder &b) {
  return b.getDictionaryAttr({b.getNamedAttr("bytes", amountAttribute(work.bytes, b)),
                              b.getNamedAttr("flops", amountAttribute(work.flops, b)), b.getNamedAttr("kind", b.getStringAttr(work.kind)),
                              b.getNamedAttr("what", b.getStringAttr(work.what)), b.getNamedAttr("where", b.getStringAttr(work.where))});
}

static std::optional<ProgramTable::Work> workFrom(DictionaryAttr given) {
  if (!given) {
    return std::nullopt;
  }
  auto text = [&](StringRef name) { return given.getAs<StringAttr>(name).str(); };
  auto amount = [&](StringRef name) { return amountFrom(given.getAs<DenseI64ArrayAttr>(name)); };
  return ProgramTable::Work{text("kind"), text("what"), text("where"), amount("flops"), amount("bytes")};
}

//===--- the tables -------------------------------------------------------------------------------------------------===//

static ProgramTable::Output outputOf(DictionaryAttr given, const ProgramLayout &layout) {
  return {given.getAs<StringAttr>("name").str(), valueTypeOf(given.getAs<TypeAttr>("type").getValue(), layout)};
}

static ProgramTable::Entry entryOf(kernel::EntryOp given, const ProgramLayout &layout) {
  ProgramTable::Entry entry;
  entry.name = nn::roleOf(given.getSymName()).str();
  entry.objective = static_cast<int>(nn::objectiveOf(given));
  const MemoryPlan memory = MemoryPlan::read(layout, given);
  for (Attribute output : given->getAttrOfType<ArrayAttr>("kernel.outputs")) {
    entry.outputs.push_back(isa<DictionaryAttr>(output) ? outputOf(cast<DictionaryAttr>(output), layout) : ProgramTable::Output{});
  }
  for (auto step : given.getBody().getOps<kernel::StepOp>()) {
    entry.steps.push_back({step.getCode().str(), step.getNumbers().vec(), workFrom(step->getAttrOfType<DictionaryAttr>("kernel.work"))});
  }
  entry.arena = memory.arena(given->getAttrOfType<IntegerAttr>("kernel.worker").getInt());
  return entry;
}

LogicalResult takeProgramTable(ModuleOp module, ProgramTable &table) {
  FailureOr<ProgramLayout> layout = layoutOf(module);
  if (failed(layout)) {
    return failure();
  }
  std::vector<ProgramTable::Entry> entries;
  for (auto entry : module.getOps<kernel::EntryOp>()) {
    entries.push_back(entryOf(entry, *layout));
  }
  if (module->hasAttr("nn.accumulate")) {
    layout->table.accumulatedElements = layout->objectives.back().gradientEnd;
  }
  if (auto losses = module->getAttrOfType<ArrayAttr>("nn.losses")) { // of each objective
    for (auto [objective, coefficients] : llvm::enumerate(losses.getAsRange<DenseF64ArrayAttr>())) {
      for (double coefficient : coefficients.asArrayRef()) {
        layout->table.losses.push_back({coefficient, static_cast<int>(objective)});
      }
    }
  }
  table = std::move(layout->table);
  table.entries = std::move(entries);
  for (Operation &op : llvm::make_early_inc_range(module.getBody()->getOperations())) {
    if (isa<nn::GlobalOp, kernel::DispatchOp, kernel::EntryOp>(op)) {
      op.erase();
    }
  }
  return success();
}

} // namespace penstock
