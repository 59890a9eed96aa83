// --penstock-kernel-to-llvm: loops, outlined bodies, and calls through the program's tables.
#include "compiler/conversion/KernelToLLVM/CallMembers.h"
#include "compiler/conversion/Passes.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "runtime/abi/program_abi.h"

#include <cstddef>

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_KERNELTOLLVMPASS
#include "compiler/conversion/Passes.h.inc"

namespace {

class Lowering {
public:
  explicit Lowering(ModuleOp module) : module(module), b(module.getContext()), pointer(LLVM::LLVMPointerType::get(b.getContext())) {}

  LogicalResult run() {
    if (failed(lowerLinalg())) {
      return failure();
    }
    for (auto function : module.getOps<func::FuncOp>()) {
      if (!function.isDeclaration() && function.getNumArguments() == 2) {
        surroundings[function] = {function.getArgument(0), function.getArgument(1)};
      }
    }
    SmallVector<kernel::ParallelOp> parallels;
    module.walk([&](kernel::ParallelOp op) { parallels.push_back(op); });
    for (kernel::ParallelOp op : parallels) {
      outline(op);
    }
    SmallVector<kernel::CallOp> calls;
    SmallVector<kernel::GetOp> gets;
    SmallVector<kernel::NumberOp> numbers;
    module.walk([&](kernel::CallOp op) { calls.push_back(op); });
    module.walk([&](kernel::GetOp op) { gets.push_back(op); });
    module.walk([&](kernel::NumberOp op) { numbers.push_back(op); });
    for (kernel::CallOp op : calls) {
      lowerCall(op);
    }
    for (kernel::GetOp op : gets) {
      if (failed(lowerGet(op))) {
        return failure();
      }
    }
    for (kernel::NumberOp op : numbers) {
      lowerNumber(op);
    }
    // Entries stand in the program's tables, not in its code.
    for (auto entry : llvm::make_early_inc_range(module.getOps<kernel::EntryOp>())) {
      entry.erase();
    }
    module->setAttr("kernel.symbols", b.getStrArrayAttr(symbols));
    return success();
  }

private:
  /// What every function of the program has at hand.
  struct Surroundings {
    Value call, numbers;
  };

  LogicalResult lowerLinalg() {
    SmallVector<linalg::LinalgOp> ops;
    module.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    auto group = LLVM::AccessGroupAttr::get(b.getContext());
    auto annotation = LLVM::LoopAnnotationAttr::get(b.getContext(), {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},
                                                    ArrayRef<LLVM::AccessGroupAttr>{group});
    for (linalg::LinalgOp op : ops) {
      IRRewriter rewriter(op.getContext());
      rewriter.setInsertionPoint(op);
      FailureOr<linalg::LinalgLoops> loops = linalg::linalgOpToLoops(rewriter, op);
      if (failed(loops)) {
        return op.emitError("no loops for this operation");
      }
      for (Operation *loop : *loops) {
        loop->setAttr("loop_annotation", annotation); // by this name the branch of the loop takes it
      }
      rewriter.eraseOp(op);
    }
    return success();
  }

  Value call(Operation *op) { return surroundings.lookup(op->getParentOfType<func::FuncOp>()).call; }

  Value load(Location loc, Value base, size_t offset, Type type) {
    Value at = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
    return LLVM::LoadOp::create(b, loc, type, at);
  }

