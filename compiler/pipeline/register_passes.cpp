#include "compiler/pipeline/register_passes.h"

#include "compiler/conversion/Passes.h"
#include "compiler/dialect/Pipe/Pipe.h"
#include "compiler/pipeline/pipeline.h"
#include "compiler/transforms/Passes.h"

#include "mlir/InitAllDialects.h"

void penstock::registerPenstockPasses() {
  registerPenstockConversionPasses();
  mlir::PassPipelineRegistration<>("penstock-kernel-to-linalg", "plan memory, form steps and write their code", addKernelToLinalgPasses);
  registerPenstockTransformsPasses();
}

void penstock::registerPenstockDialects(mlir::DialectRegistry &registry) {
  registry.insert<pipe::PipeDialect, nn::NnDialect, kernel::KernelDialect>();
  mlir::registerAllDialects(registry);
}
