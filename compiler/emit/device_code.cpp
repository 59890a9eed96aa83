#include "compiler/emit/device_code.h"

#include "compiler/emit/codegen.h"
#include "compiler/emit/ptx_assembler.h"
#include "compiler/linker/linker.h"
#include "runtime/abi/program_abi.h"
#include "runtime/base/file.h"

#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;

namespace penstock {
namespace {

constexpr const char *architecture = "sm_80", *features = "+ptx70"; // what every card from 2020 on, and its driver, takes

/// What code of a team calls, on a GPU. PTX ISA: special registers, barrier, bar.warp.sync, shfl.sync.
constexpr const char *teamFunctions = R"(
@penstock_shared_bytes = external addrspace(3) global [0 x i8], align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.bar.warp.sync(i32)
declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
define i32 @penstock_thread_index() #0 {
  %v = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  ret i32 %v
}
define i32 @penstock_block_index() #0 {
  %v = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  ret i32 %v
}
define i32 @penstock_grid_size() #0 {
  %v = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  ret i32 %v
}
define void @penstock_sync_block() #1 {
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
}
define void @penstock_sync_warp() #1 {
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  ret void
}
define i32 @penstock_shuffle_xor(i32 %bits, i32 %mask) #1 {
  %v = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %bits, i32 %mask, i32 31)
  ret i32 %v
}
define ptr @penstock_shared() #0 {
  ret ptr addrspacecast (ptr addrspace(3) @penstock_shared_bytes to ptr)
}
attributes #0 = { alwaysinline nounwind memory(none) }
attributes #1 = { alwaysinline nounwind convergent }
)";

constexpr const char *usualPasses = "always-inline,function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
                                    "loop-mssa(loop-instsimplify,loop-rotate,licm<allowspeculation>),loop(indvars,loop-unroll-full),sroa,"
                                    "early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg),globaldce";

Result<std::unique_ptr<llvm::TargetMachine>> makeGpuMachine() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  const llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found) {
    return internalError("the code generator for NVIDIA GPUs is missing: " + error);
  }
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      triple, architecture, features, llvm::TargetOptions(), llvm::Reloc::PIC_, llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
}

Status generatePtx(llvm::Module &module, ProgramTable::DeviceCode &code, llvm::raw_ostream *text) {
  PENSTOCK_ASSIGN(const std::unique_ptr<llvm::TargetMachine> machine, makeGpuMachine());
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  llvm::SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> team = llvm::parseAssemblyString(teamFunctions, diagnostic, module.getContext());
  if (!team) {
    return internalError("the functions of a team do not parse: " + diagnostic.getMessage().str());
  }
  team->setTargetTriple(module.getTargetTriple());
  team->setDataLayout(module.getDataLayout());
  if (llvm::Linker::linkModules(module, std::move(team), llvm::Linker::LinkOnlyNeeded)) {
    return internalError("the functions of a team could not be linked into the code of the device");
  }
  for (llvm::Function &function : module) {
    if (!function.isDeclaration()) {
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
    }
  }
  for (const ProgramTable::DeviceFunction &kernel : code.functions) {
    llvm::Function *function = module.getFunction(kernel.name);
    function->setLinkage(llvm::GlobalValue::ExternalLinkage);
    function->setCallingConv(llvm::CallingConv::PTX_Kernel);
    function->addFnAttr("nvvm.maxntid", std::to_string(kernel.threads));
  }
  PENSTOCK_TRY(runPasses(module, *machine, usualPasses));
  if (text != nullptr) {
    module.print(*text, nullptr);
  }
  llvm::SmallString<0> ptx;
  llvm::raw_svector_ostream stream(ptx);
  PENSTOCK_TRY(generateCode(module, *machine, /*assembly=*/true, stream));
  code.images.push_back({PENSTOCK_CODE_PTX, 80, ptx.str().str()});
  return {};
}

