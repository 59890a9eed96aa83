#include "compiler/conversion/KernelToLinalg/ProgramInputs.h"

#include "runtime/abi/program_abi.h"

#include "llvm/ADT/StringSwitch.h"

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
    SmallVector<NamedAttribute> entry = {b.getNamedAttr("name", input.getNameAttr()),
                                         b.getNamedAttr("target", b.getBoolAttr(!readByPredict.lookup(input.getName())))};
    if (auto ragged = dyn_cast<nn::RaggedType>(input.getType())) {
      entry.push_back(b.getNamedAttr("kind", b.getStringAttr("ids")));
      entry.push_back(b.getNamedAttr("axis", ragged.getAxis()));
    } else {
      const char *kind = nn::elementTypeOf(input.getType()).isInteger(32) ? "class" : nn::widthOf(input.getType()) == 1 ? "number" : "set";
      entry.push_back(b.getNamedAttr("kind", b.getStringAttr(kind)));
    }
    layout.push_back(b.getDictionaryAttr(entry));
  }
  return b.getArrayAttr(layout);
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
  }
  for (Attribute entry : declared) {
    auto input = dyn_cast<DictionaryAttr>(entry);
    auto name = input ? input.getAs<StringAttr>("name") : StringAttr();
    auto kind = input ? input.getAs<StringAttr>("kind") : StringAttr();
    auto target = input ? input.getAs<BoolAttr>("target") : BoolAttr();
    auto axis = input ? input.getAs<StringAttr>("axis") : StringAttr();
    if (!name || !kind || !target || (kind == "ids" || kind == "tags") != static_cast<bool>(axis)) {
      return module.emitError("`nn.inputs` has {name, kind, target} for every place of the batch, and the axis of ids and tags");
    }
    ProgramTable::Input in;
    in.name = name.str();
    in.kind = llvm::StringSwitch<int>(kind.getValue())
                  .Case("ids", PENSTOCK_INPUT_IDS)
                  .Case("class", PENSTOCK_INPUT_CLASS)
                  .Case("set", PENSTOCK_INPUT_SET)
                  .Case("tags", PENSTOCK_INPUT_TAGS)
                  .Default(PENSTOCK_INPUT_NUMBER);
    in.target = target.getValue();
    if (axis) {
      auto [it, isNew] = layout.axisIndex.try_emplace(axis.getValue(), table.axes.size());
      if (isNew) {
        table.axes.push_back(axis.str());
      }
      in.axis = static_cast<int>(it->second);
    }
    table.inputs.push_back(std::move(in));
  }
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
