#define PENSTOCK_LANES 16
#define PENSTOCK_CONTRACTIONS penstockWideBf16
#define PENSTOCK_BF16_AMX 0
#define PENSTOCK_BF16_NATIVE 0
#include "runtime/kernels/packed/bf16_level.h"
