#include "compiler/pipeline/pipeline.h"

#include "compiler/conversion/KernelToLinalg/ProgramTables.h"
#include "compiler/conversion/Passes.h"
#include "compiler/emit/reasons.h"
#include "compiler/transforms/Passes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace penstock {

void registerLoweringDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, func::FuncDialect, kernel::KernelDialect, linalg::LinalgDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, nn::NnDialect, scf::SCFDialect, vector::VectorDialect>();
}

static void addNnPasses(OpPassManager &passes) {
  // Exact rewrites that make derivatives sparse: before anything is differentiated.
  passes.addPass(createFuseSegmentsPass());
  // One model becomes train_step, evaluate and predict.
  passes.addPass(createDeriveEntriesPass());
  // An entry computes only the rows that its outputs read.
  passes.addNestedPass<func::FuncOp>(createRestrictRowsPass());
  passes.addPass(createAutodiffPass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createDeferRowsPass());
}

static void addKernelPasses(OpPassManager &passes) {
  passes.addPass(createNnToKernelPass());
  passes.addNestedPass<func::FuncOp>(createFormRegionsPass());
}

static void addMemoryPasses(OpPassManager &passes) {
  passes.addPass(createPlanMemoryPass());
  passes.addPass(createVerifyPlanPass());
}

static void addStepPasses(OpPassManager &passes, bool profile) { passes.addPass(createFormStepsPass({profile})); }

static void addLinalgPasses(OpPassManager &passes) {
  passes.addPass(createEmitRowsPass());
  passes.addPass(createEmitKernelsPass());
  passes.addPass(createEmitOptimizerPass());
  passes.addPass(createSizeScratchPass());
  passes.addPass(createOutlineLaunchesPass());
}

void addKernelToLinalgPasses(OpPassManager &passes) {
  addMemoryPasses(passes);
  addStepPasses(passes, /*profile=*/false);
  addLinalgPasses(passes);
}

LogicalResult lowerNnToLoops(ModuleOp module, ProgramTable &table, const StageObserver &observe, bool profile) {
  // The plan has a verifier of its own, and code is verified once, before it becomes LLVM's (compiler/emit).
  auto stage = [&](StringRef name, llvm::function_ref<void(OpPassManager &)> add, bool verify = true) {
    PassManager passes(module.getContext(), "builtin.module");
    nameFailures(passes);
    passes.enableVerifier(verify);
    add(passes);
    if (failed(passes.run(module))) {
      return failure();
    }
    if (observe && !name.empty()) {
      observe(name, module);
    }
    return success();
  };
  if (failed(stage("nn", addNnPasses)) || failed(stage("kernel", addKernelPasses)) ||
      failed(stage("memory", addMemoryPasses, /*verify=*/false)) ||
      failed(stage(
          "steps", [&](OpPassManager &passes) { addStepPasses(passes, profile); }, /*verify=*/false)) ||
      failed(stage("linalg", addLinalgPasses, /*verify=*/false)) || failed(takeProgramTable(module, table)) ||
      failed(stage("", [](OpPassManager &passes) { passes.addPass(createKernelToLLVMPass()); }, /*verify=*/false))) {
    return failure();
  }
  for (StringRef symbol : cast<ArrayAttr>(module->removeAttr("kernel.symbols")).getAsValueRange<StringAttr>()) {
    table.symbols.push_back(symbol.str());
  }
  return success();
}

} // namespace penstock
