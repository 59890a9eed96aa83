// The body of a level's translation unit. Define PENSTOCK_LANES (8 or 16) and PENSTOCK_TABLE (the
// table's name), then include this once. Everything but the table stays in the anonymous namespace.

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/level_table.h"

#include <stddef.h>
#include <stdint.h>

namespace penstock {
namespace {
// clang-format off
#include "runtime/kernels/packed/vector.h"
#include "runtime/kernels/packed/layout.h"
#include "runtime/kernels/packed/matmul.h"
#include "runtime/kernels/packed/weight_gradient.h"
#include "runtime/kernels/packed/random.h"
#include "runtime/kernels/packed/attention.h"
#include "runtime/kernels/packed/conv1d.h"
#include "runtime/kernels/packed/conv1d_weight.h"
#include "runtime/kernels/packed/segments.h"
#include "runtime/kernels/packed/peak.h"
#include "runtime/kernels/packed/row_groups.h"
// clang-format on
} // namespace
} // namespace penstock

extern "C" const PenstockLevelTable PENSTOCK_TABLE = {
    (int32_t)penstock::lanes,
    (int32_t)penstock::panelColumns,
    (int32_t)penstock::tileRows,
    {PENSTOCK_LANES == 8 ? 1 : 2, penstock::packedFloats, penstock::pack, penstock::matmul, penstock::weightGradient, penstock::peak},
    penstock::convPack,
    penstock::convRun,
    penstock::convGradientInput,
    penstock::convGradientWeight,
    penstock::convMax,
    penstock::convMaxGradientInput,
    penstock::convMaxGradientWeight,
    {
#define PENSTOCK_LEVEL_KERNEL(kernel, function, ...) penstock::function,
#include "runtime/base/kernel_rows.def"
    },
    penstock::stream,
    penstock::exponentialOfMany,
    penstock::logarithmOfMany,
    penstock::attentionMask,
};
