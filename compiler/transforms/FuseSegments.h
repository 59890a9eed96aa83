// Rewrites of Nn that keep big values out of memory; they run before differentiation, so that the derivatives are small too.
//
//   matmul(counts(ids), w)            -> bag_sum(ids, w): no [records x vocabulary] matrix
//   segment_max(f(x)), f monotone     -> f(segment_max(x)): relu, tanh, sigmoid, exp, and adding a vector or a scalar
//   segment_max(conv1d(x, w))         -> conv1d_max(x, w): no [rows x maps] matrix
//
// All are exact: rounding is monotone, so the maximum commutes with each f. An op moves only where nothing else reads it.
#pragma once

#include <memory>

namespace mlir {
class Pass;
}

namespace penstock {
std::unique_ptr<mlir::Pass> createFuseSegmentsPass(); // --penstock-fuse-segments
}
