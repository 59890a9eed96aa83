#include "compiler/emit/codegen.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <fmt/format.h>

#include <mutex>

namespace penstock {
namespace {

struct LevelTarget {
  const char *cpu, *tune, *features, *vectorWidth;
};

/// Features are named one by one above x86-64-v4: a virtual machine may hide some that a CPU's name
/// would bring.
Result<LevelTarget> targetOf(const std::string &level) {
  if (level == "avx2") {
    return LevelTarget{"x86-64-v3", "generic", "", "256"};
  }
  if (level == "avx512") {
    return LevelTarget{"x86-64-v4", "generic", "-prefer-256-bit", "512"};
  }
  if (level == "amx") {
    return LevelTarget{"x86-64-v4", "sapphirerapids", "-prefer-256-bit,+avx512vnni,+avx512bf16,+amx-tile,+amx-bf16,+amx-int8", "512"};
  }
  return internalError(fmt::format("code for the unknown level `{}` was asked for", level));
}

/// Loop strength reduction and its rewriting take a sixth of code generation and gain nothing on
/// these loops.
void initializeTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    auto &options = llvm::cl::getRegisteredOptions();
    if (const auto found = options.find("disable-lsr"); found != options.end()) {
      *static_cast<llvm::cl::opt<bool> *>(found->second) = true;
    }
  });
}

constexpr const char *pipeline = "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
                                 "loop-mssa(loop-instsimplify,loop-rotate,licm<allowspeculation>),loop(indvars),"
                                 "loop-vectorize<no-interleave-forced-only;no-vectorize-forced-only>,"
                                 "early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg),globaldce";

/// What the code generator calls where it finds a large copy or fill. Blocks of 32 bytes, then
/// single bytes; `no-builtins` keeps a pass from turning the loops into calls of themselves.
constexpr const char *memoryFunctions = R"(
define hidden ptr @memcpy(ptr %to, ptr %from, i64 %size) #0 {
entry:
  %blocks = and i64 %size, -32
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %i.next, %block ]
  %more = icmp ult i64 %i, %blocks
  br i1 %more, label %block, label %tail
block:
  %a = getelementptr i8, ptr %from, i64 %i
  %b = getelementptr i8, ptr %to, i64 %i
  %v = load <32 x i8>, ptr %a, align 1
  store <32 x i8> %v, ptr %b, align 1
  %i.next = add i64 %i, 32
  br label %test
tail:
  %j = phi i64 [ %blocks, %test ], [ %j.next, %byte ]
  %left = icmp ult i64 %j, %size
  br i1 %left, label %byte, label %done
byte:
  %c = getelementptr i8, ptr %from, i64 %j
  %d = getelementptr i8, ptr %to, i64 %j
  %w = load i8, ptr %c, align 1
  store i8 %w, ptr %d, align 1
  %j.next = add i64 %j, 1
  br label %tail
done:
  ret ptr %to
}
define hidden ptr @memset(ptr %to, i32 %value, i64 %size) #0 {
entry:
  %byte.value = trunc i32 %value to i8
  %one = insertelement <32 x i8> poison, i8 %byte.value, i32 0
  %all = shufflevector <32 x i8> %one, <32 x i8> poison, <32 x i32> zeroinitializer
  %blocks = and i64 %size, -32
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %i.next, %block ]
  %more = icmp ult i64 %i, %blocks
  br i1 %more, label %block, label %tail
block:
  %b = getelementptr i8, ptr %to, i64 %i
  store <32 x i8> %all, ptr %b, align 1
  %i.next = add i64 %i, 32
  br label %test
tail:
  %j = phi i64 [ %blocks, %test ], [ %j.next, %byte ]
  %left = icmp ult i64 %j, %size
  br i1 %left, label %byte, label %done
byte:
  %d = getelementptr i8, ptr %to, i64 %j
  store i8 %byte.value, ptr %d, align 1
  %j.next = add i64 %j, 1
  br label %tail
