// --penstock-nn-to-kernel: contractions, attention, segment reductions and scatters become kernel.invoke.
#include "compiler/conversion/Passes.h"
#include "compiler/transforms/EraseDead.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/base/kernel_choices.h"

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_NNTOKERNELPASS
#include "compiler/conversion/Passes.h.inc"

namespace {

class NnToKernel {
public:
  explicit NnToKernel(ModuleOp module) : module(module) {
    auto asked = module->getAttrOfType<StringAttr>("penstock.precision");
    precision = asked && asked.getValue() == "bf16" ? 1 : 0;
    if (auto rows = module->getAttrOfType<ArrayAttr>("penstock.kernels")) {
      for (auto row : rows.getAsRange<StringAttr>()) {
        if (std::optional<KernelChoice> choice = kernelChoiceOf(row.getValue())) {
          choices.push_back(std::move(*choice));
        }
      }
    }
    auto at = module->getAttrOfType<StringAttr>("penstock.level");
    level = at ? at.getValue() : "";
  }

  LogicalResult run() {
    SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
    for (func::FuncOp function : functions) {
      if (function.isDeclaration()) {
        continue;
      }
      packedHere.clear();
      SmallVector<Operation *> ops;
      for (Operation &op : function.getBody().front()) {
        ops.push_back(&op);
      }
      for (Operation *op : ops) {
        convert(function, op);
      }
      // Only now: it erases additions, which stand in `ops`.
      for (Operation *invoke : mayHaveBias) {
        absorbBias(invoke);
      }
      mayHaveBias.clear();
    }
    makePackFunction();
    if (module->hasAttr("nn.predicts")) {
      keepWhatIsRead();
    }
    return success();
  }

private:
  /// The dispatch of `kernel` with `attributes`; a handle that packs a weight is one for each weight (`owner`).
  FlatSymbolRefAttr dispatch(Location loc, StringRef kernel, ArrayRef<int64_t> attributes, StringRef owner) {
    std::string key = (kernel + "/" + owner).str();
    for (int64_t a : attributes) {
      key += "/" + std::to_string(a);
    }
    auto [entry, isNew] = dispatches.try_emplace(key);
    FlatSymbolRefAttr &handle = entry->second;
    if (isNew) {
      OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
      if (lastDispatch) {
        builder.setInsertionPointAfter(lastDispatch);
      }
      std::string name = (kernel + "_" + std::to_string(dispatches.size() - 1)).str();
      std::string_view by = chooseKernel(choices, *findKernelHandleKind(kernel), level, {attributes.data(), attributes.size()});
      lastDispatch =
          kernel::DispatchOp::create(builder, loc, builder.getStringAttr(name), builder.getStringAttr(kernel),
                                     builder.getDenseI64ArrayAttr(attributes), by == ownKernels ? StringAttr() : builder.getStringAttr(by));
      handle = FlatSymbolRefAttr::get(module.getContext(), name);
    }
    return handle;
  }

  /// A handle that holds `weight` packed, and its packing where this function must do it.
  FlatSymbolRefAttr packed(func::FuncOp function, Operation *user, StringRef kernel, ArrayRef<int64_t> attributes, Value weight) {
    nn::ReadOp parameter = nn::readOf(weight);
    std::string owner;
    if (parameter) {
      owner = parameter.getName().str();
      if (auto slice = weight.getDefiningOp<nn::SliceOp>()) {
        owner += "@" + std::to_string(slice.getOffset());
      }
    } else {
      owner = "value" + std::to_string(computedWeights++);
    }
    FlatSymbolRefAttr handle = dispatch(user->getLoc(), kernel, attributes, owner);
    const StringRef role = nn::roleOf(function.getName());
    bool training = role == "train_step" || role == "gradient";
    if (parameter && !training) {
      forPackEntry.try_emplace(handle.getValue(), std::make_pair(handle, weight));
    } else if (packedHere.insert({handle.getValue(), true}).second) {
      OpBuilder builder(user);
      builder.setInsertionPointAfter(weight.getDefiningOp());
      kernel::PackOp::create(builder, user->getLoc(), handle, weight);
    }
    return handle;
  }

