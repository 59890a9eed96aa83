#include "compiler/dialect/Pipe/Pipe.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace penstock::pipe;

#pragma clang diagnostic ignored "-Wunused-parameter" // generated code
#define GET_OP_CLASSES
#include "compiler/dialect/Pipe/PipeOps.cpp.inc"
