// --penstock-outline-launches: bodies of launches become functions of the device's module.
#include "compiler/conversion/KernelToLLVM/CallMembers.h"
#include "compiler/conversion/Passes.h"

#include "compiler/dialect/Kernel/Kernel.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/abi/program_abi.h"

#include <cstddef>

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_OUTLINELAUNCHESPASS
#include "compiler/conversion/Passes.h.inc"

namespace {

class Outliner {
public:
  Outliner(ModuleOp module, ModuleOp device)
      : module(module), device(device), inModule(module), inDevice(device), b(module.getContext()),
        pointer(LLVM::LLVMPointerType::get(b.getContext())) {
    if (auto given = module->getAttrOfType<ArrayAttr>("kernel.axes")) {
      axes = static_cast<int64_t>(given.size());
    }
  }

  LogicalResult run() {
    SmallVector<kernel::LaunchOp> launches;
    module.walk([&](kernel::LaunchOp op) { launches.push_back(op); });
    for (kernel::LaunchOp op : launches) {
      if (failed(outline(op))) {
        return failure();
      }
    }
    for (auto declared : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      if (declared.isDeclaration()) { // what code of a team calls: the device's module has it
        declared.erase();
      }
    }
    return success();
  }

private:
  /// What of the call, or of the step's numbers, an argument is.
  struct Argument {
    std::string what;
    int64_t index;
    Value inBody, onHost;
  };

  LogicalResult outline(kernel::LaunchOp op) {
    launch = op;
    arguments.clear();
    const Location loc = op.getLoc();
    const auto team = static_cast<int64_t>(op.getTeam()), shared = static_cast<int64_t>(op.getShared());
    int64_t teams = team == 1 ? 128 : std::max<int64_t>(1, 128 / team);
    while (teams > 1 && teams * shared > 48 << 10) {
      teams /= 2;
    }
    b.setInsertionPointToEnd(device.getBody());
    const std::string name = "penstock_kernel_" + std::to_string(kernels);
    function = func::FuncOp::create(b, loc, name, b.getFunctionType({}, {}));
    function->setAttr("kernel.threads", b.getI64IntegerAttr(teams * team));
    function->setAttr("kernel.shared", b.getI64IntegerAttr(teams * shared));
    Block *body = function.addEntryBlock();
    begin(loc, *body, op, team, teams);
    body->getOperations().splice(body->end(), op.getBody().front().getOperations());
    b.setInsertionPointToEnd(body);
    func::ReturnOp::create(b, loc);

    SmallVector<Operation *> reads;
    function.walk([&](Operation *inner) {
      if (isa<kernel::GetOp, kernel::NumberOp>(inner)) {
        reads.push_back(inner);
      }
    });
    for (Operation *read : reads) {
      if (failed(replace(read, shared))) {
        return failure();
      }
    }
    SmallVector<Type> types(function.getBody().front().getArgumentTypes());
    function.setType(b.getFunctionType(types, {}));
    bringSymbols();
    callFromHost(op, teams);
    op.erase();
    ++kernels;
    return success();
  }

