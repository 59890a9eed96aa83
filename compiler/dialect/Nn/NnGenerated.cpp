#include "compiler/dialect/Nn/Nn.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace penstock::nn;

#include "compiler/dialect/Nn/NnInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "compiler/dialect/Nn/NnOps.cpp.inc"