  Value element(Location loc, Value array, int64_t index) {
    Value at = LLVM::GEPOp::create(b, loc, pointer, pointer, array, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
    return LLVM::LoadOp::create(b, loc, pointer, at);
  }

  Value symbol(Location loc, Value callPointer, StringRef name) {
    auto [it, isNew] = symbolIndex.try_emplace(name, symbols.size());
    if (isNew) {
      symbols.push_back(it->getKey());
    }
    Value table = load(loc, callPointer, offsetof(PenstockCall, symbols), pointer);
    return element(loc, table, static_cast<int64_t>(it->second));
  }

  // Nothing is captured: a body reads everything again from the call and the numbers of the step, which are its context.
  void outline(kernel::ParallelOp op) {
    auto parent = op->getParentOfType<func::FuncOp>();
    Location loc = op.getLoc();
    Type i64 = b.getI64Type(), i32 = b.getI32Type();
    b.setInsertionPointAfter(parent);
    auto body = func::FuncOp::create(b, loc, "penstock_body_" + std::to_string(bodies++), b.getFunctionType({pointer, i64, i64, i32}, {}));
    body.setPrivate();
    Block *entry = body.addEntryBlock();
    b.setInsertionPointToStart(entry);
    Type index = b.getIndexType();
    Value context = entry->getArgument(0);
    surroundings[body] = {element(loc, context, 0), element(loc, context, 1)};
    SmallVector<Value> arguments;
    for (unsigned i = 1; i < 4; ++i) {
      arguments.push_back(arith::IndexCastOp::create(b, loc, index, entry->getArgument(i)));
    }
    Block &from = op.getBody().front();
    for (auto [argument, value] : llvm::zip(from.getArguments(), arguments)) {
      argument.replaceAllUsesWith(value);
    }
    entry->getOperations().splice(entry->end(), from.getOperations());
    b.setInsertionPointToEnd(entry);
    func::ReturnOp::create(b, loc);

    Surroundings here = surroundings.lookup(parent);
    Value callPointer = here.call;
    b.setInsertionPointToStart(&parent.getBody().front());
    Value two = LLVM::ConstantOp::create(b, loc, i64, b.getI64IntegerAttr(2));
    Value captured = LLVM::AllocaOp::create(b, loc, pointer, pointer, two);
    b.setInsertionPoint(op);
    Value second = LLVM::GEPOp::create(b, loc, pointer, pointer, captured, ArrayRef<LLVM::GEPArg>{1});
    LLVM::StoreOp::create(b, loc, here.call, captured);
    LLVM::StoreOp::create(b, loc, here.numbers, second);
    Value function = func::ConstantOp::create(b, loc, body.getFunctionType(), body.getSymName());
    Value address = UnrealizedConversionCastOp::create(b, loc, pointer, function).getResult(0);
    Value pool = load(loc, callPointer, offsetof(PenstockCall, pool), pointer);
    Value count = arith::IndexCastOp::create(b, loc, i64, op.getCount());
    Value grain = arith::ConstantIntOp::create(b, loc, i64, static_cast<int64_t>(op.getGrain()));
    invoke(loc, callPointer, "penstock_parallel_for", {pool, address, captured, count, grain});
    op.erase();
  }

  void invoke(Location loc, Value callPointer, StringRef name, ValueRange arguments) {
    Value function = symbol(loc, callPointer, name);
    SmallVector<Type> types(arguments.getTypes());
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), types);
    SmallVector<Value> operands{function};
    operands.append(arguments.begin(), arguments.end());
    LLVM::CallOp::create(b, loc, type, operands);
  }

