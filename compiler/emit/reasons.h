// Every failure of the compiler says what could not be done and where in the `.pipe`.
#pragma once

#include "mlir/IR/Location.h"

#include <string>

namespace mlir {
class PassManager;
}

namespace penstock {

/// "file:line:column" of the place in the `.pipe` that something was made from; "" where it was made from none.
std::string placeOf(mlir::Location location);

/// A pass that fails without an error reports one: its name, and the operation that it ran on.
void nameFailures(mlir::PassManager &passes);

} // namespace penstock
