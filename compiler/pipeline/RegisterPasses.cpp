#include "compiler/pipeline/RegisterPasses.h"

#include "compiler/dialect/Nn/Nn.h"
#include "compiler/transforms/Autodiff.h"
#include "compiler/transforms/DeriveEntries.h"
#include "compiler/transforms/FuseSegments.h"

#include "mlir/InitAllDialects.h"

void penstock::registerPenstockPasses() {
  mlir::registerPass(createFuseSegmentsPass);
  mlir::registerPass(createDeriveEntriesPass);
  mlir::registerPass(createAutodiffPass);
}

void penstock::registerPenstockDialects(mlir::DialectRegistry &registry) {
  registry.insert<nn::NnDialect>();
  mlir::registerAllDialects(registry);
}