done:
  ret ptr %to
}
define hidden ptr @memmove(ptr %to, ptr %from, i64 %size) #0 {
entry:
  %t = ptrtoint ptr %to to i64
  %f = ptrtoint ptr %from to i64
  %distance = sub i64 %t, %f
  %forward = icmp uge i64 %distance, %size
  br i1 %forward, label %copy, label %test
copy:
  %same = call ptr @memcpy(ptr %to, ptr %from, i64 %size)
  ret ptr %same
test:
  %j = phi i64 [ %size, %entry ], [ %k, %byte ]
  %done = icmp eq i64 %j, 0
  br i1 %done, label %end, label %byte
byte:
  %k = sub i64 %j, 1
  %c = getelementptr i8, ptr %from, i64 %k
  %d = getelementptr i8, ptr %to, i64 %k
  %w = load i8, ptr %c, align 1
  store i8 %w, ptr %d, align 1
  br label %test
end:
  ret ptr %to
}
attributes #0 = { nounwind "no-builtins" }
)";

} // namespace

Result<std::unique_ptr<llvm::TargetMachine>> makeTargetMachine(const std::string &level) {
  initializeTarget();
  PENSTOCK_ASSIGN(const LevelTarget target, targetOf(level));
  const llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found) {
    return internalError("the code generator for x86-64 is missing: " + error);
  }
  llvm::TargetOptions options;
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
                                                                          llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
  if (!machine) {
    return internalError("the code generator for x86-64 could not be made");
  }
  return machine;
}

Status prepareModule(llvm::Module &module, llvm::TargetMachine &machine, const std::string &level) {
  PENSTOCK_ASSIGN(const LevelTarget target, targetOf(level));
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
  for (llvm::Function &function : module) {
    if (function.isDeclaration()) {
      if (!function.isIntrinsic() && !function.use_empty()) {
        return internalError(fmt::format("the compiled program calls `{}`, which it does not define", function.getName().str()));
      }
      continue;
    }
    const llvm::StringRef name = function.getName();
    if (name != "penstock_program" && !function.hasHiddenVisibility()) {
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
    }
    function.setDSOLocal(true);
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("tune-cpu", target.tune);
    if (*target.features) {
      function.addFnAttr("target-features", target.features);
    }
    function.addFnAttr("prefer-vector-width", target.vectorWidth);
  }
  return Status::success();
}

Result<std::unique_ptr<llvm::Module>> makeMemoryFunctions(llvm::LLVMContext &context, llvm::TargetMachine &machine,
                                                          const std::string &level) {
  llvm::SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> memory = llvm::parseAssemblyString(memoryFunctions, diagnostic, context);
  if (!memory) {
    return internalError("the memory functions do not parse: " + diagnostic.getMessage().str());
  }
  PENSTOCK_TRY(prepareModule(*memory, machine, level));
  return memory;
}

Status runPasses(llvm::Module &module, llvm::TargetMachine &machine, llvm::StringRef passes) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  // No pass may assume or introduce functions of the C library: the result has none.
  functions.registerPass([&] {
    llvm::TargetLibraryInfoImpl library(module.getTargetTriple());
    library.disableAllFunctions();
    return llvm::TargetLibraryAnalysis(library);
  });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::ModulePassManager all;
  if (llvm::Error error = builder.parsePassPipeline(all, passes)) {
    return internalError("the LLVM pipeline does not parse: " + llvm::toString(std::move(error)));
  }
  all.run(module, modules);
  return Status::success();
}

Status optimizeModule(llvm::Module &module, llvm::TargetMachine &machine) { return runPasses(module, machine, pipeline); }

Status generateCode(llvm::Module &module, llvm::TargetMachine &machine, bool assembly, llvm::raw_pwrite_stream &out) {
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, out, nullptr,
                                  assembly ? llvm::CodeGenFileType::AssemblyFile : llvm::CodeGenFileType::ObjectFile)) {
    return internalError("the code generator of LLVM cannot write what was asked for");
  }
  passes.run(module);
  return Status::success();
}

} // namespace penstock
