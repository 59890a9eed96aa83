// The body of a translation unit with bf16 contractions. Define PENSTOCK_LANES, PENSTOCK_CONTRACTIONS (the table's name),
// PENSTOCK_BF16_AMX (1: tiles of AMX, 0: AVX512-BF16's dot products) and PENSTOCK_BF16_NATIVE (1: the instructions, 0: the same
// bits by AVX2), then include this once. Everything but the table stays in the anonymous namespace.

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/level_table.h"

#include <stddef.h>
#include <stdint.h>

#if PENSTOCK_BF16_NATIVE
#include <immintrin.h>
#endif

namespace penstock {
namespace {
// clang-format off
#include "runtime/kernels/packed/vector.h"
#include "runtime/kernels/packed/layout.h"
#include "runtime/kernels/packed/bf16_round.h"
#if PENSTOCK_BF16_AMX
#include "runtime/kernels/packed/bf16_amx.h"
#else
#include "runtime/kernels/packed/bf16_dot.h"
#endif
#include "runtime/kernels/packed/bf16_matmul.h"
// clang-format on
} // namespace
} // namespace penstock

extern "C" const PenstockContractions PENSTOCK_CONTRACTIONS = {
    !PENSTOCK_BF16_NATIVE ? 0
    : PENSTOCK_BF16_AMX   ? 3
                          : 4,
    penstock::packedFloats,
    penstock::pack,
    penstock::matmul,
    penstock::weightGradient,
    penstock::peak,
};
