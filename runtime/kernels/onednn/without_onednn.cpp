// What stands in onednn_matmul.cpp's place where the build has no oneDNN.
#include "runtime/kernels/onednn/onednn_matmul.h"

namespace penstock {

MadeObject<KernelObject> makeOneDnnMatmul(const WeightShape &, Level) {
  return environmentError(std::string("kernels of `onednn` were asked for, and this build has no oneDNN; "
                                      "install its development package and build again, ") +
                          oursInstead);
}

Result<std::string> oneDnnVersion() { return environmentError("not part of this build; penstock's own kernels serve"); }

KernelCounters oneDnnCounters() { return {}; }

} // namespace penstock