  /// The numbers of the piece, the thread in its team and the team in its block.
  void begin(Location loc, Block &body, kernel::LaunchOp op, int64_t team, int64_t teams) {
    b.setInsertionPointToStart(&body);
    Type index = b.getIndexType(), i32 = b.getI32Type();
    auto number = [&](StringRef name) -> Value {
      return arith::IndexCastOp::create(b, loc, index, func::CallOp::create(b, loc, name, i32).getResult(0));
    };
    auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
    Value thread = number("penstock_thread_index"), block = number("penstock_block_index");
    Value slot = arith::DivUIOp::create(b, loc, thread, constant(team)), lane = arith::RemUIOp::create(b, loc, thread, constant(team));
    Value item = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, block, constant(teams)), slot);
    const Value numbers[] = {item, lane, slot};
    for (auto [argument, value] : llvm::zip(op.getBody().front().getArguments(), numbers)) {
      argument.replaceAllUsesWith(value);
    }
  }

  /// An argument of the function, of type !llvm.ptr or i64, and what the host gives for it.
  Value argument(StringRef what, int64_t index, Type type, llvm::function_ref<Value()> onHost) {
    for (const Argument &known : arguments) {
      if (known.what == what && known.index == index) {
        return known.inBody;
      }
    }
    Value inBody = function.getBody().front().addArgument(type, launch.getLoc());
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(launch);
    arguments.push_back({what.str(), index, inBody, onHost()});
    return inBody;
  }

  Value held(StringRef what, int64_t index, Type type) {
    return argument(what, index, type, [&]() -> Value { return kernel::GetOp::create(b, launch.getLoc(), type, what, index, Value()); });
  }

  Value load(Location loc, Value from, size_t offset, Type type) {
    Value at = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), from, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
    return LLVM::LoadOp::create(b, loc, type, at, /*alignment=*/type.getIntOrFloatBitWidth() / 8);
  }

  LogicalResult replace(Operation *op, int64_t shared) {
    const Location loc = op->getLoc();
    Type i64 = b.getI64Type(), wanted = op->getResult(0).getType();
    b.setInsertionPoint(op);
    Value value;
    if (auto number = dyn_cast<kernel::NumberOp>(op)) {
      value = argument("number", static_cast<int64_t>(number.getIndex()), i64,
                       [&]() -> Value { return kernel::NumberOp::create(b, loc, i64, number.getIndex()); });
    } else {
      auto get = cast<kernel::GetOp>(op);
      if (get.getPlace()) {
        return get.emitError("handles are not read on a device");
      }
      value = valueOf(get, shared);
    }
    if (wanted.isIndex() && !value.getType().isIndex()) {
      value = arith::IndexCastOp::create(b, loc, wanted, value);
    } else if (isa<MemRefType>(wanted)) {
      value = kernel::memrefOf(b, loc, value, wanted);
    }
    op->replaceAllUsesWith(ValueRange{value});
    op->erase();
    return success();
  }

  Value valueOf(kernel::GetOp get, int64_t shared) {
    const Location loc = get.getLoc();
    const StringRef what = get.getWhat();
    const auto index = static_cast<int64_t>(get.getIndex());
    Type i64 = b.getI64Type();
    if (what == "rows" || what == "records") {
      return load(loc, held("count_place", what == "rows" ? index : axes, pointer), 0, i64);
    }
    if (what == "weight") {
      Value block = held("block", 0, pointer);
      Value at = LLVM::ZExtOp::create(b, loc, i64, load(loc, block, offsetof(PenstockStepBlock, weights_at), b.getI32Type()));
      Value weights = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), block, ArrayRef<LLVM::GEPArg>{at});
      return load(loc, weights, static_cast<size_t>(index) * sizeof(float), b.getF32Type());
    }
    // Numbers of the step's block, which a device reads where it lies.
    if (const kernel::Member *member = kernel::memberOf(what); member && member->of == kernel::Member::Of::block) {
      return load(loc, held("block", 0, pointer), member->offset, member->isFloat ? Type(b.getF32Type()) : i64);
    }
    if (what == "shared") {
      return func::CallOp::create(b, loc, "penstock_shared", TypeRange{pointer}).getResult(0);
    }
    if (what == "team_shared") {
      auto scratch = launch->getAttrOfType<IntegerAttr>("kernel.scratch"); // where it is in the arena
      return arith::ConstantIndexOp::create(b, loc, scratch ? scratch.getInt() : shared);
    }
    const bool isNumber = what == "capacity" || what == "section";
    return held(what, index, isNumber ? i64 : pointer);
  }

  /// Declares the functions that the code calls, and copies the constants that it reads.
  void bringSymbols() {
    OpBuilder top = OpBuilder::atBlockBegin(device.getBody());
    function.walk([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op); call && !inDevice.lookup(call.getCallee())) {
        auto declared = func::FuncOp::create(top, function.getLoc(), call.getCallee(), call.getCalleeType());
        declared.setPrivate();
        inDevice.insert(declared);
      } else if (auto global = dyn_cast<memref::GetGlobalOp>(op); global && !inDevice.lookup(global.getName())) {
        inDevice.insert(top.clone(*inModule.lookup(global.getName())));
      }
    });
  }

  void callFromHost(kernel::LaunchOp op, int64_t teams) {
    const Location loc = op.getLoc();
    Type i64 = b.getI64Type();
    const auto count = static_cast<int64_t>(arguments.size());
    auto constant = [&](int64_t value) -> Value { return LLVM::ConstantOp::create(b, loc, i64, b.getI64IntegerAttr(value)); };
    auto host = op->getParentOfType<func::FuncOp>();
    b.setInsertionPointToStart(&host.getBody().front());
    Value values = LLVM::AllocaOp::create(b, loc, pointer, i64, constant(std::max<int64_t>(count, 1)));
    Value places = LLVM::AllocaOp::create(b, loc, pointer, pointer, constant(std::max<int64_t>(count, 1)));
    b.setInsertionPoint(op);
    for (auto [i, argument] : llvm::enumerate(arguments)) {
      const auto at = static_cast<int32_t>(i);
      Value value = LLVM::GEPOp::create(b, loc, pointer, i64, values, ArrayRef<LLVM::GEPArg>{at});
      Value place = LLVM::GEPOp::create(b, loc, pointer, pointer, places, ArrayRef<LLVM::GEPArg>{at});
      LLVM::StoreOp::create(b, loc, argument.onHost, value);
      LLVM::StoreOp::create(b, loc, value, place);
    }
    Value perBlock = arith::ConstantIndexOp::create(b, loc, teams);
    Value blocks = arith::CeilDivUIOp::create(b, loc, op.getItems(), perBlock);
    blocks = arith::IndexCastOp::create(b, loc, i64, blocks);
    kernel::CallOp::create(b, loc, "launch", ValueRange{constant(kernels), blocks, places, constant(count)}, /*device=*/true);
  }

  ModuleOp module, device;
  SymbolTable inModule, inDevice;
  OpBuilder b;
  Type pointer;
  kernel::LaunchOp launch;
  func::FuncOp function;
  SmallVector<Argument> arguments;
  int64_t axes = 0, kernels = 0;
};

struct OutlineLaunchesPass : impl::OutlineLaunchesPassBase<OutlineLaunchesPass> {
  void runOnOperation() override {
    if (!kernel::computesOnDevice(getOperation())) {
      return markAllAnalysesPreserved();
    }
    OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
    auto device = ModuleOp::create(b, getOperation().getLoc(), "penstock_device");
    if (failed(Outliner(getOperation(), device).run())) {
      signalPassFailure();
    }
  }
};

} // namespace
} // namespace penstock
