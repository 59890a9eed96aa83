#define PENSTOCK_LANES 16
#define PENSTOCK_CONTRACTIONS penstockAvx512Bf16
#define PENSTOCK_BF16_AMX 0
#define PENSTOCK_BF16_NATIVE 1
#include "runtime/kernels/packed/bf16_level.h"