  Operation *replace(Operation *op, StringRef kernel, FlatSymbolRefAttr handle, ValueRange operands,
                     ArrayRef<NamedAttribute> attributes = {}) {
    OpBuilder builder(op);
    auto invoke = kernel::InvokeOp::create(builder, op->getLoc(), op->getResultTypes(), builder.getStringAttr(kernel), handle, operands);
    for (NamedAttribute a : attributes) {
      invoke->setAttr(a.getName(), a.getValue());
    }
    op->replaceAllUsesWith(invoke->getResults());
    op->erase();
    return invoke;
  }

  /// Takes a following addition of a vector into the kernel as its bias.
  void absorbBias(Operation *invoke) {
    Value result = invoke->getResult(0);
    if (!result.hasOneUse()) {
      return;
    }
    auto add = dyn_cast<nn::AddOp>(*result.user_begin());
    nn::ReadOp parameter = add ? nn::readOf(add.getRhs()) : nn::ReadOp();
    if (!parameter || add.getLhs() != result) {
      return;
    }
    auto vector = dyn_cast<RankedTensorType>(add.getRhs().getType());
    if (!vector || vector.getRank() != 1) {
      return;
    }
    // Reading a parameter, or columns of it, needs nothing else, so it may stand before the kernel.
    for (Operation *read : {parameter.getOperation(), add.getRhs().getDefiningOp()}) {
      if (invoke->isBeforeInBlock(read)) {
        read->moveBefore(invoke);
      }
    }
    invoke->insertOperands(invoke->getNumOperands(), add.getRhs());
    add.getResult().replaceAllUsesWith(result);
    add.erase();
  }

  void convert(func::FuncOp function, Operation *op) {
    if (auto matmul = dyn_cast<nn::MatmulOp>(op)) {
      auto w = cast<RankedTensorType>(matmul.getWeight().getType());
      bool t = matmul.getTransposed();
      // Columns of a parameter are read where they are: their rows are as far apart as the parameter's.
      nn::ReadOp parameter = nn::readOf(matmul.getWeight());
      int64_t stride = nn::widthOf(parameter ? parameter.getType() : Type(w));
      auto handle =
          packed(function, op, "matmul", {w.getDimSize(t ? 1 : 0), w.getDimSize(t ? 0 : 1), t, stride, precision}, matmul.getWeight());
      mayHaveBias.push_back(replace(op, "matmul", handle, {matmul.getInput()}));
    } else if (auto grad = dyn_cast<nn::WeightGradOp>(op)) {
      auto handle = dispatch(op->getLoc(), "weight_gradient",
                             {nn::widthOf(grad.getInput().getType()), nn::widthOf(grad.getCotangent().getType()), precision}, "");
      replace(op, "weight_gradient", handle, {grad.getInput(), grad.getCotangent()});
    } else if (auto conv = dyn_cast<nn::Conv1dOp>(op)) {
      auto handle = packed(function, op, "conv1d", shapeOf(conv.getWeight()), conv.getWeight());
      mayHaveBias.push_back(replace(op, "conv1d", handle, {conv.getInput()}));
    } else if (auto conv = dyn_cast<nn::Conv1dMaxOp>(op)) {
      auto handle = packed(function, op, "conv1d", shapeOf(conv.getWeight()), conv.getWeight());
      mayHaveBias.push_back(replace(op, "conv1d_max", handle, {conv.getInput()}));
    } else if (auto grad = dyn_cast<nn::Conv1dInputGradOp>(op)) {
      auto handle = packed(function, op, "conv1d", shapeOf(grad.getWeight()), grad.getWeight());
      replace(op, "conv1d_input_grad", handle, {grad.getCotangent()});
    } else if (auto grad = dyn_cast<nn::Conv1dWeightGradOp>(op)) {
      auto handle = dispatch(op->getLoc(), "conv1d", shapeOf(grad.getResult()), "gradient");
      replace(op, "conv1d_weight_grad", handle, {grad.getInput(), grad.getCotangent()});
    } else if (auto grad = dyn_cast<nn::Conv1dMaxInputGradOp>(op)) {
      auto handle = packed(function, op, "conv1d", shapeOf(grad.getWeight()), grad.getWeight());
      replace(op, "conv1d_max_input_grad", handle, {grad.getWeight(), grad.getCotangent(), grad.getArgmax()});
    } else if (auto grad = dyn_cast<nn::Conv1dMaxWeightGradOp>(op)) {
      auto handle = dispatch(op->getLoc(), "conv1d", shapeOf(grad.getResult()), "gradient");
      replace(op, "conv1d_max_weight_grad", handle, {grad.getInput(), grad.getCotangent(), grad.getArgmax()});
    } else if (StringRef name = op->getName().stripDialect(); isa<nn::NnDialect>(op->getDialect()) && isKernelWithoutHandle(name)) {
      replace(op, name, {}, op->getOperands(), op->getAttrs());
    }
  }

