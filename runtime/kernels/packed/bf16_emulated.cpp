#define PENSTOCK_LANES 8
#define PENSTOCK_CONTRACTIONS penstockEmulatedBf16
#define PENSTOCK_BF16_AMX 1
#define PENSTOCK_BF16_NATIVE 0
#include "runtime/kernels/packed/bf16_level.h"
