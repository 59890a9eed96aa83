#define PENSTOCK_LANES 8
#define PENSTOCK_TABLE penstockAvx2Table
#include "runtime/kernels/packed/level.h"
