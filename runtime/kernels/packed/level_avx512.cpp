#define PENSTOCK_LANES 16
#define PENSTOCK_TABLE penstockAvx512Table
#include "runtime/kernels/packed/level.h"
