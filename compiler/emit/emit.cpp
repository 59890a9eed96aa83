#include "compiler/emit/emit.h"

#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/emit/codegen.h"
#include "compiler/emit/device_code.h"
#include "compiler/emit/independent_loops.h"
#include "compiler/emit/parts.h"
#include "compiler/emit/program_constants.h"
#include "compiler/emit/reasons.h"
#include "compiler/linker/linker.h"
#include "compiler/transforms/Passes.h"

#include "runtime/base/file.h"
#include "runtime/base/program_seal.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <unistd.h>

using namespace mlir;

namespace penstock {
namespace {

using Clock = std::chrono::steady_clock;

/// Adds the time since the last lap to `total`.
class Laps {
public:
  void lap(double &total) {
    const Clock::time_point now = Clock::now();
    total += std::chrono::duration<double>(now - last).count();
    last = now;
  }

private:
  Clock::time_point last = Clock::now();
};

/// The functions that a library without dependencies brings itself. They are written as they are to be, so LLVM's passes would only cost
/// time.
Result<ObjectFile> memoryObject(const std::string &level) {
  llvm::LLVMContext context;
  PENSTOCK_ASSIGN(const std::unique_ptr<llvm::TargetMachine> machine, makeTargetMachine(level));
  PENSTOCK_ASSIGN(const std::unique_ptr<llvm::Module> module, makeMemoryFunctions(context, *machine, level));
  ObjectFile object;
  llvm::raw_svector_ostream stream(object);
  PENSTOCK_TRY(generateCode(*module, *machine, /*assembly=*/false, stream));
  return object;
}

/// Puts the seal behind a library.
Status seal(const std::string &output) {
  PENSTOCK_ASSIGN(const std::string library, readWholeFile(output));
  const Descriptor file(::open(output.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const ProgramSeal made = sealOf(library, 0);
  errno = ENOSPC; // of a short write
  if (!file.ok() || ::write(file.get(), &made, sizeof made) != static_cast<ssize_t>(sizeof made)) {
    const int reason = errno;
    ::unlink(output.c_str());
    return systemError("write", output, reason);
  }
  return Status::success();
}

/// Object files beside an output, which go with this.
class ObjectFiles {
public:
  explicit ObjectFiles(std::string beside) : beside(std::move(beside)) {}
  Status add(const ObjectFile &object) {
    AtomicFile &file = files.emplace_back(fmt::format("{}.{}.o", beside, files.size())); // never published
    PENSTOCK_TRY(file.open());
    PENSTOCK_TRY(file.write(object.data(), object.size()));
    paths.push_back(file.temporaryPath());
    return {};
  }
  /// Their paths behind `words`.
  std::vector<std::string> behind(std::vector<std::string> words) const {
    words.insert(words.end(), paths.begin(), paths.end());
    return words;
  }

private:
  std::string beside;
  std::vector<AtomicFile> files;
  std::vector<std::string> paths;
};

Status link(const std::vector<ObjectFile> &objects, const EmitOptions &options) {
  static constexpr const char *what = "the compiled program";
  ObjectFiles files(options.output);
  for (const ObjectFile &object : objects) {
    PENSTOCK_TRY(files.add(object));
  }
  if (!options.object.empty()) {
    AtomicFile whole(options.object);
    PENSTOCK_TRY(whole.open());
    PENSTOCK_TRY(runLinker(files.behind({"-r"}), whole.temporaryPath(), what));
    PENSTOCK_TRY(whole.publish());
  }
  PENSTOCK_ASSIGN(const ObjectFile memory, memoryObject(options.level));
  PENSTOCK_TRY(files.add(memory));
  AtomicFile library(options.output);
  PENSTOCK_TRY(library.open());
  std::vector<std::string> words = {"-shared", "-nostdlib",   "--no-undefined",   "-z",
                                    "now",     "--threads=1", "--hash-style=gnu", "--build-id=none"};
  if (!options.suffix.empty()) {
    words.push_back("--defsym=penstock_program=penstock_program" + options.suffix);
  }
  PENSTOCK_TRY(runLinker(files.behind(std::move(words)), library.temporaryPath(), what));
  PENSTOCK_TRY(seal(library.temporaryPath()));
  return library.publish();
}

} // namespace

Status lowerToLLVMDialect(ModuleOp module, bool reorders) {
  // MLIR's own words go into the status, never to standard error.
  std::string said;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && said.size() < 2000) {
      const std::string place = placeOf(diagnostic.getLocation());
      said += (said.empty() ? "" : "; ") + diagnostic.str() + (place.empty() ? "" : " (" + place + ")");
    }
    return success();
  });
  PassManager passes(module.getContext(), "builtin.module");
  nameFailures(passes);
  passes.enableVerifier(false); // verified once, before: by the caller's last stage and below
  OpPassManager &functions = passes.nest<func::FuncOp>();
  functions.addPass(createConvertLinalgToLoopsPass());
  functions.addPass(createMathPolynomialsPass());
  functions.addPass(createFastMathPass({reorders}));
  passes.addPass(memref::createExpandStridedMetadataPass());
  passes.addPass(createLowerAffinePass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  if (failed(verify(module)) || failed(passes.run(module))) {
    return internalError("the compiled program could not be lowered to LLVM: " + said);
  }
  return Status::success();
}

void registerEmitDialects(DialectRegistry &registry) {
  registry.insert<affine::AffineDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, index::IndexDialect,
                  linalg::LinalgDialect, LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect, ub::UBDialect,
                  vector::VectorDialect>();
  registerConvertToLLVMDependentDialectLoading(registry);
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

/// Takes the device's functions out of the module.
static Status emitDevice(ModuleOp module, ProgramTable &table, const EmitOptions &options) {
  auto devices = module.getOps<ModuleOp>();
  if (devices.empty()) {
    return {};
  }
  const OwningOpRef<ModuleOp> device(*devices.begin());
  (*device)->remove();
  PENSTOCK_TRY(
      emitDeviceCode(*device, {options.emulated, options.watched, options.assembled}, options.output, table.device, options.llvmText));
  if (options.assembly && !options.emulated && !table.device.images.empty()) {
    *options.assembly << table.device.images.front().bytes;
  }
  return {};
}

Status emitSharedLibrary(ModuleOp module, ProgramTable &table, const EmitOptions &given) {
  EmitOptions options = given;
  PENSTOCK_TRY(emitDevice(module, table, options));
  options.level = table.level == kernel::deviceLevel ? "avx2" : given.level; // the host's part of a device's program is small
  EmitTimes unused;
  EmitTimes &times = options.times ? *options.times : unused;
  Laps laps;
  PENSTOCK_ASSIGN(const std::unique_ptr<llvm::TargetMachine> machine, makeTargetMachine(options.level));
  PENSTOCK_TRY(lowerToLLVMDialect(module, /*reorders=*/true));
  laps.lap(times.lower);

  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(module, context, "penstock", true);
  if (!code) {
    return internalError("the compiled program could not be translated to LLVM");
  }
  // The layout decides where the members of the tables lie.
  code->setDataLayout(machine->createDataLayout());
  PENSTOCK_TRY(addProgramConstants(*code, table));
  markIndependentLoops(*code);
  PENSTOCK_TRY(prepareModule(*code, *machine, options.level));
  laps.lap(times.translate);
  if (options.llvmText || options.assembly) {
    const std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*code);
    PENSTOCK_TRY(optimizeModule(*copy, *machine));
    if (options.llvmText) {
      copy->print(*options.llvmText, nullptr);
    }
    if (options.assembly) {
      llvm::SmallVector<char, 0> text;
      llvm::raw_svector_ostream stream(text);
      PENSTOCK_TRY(generateCode(*copy, *machine, /*assembly=*/true, stream));
      *options.assembly << llvm::StringRef(text.data(), text.size());
    }
  }
  if (options.output.empty()) {
    return Status::success();
  }
  laps.lap(unused.lower);
  std::vector<ObjectFile> objects;
  PENSTOCK_TRY(generateObjects(*code, options.level, options.suffix, objects));
  laps.lap(times.generate);
  PENSTOCK_TRY(link(objects, options));
  laps.lap(times.link);
  return Status::success();
}

} // namespace penstock
