#include "compiler/dialect/Nn/Nn.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace penstock::nn;
