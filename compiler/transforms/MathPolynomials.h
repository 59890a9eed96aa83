// Elementary functions as straight-line arithmetic that LLVM vectorizes; no call, no branch, no
// table.
//
// On f32 and vectors of f32, against the exact value, for every float of the domain
// (tests/unit/emit/polynomials_test.cpp):
//   math.exp   at most 1 ULP; above 88.72 inf; results below 2^-126 are denormals, within half of
//   the least of them + 1 ULP math.log   at most 1 ULP, denormals included; 0 gives -inf, a
//   negative number NaN math.tanh  at most 6 ULP and 3.6e-7 absolute; never beyond 1; odd math.erf
//   at most 7 ULP and 4.2e-7 absolute; never beyond 1; odd
// NaN gives NaN; infinities give the limit. Coefficients: own minimax fits (Lawson-weighted least
// squares), rounded to f32.
#pragma once

#include <memory>

namespace mlir {
class Pass;
class RewritePatternSet;
} // namespace mlir

namespace penstock {

void populateMathPolynomialPatterns(mlir::RewritePatternSet &patterns);
std::unique_ptr<mlir::Pass> createMathPolynomialsPass();

} // namespace penstock
