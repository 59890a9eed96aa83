#include "compiler/pipeline/RegisterPasses.h"

#include "compiler/conversion/KernelToLLVM/KernelToLLVM.h"
#include "compiler/conversion/KernelToLinalg/KernelToLinalg.h"
#include "compiler/conversion/NnToKernel/NnToKernel.h"
#include "compiler/conversion/PipeToNn/PipeToNn.h"
#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/dialect/Nn/Nn.h"
#include "compiler/dialect/Pipe/Pipe.h"
#include "compiler/pipeline/pipeline.h"
#include "compiler/transforms/Autodiff.h"
#include "compiler/transforms/DeferRows.h"
#include "compiler/transforms/DeriveEntries.h"
#include "compiler/transforms/FastMath.h"
#include "compiler/transforms/FormRegions.h"
#include "compiler/transforms/FuseSegments.h"
#include "compiler/transforms/MathPolynomials.h"
#include "compiler/transforms/RestrictRows.h"

#include "mlir/InitAllDialects.h"

using namespace mlir;

namespace {

// The lowerings below the regions also give the program's tables, which pipe-opt has no use for.
struct KernelToLinalgPass : PassWrapper<KernelToLinalgPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(KernelToLinalgPass)
  StringRef getArgument() const override { return "penstock-kernel-to-linalg"; }
  StringRef getDescription() const override { return "place values in an arena and write row-wise work as linalg"; }
  void getDependentDialects(DialectRegistry &registry) const override { penstock::registerLoweringDialects(registry); }
  void runOnOperation() override {
    penstock::ProgramTable table;
    if (failed(penstock::lowerKernelToLinalg(getOperation(), table))) {
      signalPassFailure();
    }
  }
};

struct KernelToLLVMPass : PassWrapper<KernelToLLVMPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(KernelToLLVMPass)
  StringRef getArgument() const override { return "penstock-kernel-to-llvm"; }
  StringRef getDescription() const override { return "outline parallel bodies and call kernels through the tables"; }
  void getDependentDialects(DialectRegistry &registry) const override { penstock::registerLoweringDialects(registry); }
  void runOnOperation() override {
    std::vector<std::string> symbols;
    if (failed(penstock::lowerKernelToLLVM(getOperation(), symbols))) {
      signalPassFailure();
    }
  }
};

} // namespace

void penstock::registerPenstockPasses() {
  mlir::registerPass([] { return createPipeToNnPass(); });
  mlir::registerPass(createFuseSegmentsPass);
  mlir::registerPass(createDeriveEntriesPass);
  mlir::registerPass(createRestrictRowsPass);
  mlir::registerPass(createAutodiffPass);
  mlir::registerPass(createDeferRowsPass);
  mlir::registerPass(createNnToKernelPass);
  mlir::registerPass(createFormRegionsPass);
  mlir::registerPass(createMathPolynomialsPass);
  mlir::registerPass(createFastMathPass);
  PassRegistration<KernelToLinalgPass>();
  PassRegistration<KernelToLLVMPass>();
}

void penstock::registerPenstockDialects(mlir::DialectRegistry &registry) {
  registry.insert<pipe::PipeDialect, nn::NnDialect, kernel::KernelDialect>();
  mlir::registerAllDialects(registry);
}
