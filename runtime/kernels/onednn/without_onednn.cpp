// What stands in onednn_matmul.cpp's place where the build has no oneDNN.
#include "runtime/kernels/onednn/onednn_matmul.h"

namespace penstock {

MadeObject<KernelObject> makeOneDnnMatmul(const WeightShape &) {
  return environmentError("kernels of `onednn` were asked for, and this build has no oneDNN; "
                          "install its development package and build again, or leave PENSTOCK_KERNELS unset");
}

KernelCounters oneDnnCounters() { return {}; }

} // namespace penstock