  /// An operation of such a name is that kernel.
  static bool isKernelWithoutHandle(StringRef name) {
    const KernelRow *row = findKernelRow(name);
    return row && !row->handle && row->scope != KernelScope::inner;
  }

  static SmallVector<int64_t> shapeOf(Value value) { return SmallVector<int64_t>(cast<RankedTensorType>(value.getType()).getShape()); }

  void makePackFunction() {
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto function = func::FuncOp::create(builder, module.getLoc(), "pack", builder.getFunctionType({}, {}));
    builder.setInsertionPointToStart(function.addEntryBlock());
    for (auto &[name, use] : forPackEntry) {
      IRMapping mapping;
      builder.clone(*nn::readOf(use.second), mapping);
      Value weight = mapping.lookupOrNull(use.second);
      if (!weight) {
        weight = builder.clone(*use.second.getDefiningOp(), mapping)->getResult(0);
      }
      kernel::PackOp::create(builder, weight.getLoc(), use.first, weight);
    }
    func::ReturnOp::create(builder, module.getLoc());
  }

  /// Of a program that only predicts: globals that nothing reads go, those of which only packing reads are marked so.
  void keepWhatIsRead() {
    llvm::StringMap<bool> byOthers; // whether anything else than packing reads it
    for (auto function : module.getOps<func::FuncOp>()) {
      eraseDead(function.front());
      function.walk([&](nn::ReadOp read) { byOthers[read.getName()] |= function.getName() != "pack"; });
    }
    for (auto global : llvm::make_early_inc_range(module.getOps<nn::GlobalOp>())) {
      if (auto found = byOthers.find(global.getSymName()); found == byOthers.end()) {
        global.erase();
      } else if (!found->second) {
        global.setPackedOnly(true);
      }
    }
  }

  ModuleOp module;
  llvm::StringMap<FlatSymbolRefAttr> dispatches;
  llvm::MapVector<StringRef, std::pair<FlatSymbolRefAttr, Value>> forPackEntry;
  llvm::DenseMap<StringRef, bool> packedHere;
  SmallVector<Operation *> mayHaveBias; // invokes of the function at hand
  Operation *lastDispatch = nullptr;
  int computedWeights = 0;
  std::vector<KernelChoice> choices;
  StringRef level;
  int64_t precision = 0; // the last number of a contraction's dispatch, see runtime/kernels/kernels.h
};

struct NnToKernelPass : impl::NnToKernelPassBase<NnToKernelPass> {
  void runOnOperation() override {
    if (failed(NnToKernel(getOperation()).run())) {
      signalPassFailure();
    }
  }
};

} // namespace

} // namespace penstock