/// The function that takes addresses of arguments, and how many they are.
void wrap(llvm::Module &module, const std::string &name) {
  llvm::LLVMContext &context = module.getContext();
  llvm::Function *body = module.getFunction(name);
  body->setName(name + "_body");
  body->setLinkage(llvm::GlobalValue::InternalLinkage);
  auto *pointer = llvm::PointerType::get(context, 0);
  auto *wrapper = llvm::Function::Create(llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer}, false),
                                         llvm::GlobalValue::ExternalLinkage, name, module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", wrapper));
  std::vector<llvm::Value *> arguments;
  for (llvm::Argument &argument : body->args()) {
    llvm::Value *place = builder.CreateConstInBoundsGEP1_64(pointer, wrapper->getArg(0), argument.getArgNo());
    arguments.push_back(builder.CreateLoad(argument.getType(), builder.CreateLoad(pointer, place)));
  }
  builder.CreateCall(body, arguments);
  builder.CreateRetVoid();
  auto *i32 = llvm::Type::getInt32Ty(context);
  (void)new llvm::GlobalVariable(module, i32, /*isConstant=*/true, llvm::GlobalValue::ExternalLinkage,
                                 llvm::ConstantInt::get(i32, arguments.size()), name + "_arguments");
}

Status generateEmulated(llvm::Module &module, bool watched, const std::string &scratch, ProgramTable::DeviceCode &code,
                        llvm::raw_ostream *text) {
  static const std::string level = "avx2";
  PENSTOCK_ASSIGN(const std::unique_ptr<llvm::TargetMachine> machine, makeTargetMachine(level));
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  for (const ProgramTable::DeviceFunction &kernel : code.functions) {
    wrap(module, kernel.name);
  }
  for (llvm::Function &function : module) {
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (!function.isDeclaration()) {
      function.addFnAttr("target-cpu", "x86-64-v3");
      if (watched) {
        function.addFnAttr(llvm::Attribute::SanitizeThread);
      }
    } else if (!function.isIntrinsic()) { // the threads of a team meet at one call
      function.addFnAttr(llvm::Attribute::Convergent);
      function.addFnAttr(llvm::Attribute::NoDuplicate);
    }
  }
  PENSTOCK_TRY(runPasses(module, *machine, usualPasses));
  if (watched) {
    PENSTOCK_TRY(runPasses(module, *machine, "tsan-module,function(tsan)"));
  }
  if (text != nullptr) {
    module.print(*text, nullptr);
  }
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  PENSTOCK_TRY(generateCode(module, *machine, /*assembly=*/false, stream));
  AtomicFile source(scratch + ".device.o"), library(scratch + ".device.so"); // never published
  PENSTOCK_TRY(source.open());
  PENSTOCK_TRY(source.write(object.data(), object.size()));
  PENSTOCK_TRY(library.open());
  PENSTOCK_TRY(
      runLinker({"-shared", "-z", "now", "--build-id=none", source.temporaryPath()}, library.temporaryPath(), "the device's code"));
  PENSTOCK_ASSIGN(std::string image, readWholeFile(library.temporaryPath()));
  code.images.push_back({PENSTOCK_CODE_HOST, 0, std::move(image)});
  return {};
}

} // namespace

Status emitDeviceCode(ModuleOp device, DeviceTarget target, const std::string &scratch, ProgramTable::DeviceCode &code,
                      llvm::raw_ostream *text) {
  for (auto function : device.getOps<func::FuncOp>()) {
    if (auto threads = function->getAttrOfType<IntegerAttr>("kernel.threads")) {
      const int64_t shared = function->getAttrOfType<IntegerAttr>("kernel.shared").getInt();
      code.functions.push_back({function.getName().str(), static_cast<int>(threads.getInt()), static_cast<int>(shared)});
    }
  }
  if (code.functions.empty()) {
    return {};
  }
  PENSTOCK_TRY(lowerToLLVMDialect(device, /*reorders=*/false));
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(device, context, "penstock_device", true);
  if (!module) {
    return internalError("the code of the device could not be translated to LLVM");
  }
  if (target.emulated) {
    return generateEmulated(*module, target.watched, scratch, code, text);
  }
  PENSTOCK_TRY(generatePtx(*module, code, text));
  const std::string ptxas = target.assembled ? findPtxas() : "";
  for (const int card : ptxas.empty() ? std::vector<int>() : std::vector{80, 90}) {
    PENSTOCK_ASSIGN(std::string cubin, assemblePtx(ptxas, code.images.front().bytes, card, scratch));
    code.images.push_back({PENSTOCK_CODE_CUBIN, card, std::move(cubin)});
  }
  return {};
}

} // namespace penstock
