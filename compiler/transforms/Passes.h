// The passes of transforms/Passes.td: create...Pass() for each, and their registration.
#pragma once

#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/dialect/Nn/Nn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/Pass.h"

namespace penstock {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/transforms/Passes.h.inc"

} // namespace penstock
