#include "compiler/pipeline/register_passes.h"

#include "compiler/conversion/Passes.h"
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

void penstock::registerPenstockPasses() {
  registerPenstockConversionPasses();
  mlir::PassPipelineRegistration<>("penstock-kernel-to-linalg", "plan memory, form steps and write their code", addKernelToLinalgPasses);
  mlir::registerPass(createFuseSegmentsPass);
  mlir::registerPass(createDeriveEntriesPass);
  mlir::registerPass(createRestrictRowsPass);
  mlir::registerPass(createAutodiffPass);
  mlir::registerPass(createDeferRowsPass);
  mlir::registerPass(createFormRegionsPass);
  mlir::registerPass(createMathPolynomialsPass);
  mlir::registerPass(createFastMathPass);
}

void penstock::registerPenstockDialects(mlir::DialectRegistry &registry) {
  registry.insert<pipe::PipeDialect, nn::NnDialect, kernel::KernelDialect>();
  mlir::registerAllDialects(registry);
}