  void lowerCall(kernel::CallOp op) {
    b.setInsertionPoint(op);
    Location loc = op.getLoc();
    SmallVector<Value> arguments;
    if (op.getDevice()) {
      arguments.push_back(call(op));
    }
    for (Value v : op.getInputs()) {
      if (isa<MemRefType>(v.getType())) {
        Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, v);
        address = arith::IndexCastOp::create(b, loc, b.getI64Type(), address);
        arguments.push_back(LLVM::IntToPtrOp::create(b, loc, pointer, address));
      } else if (v.getType().isIndex()) {
        arguments.push_back(arith::IndexCastOp::create(b, loc, b.getI64Type(), v));
      } else {
        arguments.push_back(v);
      }
    }
    invoke(loc, call(op), ("penstock_" + op.getKernel()).str(), arguments);
    op.erase();
  }

  void lowerNumber(kernel::NumberOp op) {
    b.setInsertionPoint(op);
    Location loc = op.getLoc();
    Value numbers = surroundings.lookup(op->getParentOfType<func::FuncOp>()).numbers;
    Value value = load(loc, numbers, static_cast<size_t>(op.getIndex()) * 8, b.getI64Type());
    if (op.getType().isIndex()) {
      value = arith::IndexCastOp::create(b, loc, op.getType(), value);
    }
    op.replaceAllUsesWith(value);
    op.erase();
  }

  LogicalResult lowerGet(kernel::GetOp op) {
    b.setInsertionPoint(op);
    Location loc = op.getLoc();
    Value c = call(op);
    StringRef what = op.getWhat();
    int64_t index = static_cast<int64_t>(op.getIndex());
    Type i64 = b.getI64Type();
    auto batch = [&] { return load(loc, c, offsetof(PenstockCall, batch), pointer); };
    auto block = [&] { return load(loc, c, offsetof(PenstockCall, block), pointer); };
    auto axis = [&](size_t offset) {
      Value axes = load(loc, batch(), offsetof(PenstockBatch, axes), pointer);
      if (index > 0) {
        Value stride = LLVM::ZExtOp::create(b, loc, i64, load(loc, batch(), offsetof(PenstockBatch, axis_stride), b.getI32Type()));
        Value bytes = LLVM::MulOp::create(b, loc, stride, LLVM::ConstantOp::create(b, loc, i64, b.getI64IntegerAttr(index)));
        axes = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), axes, ArrayRef<LLVM::GEPArg>{bytes});
      }
      return load(loc, axes, offset, pointer);
    };
    // Of an array behind the block, which says where.
    auto behind = [&](size_t member, size_t size, Type type) {
      Value at = LLVM::ZExtOp::create(b, loc, i64, load(loc, block(), member, b.getI32Type()));
      Value array = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), block(), ArrayRef<LLVM::GEPArg>{at});
      return load(loc, array, static_cast<size_t>(index) * size, type);
    };
    Value value;
    if (const kernel::Member *member = kernel::memberOf(what)) {
      using Of = kernel::Member::Of;
      value = member->of == Of::call   ? load(loc, c, member->offset, pointer)
              : member->of == Of::axis ? axis(member->offset)
                                       : load(loc, block(), member->offset, member->isFloat ? Type(b.getF32Type()) : i64);
    } else if (what == "rows") {
      value = behind(offsetof(PenstockStepBlock, rows_at), sizeof(int64_t), i64);
    } else if (what == "weight") {
      value = behind(offsetof(PenstockStepBlock, weights_at), sizeof(float), b.getF32Type());
    } else if (what == "capacity") {
      Value capacities = load(loc, c, offsetof(PenstockCall, capacities), pointer);
      value = load(loc, capacities, static_cast<size_t>(index) * sizeof(int64_t), i64);
    } else if (what == "block") {
      value = block();
    } else if (what == "seed_place" || what == "step_place") {
      const auto offset = static_cast<int32_t>(kernel::memberOf(what.drop_back(StringRef("_place").size()))->offset);
      value = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), block(), ArrayRef<LLVM::GEPArg>{offset});
    } else if (what == "count_place") {
      value = element(loc, load(loc, c, offsetof(PenstockCall, counts), pointer), index);
    } else if (what == "section") {
      Value sections = load(loc, c, offsetof(PenstockCall, arena_sections), pointer);
      value = load(loc, sections, static_cast<size_t>(index) * sizeof(int64_t), i64);
    } else if (what == "record_numbers") {
      value = load(loc, batch(), offsetof(PenstockBatch, record_numbers), pointer);
    } else if (what == "input") {
      value = element(loc, load(loc, batch(), offsetof(PenstockBatch, inputs), pointer), index);
    } else if (what == "output") {
      value = element(loc, load(loc, c, offsetof(PenstockCall, outputs), pointer), index);
    } else if (what == "handle") {
      Value handles = load(loc, c, offsetof(PenstockCall, handles), pointer);
      if (op.getPlace()) {
        Value at = LLVM::GEPOp::create(b, loc, pointer, pointer, handles, ArrayRef<LLVM::GEPArg>{op.getPlace()});
        value = LLVM::LoadOp::create(b, loc, pointer, at);
      } else {
        value = element(loc, handles, index);
      }
    } else {
      return op.emitError("names nothing of PenstockCall: ") << what;
    }
    Type wanted = op.getType();
    if (wanted.isIndex()) {
      value = arith::IndexCastOp::create(b, loc, wanted, value);
    } else if (isa<MemRefType>(wanted)) {
      value = kernel::memrefOf(b, loc, value, wanted);
    }
    op.replaceAllUsesWith(value);
    op.erase();
    return success();
  }

  ModuleOp module;
  SmallVector<StringRef> symbols; // in the order of the program's table
  OpBuilder b;
  Type pointer;
  llvm::StringMap<size_t> symbolIndex;
  llvm::DenseMap<Operation *, Surroundings> surroundings;
  int bodies = 0;
};

struct KernelToLLVMPass : impl::KernelToLLVMPassBase<KernelToLLVMPass> {
  void runOnOperation() override {
    if (failed(Lowering(getOperation()).run())) {
      signalPassFailure();
    }
  }
};

} // namespace

} // namespace penstock
