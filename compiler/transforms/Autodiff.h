// Reverse-mode differentiation of Nn functions.
//
// A function that carries `nn.differentiate` is a straight line whose `nn.output` of index 0 is the objective, a scalar. The
// pass walks it backward through the `Differentiable` interface and puts one `nn.gradient` for every global of class
// `parameter`, in the module's order, before the function's `nn.apply` (or at its end); then it removes the attribute.
// Cotangents that meet in one value are added in the order of the walk, so the sums do not depend on anything but the
// program. An op without a derivative between a parameter and the objective is an error at the op's place. A parameter that
// the objective does not reach gets a constant zero and a warning.
#pragma once

#include <memory>

namespace mlir {
class Pass;
}

namespace penstock {
std::unique_ptr<mlir::Pass> createAutodiffPass(); // --penstock-autodiff
}
