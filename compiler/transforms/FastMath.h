// Which freedoms floating-point arithmetic gets before LLVM. See docs/design/emission.md.
#pragma once

#include <memory>

namespace mlir {
class Pass;
}

namespace penstock {

/// On functions of scalar loops. Two rules, so that an element's bits never depend on whether LLVM
/// computes it in the vector body or in the tail of a loop:
/// - `a * b + c` and `a * b - c` whose product has no other use become one `math.fma`, here and not
/// in LLVM;
/// - only the additions, products, minima and maxima that carry a reduction (a loop's iteration
/// argument, or a load and
///   store of one place) get flags: reassoc, nsz, contract; a product that only such an addition
///   uses gets contract.
/// Nothing gets nnan or ninf: a NaN or an infinity that arises must be seen.
std::unique_ptr<mlir::Pass> createFastMathPass();

} // namespace penstock
