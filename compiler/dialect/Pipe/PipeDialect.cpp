#include "compiler/dialect/Pipe/Pipe.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace penstock::pipe;

#include "compiler/dialect/Pipe/PipeDialect.cpp.inc"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-parameter" // generated code
#define GET_TYPEDEF_CLASSES
#include "compiler/dialect/Pipe/PipeTypes.cpp.inc"
#pragma clang diagnostic pop

void PipeDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "compiler/dialect/Pipe/PipeTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "compiler/dialect/Pipe/PipeOps.cpp.inc"
      >();
}
