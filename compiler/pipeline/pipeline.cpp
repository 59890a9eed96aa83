#include "compiler/pipeline/pipeline.h"

#include "compiler/conversion/KernelToLLVM/KernelToLLVM.h"
#include "compiler/conversion/KernelToLinalg/KernelToLinalg.h"
#include "compiler/conversion/NnToKernel/NnToKernel.h"
#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/dialect/Nn/Nn.h"
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

LogicalResult lowerNnToLoops(ModuleOp module, ProgramTable &table, const StageObserver &observe, bool profile) {
  auto stage = [&](StringRef name) {
    if (observe) {
      observe(name, module);
    }
  };

  PassManager toNn(module.getContext(), "builtin.module");
  nameFailures(toNn);
  // Exact rewrites that make derivatives sparse: before anything is differentiated.
  toNn.addPass(createFuseSegmentsPass());
  // One model becomes train_step, evaluate and predict.
  toNn.addPass(createDeriveEntriesPass());
  // An entry computes only the rows that its outputs read.
  toNn.addNestedPass<func::FuncOp>(createRestrictRowsPass());
  toNn.addPass(createAutodiffPass());
  toNn.addPass(createCanonicalizerPass());
  toNn.addPass(createCSEPass());
  toNn.addPass(createDeferRowsPass());
  if (failed(toNn.run(module))) {
    return failure();
  }
  stage("nn");

  PassManager toKernel(module.getContext(), "builtin.module");
  nameFailures(toKernel);
  toKernel.addPass(createNnToKernelPass());
  toKernel.addNestedPass<func::FuncOp>(createFormRegionsPass());
  if (failed(toKernel.run(module))) {
    return failure();
  }
  stage("kernel");

  if (failed(lowerKernelToLinalg(module, table, profile))) {
    return failure();
  }
  stage("linalg");

  return lowerKernelToLLVM(module, table.symbols);
}

} // namespace penstock
