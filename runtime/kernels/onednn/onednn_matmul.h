// matmul by oneDNN (2.6.3 and 3.x), for levels and shapes where it beats our own, for comparison and for tests. Only this
// folder includes dnnl.h. All calls are single-thread: the pool's threads split the rows.
#pragma once

#include "runtime/kernels/handles.h"

namespace penstock {

/// The end of every message that says why oneDNN cannot be called.
inline constexpr const char *oursInstead =
    "or train with the kernels of our own (`kernels: penstock` in `target`, PENSTOCK_KERNELS not set)";

/// A handle whose rows run in fixed blocks (96, then 16, the rest padded to 16): two primitives, made here with the instructions of
/// `level`. An error names what oneDNN refused, or says what to install: the library is opened by the first handle. Without oneDNN in the
/// build, an error that says so.
MadeObject<KernelObject> makeOneDnnMatmul(const WeightShape &shape, Level level);

/// Primitives made and executed by this process.
KernelCounters oneDnnCounters();

} // namespace penstock
