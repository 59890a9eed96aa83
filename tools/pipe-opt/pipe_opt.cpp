// pipe-opt: runs passes of the compiler on IR text, for its developers and its tests.
#include "compiler/pipeline/register_passes.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  penstock::registerPenstockDialects(registry);
  penstock::registerPenstockPasses();
  mlir::registerTransformsPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Penstock's optimizer driver\n", registry));
}
