#define PENSTOCK_LANES 16
#define PENSTOCK_TABLE penstockWideTable
#include "runtime/kernels/packed/level.h"
