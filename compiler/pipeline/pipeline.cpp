#include "compiler/pipeline/pipeline.h"

#include "compiler/conversion/KernelToLinalg/KernelToLinalg.h"
#include "compiler/conversion/Passes.h"
#include "compiler/emit/reasons.h"
#include "compiler/transforms/Autodiff.h"
#include "compiler/transforms/DeferRows.h"
#include "compiler/transforms/DeriveEntries.h"
#include "compiler/transforms/FormRegions.h"
#include "compiler/transforms/FuseSegments.h"
#include "compiler/transforms/RestrictRows.h"

using namespace mlir;

namespace penstock {

void registerLoweringDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, func::FuncDialect, kernel::KernelDialect, linalg::LinalgDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, nn::NnDialect, scf::SCFDialect>();
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

static LogicalResult run(ModuleOp module, llvm::function_ref<void(OpPassManager &)> add) {
  PassManager passes(module.getContext(), "builtin.module");
  nameFailures(passes);
  add(passes);
  return passes.run(module);
}

LogicalResult lowerNnToLoops(ModuleOp module, ProgramTable &table, const StageObserver &observe, bool profile) {
  auto stage = [&](StringRef name) {
    if (observe) {
      observe(name, module);
    }
  };
  if (failed(run(module, addNnPasses))) {
    return failure();
  }
  stage("nn");
  if (failed(run(module, addKernelPasses))) {
    return failure();
  }
  stage("kernel");
  if (failed(lowerKernelToLinalg(module, table, profile))) {
    return failure();
  }
  stage("linalg");
  if (failed(run(module, [](OpPassManager &passes) { passes.addPass(createKernelToLLVMPass()); }))) {
    return failure();
  }
  for (StringRef symbol : cast<ArrayAttr>(module->removeAttr("kernel.symbols")).getAsValueRange<StringAttr>()) {
    table.symbols.push_back(symbol.str());
  }
  return success();
}

} // namespace penstock
