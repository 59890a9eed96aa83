#define PENSTOCK_LANES 16
#define PENSTOCK_CONTRACTIONS penstockAmxBf16
#define PENSTOCK_BF16_AMX 1
#define PENSTOCK_BF16_NATIVE 1
#include "runtime/kernels/packed/bf16_level.h"
