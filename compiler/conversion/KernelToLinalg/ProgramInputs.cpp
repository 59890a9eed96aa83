#include "compiler/conversion/KernelToLinalg/ProgramInputs.h"

#include "runtime/abi/program_abi.h"

#include <map>

using namespace mlir;

namespace penstock {

/// The batch layout of a module that does not declare one: the inputs that its functions read, which then are all.
static FailureOr<ArrayAttr> readInputs(ModuleOp module) {
  Builder b(module.getContext());
  llvm::StringMap<bool> readByPredict;
  if (auto predict = module.lookupSymbol<func::FuncOp>("predict")) {
    predict.walk([&](nn::InputOp input) { readByPredict[input.getName()] = true; });
  }
  std::map<uint64_t, nn::InputOp> places;
  module.walk([&](nn::InputOp input) { places.emplace(input.getIndex(), input); });
  SmallVector<Attribute> layout;
  for (auto [index, input] : places) {
    if (index != layout.size()) {
      return input.emitError("stands at place ") << index << " of the batch, and nothing says what stands at place " << layout.size()
                                                 << "; a module that does not read every input declares them in `nn.inputs`";
    }
    layout.push_back(b.getDictionaryAttr({b.getNamedAttr("name", input.getNameAttr()),
                                          b.getNamedAttr("target", b.getBoolAttr(!readByPredict.lookup(input.getName()))),
                                          b.getNamedAttr("type", TypeAttr::get(input.getType()))}));
  }
  return b.getArrayAttr(layout);
}

/// The place of an axis in the table, its parents before it.
static unsigned addAxis(const nn::RowsOf &axis, ProgramLayout &layout) {
  if (auto known = layout.axisIndex.find(axis.axes); known != layout.axisIndex.end()) {
    return known->second;
  }
  const nn::RowsOf above = nn::parentOf(axis);
  const int parent = above.kind == nn::RowsOf::Kind::axis ? static_cast<int>(addAxis(above, layout)) : PENSTOCK_RECORDS;
  const auto index = static_cast<unsigned>(layout.table.axes.size());
  layout.axisIndex[axis.axes] = index;
  layout.table.axes.push_back({nn::nameOf(axis), parent, nn::extentsOf(axis).vec()});
  return index;
}

static int elementOf(Type element) {
  return element.isF32()                ? PENSTOCK_F32
         : element.isBF16()             ? PENSTOCK_BF16
         : element.isUnsignedInteger(8) ? PENSTOCK_U8
         : element.isInteger(8)         ? PENSTOCK_I8
                                        : PENSTOCK_I32;
}

ProgramTable::ValueType valueTypeOf(Type type, const ProgramLayout &layout) {
  ProgramTable::ValueType made;
  made.width = nn::widthOf(type);
  made.element = elementOf(nn::elementTypeOf(type));
  const nn::RowsOf rows = nn::rowsOf(type);
  if (rows.kind == nn::RowsOf::Kind::axis) {
    made.rows = PENSTOCK_ROWS_AXIS;
    made.axis = static_cast<int>(layout.axisIndex.lookup(rows.axes));
  } else if (rows.kind == nn::RowsOf::Kind::records) {
    made.rows = PENSTOCK_ROWS_RECORDS;
  } else if (cast<RankedTensorType>(type).getRank() > 1) {
    made.rows = PENSTOCK_ROWS_FIXED;
    made.fixedRows = rows.rows;
  }
  return made;
}

LogicalResult addInputs(ModuleOp module, ProgramLayout &layout) {
  ProgramTable &table = layout.table;
  auto declared = module->getAttrOfType<ArrayAttr>("nn.inputs");
  if (!declared) {
    FailureOr<ArrayAttr> read = readInputs(module);
    if (failed(read)) {
      return failure();
    }
    declared = *read;
    module->setAttr("nn.inputs", declared);
  }
  const auto planned = module->getAttrOfType<ArrayAttr>("kernel.axes"); // of a module whose entries are planned: all was found then
  if (planned) {
    for (auto axis : planned.getAsRange<ArrayAttr>()) {
      addAxis({nn::RowsOf::Kind::axis, axis, 0}, layout);
    }
  }
  for (Attribute entry : declared) {
    auto input = dyn_cast<DictionaryAttr>(entry);
    auto name = input ? input.getAs<StringAttr>("name") : StringAttr();
    auto type = input ? input.getAs<TypeAttr>("type") : TypeAttr();
    auto target = input ? input.getAs<BoolAttr>("target") : BoolAttr();
    if (!name || !target || !type || !isa<nn::RowsType>(type.getValue())) {
      return module.emitError("`nn.inputs` has {name, target, type} for every place of the batch, the type one of its rows");
    }
    if (const nn::RowsOf rows = nn::rowsOf(type.getValue()); rows.kind == nn::RowsOf::Kind::axis) {
      addAxis(rows, layout);
    }
    table.inputs.push_back({name.str(), valueTypeOf(type.getValue(), layout), target.getValue()});
  }
  if (planned) {
    return success();
  }
  // Axes that the model itself makes: static ones of other extents.
  module.walk([&](Operation *op) {
    for (Type type : op->getResultTypes()) {
      if (auto rows = dyn_cast<nn::RowsType>(type); rows && nn::isOnAxis(rows)) {
        addAxis(nn::rowsOf(rows), layout);
      }
    }
  });
  WalkResult placed = module.walk([&](nn::InputOp input) {
    if (input.getIndex() < table.inputs.size() && table.inputs[input.getIndex()].name == input.getName()) {
      return WalkResult::advance();
    }
    input.emitError("`") << input.getName() << "` is not at place " << input.getIndex() << " of `nn.inputs`";
    return WalkResult::interrupt();
  });
  return failure(placed.wasInterrupted());
}

} // namespace penstock
