// The plan of an entry as attributes of its IR: what `--penstock-plan-memory` writes, and every pass behind it reads. Internal to this
// folder.
//
//   of a function   kernel.slots      a #kernel.slot for each slot of the arena
//                   kernel.reserved   bytes at the beginning of the arena, for gradients
//   of an op        kernel.places     a #kernel.place for each result, unit where it has none
//                   kernel.scratch    of a kernel or of nn.apply
//                   kernel.worker     of a region or a kernel: bytes of a worker's scratch, for values of a block or its own
//                   kernel.partial    of a sum over rows in a region: one partial result a block
//                   kernel.block      of a region: the most rows of a block
//                   kernel.to         of nn.output, nn.gradient and nn.update: where the value goes
//                   kernel.rows_read  of what reads a deferred table: {table = [groups, gradient, partials]}
//                   kernel.optimizer  of nn.refresh: the attributes of the entry's nn.apply
//                   kernel.in_arena   of nn.apply: the gradient is that of its own entry
//   of the module   kernel.axes       the axes, in the order of the program's table
//                   kernel.moments    of each objective, what its optimizer keeps of a parameter
#pragma once

#include "compiler/conversion/KernelToLinalg/EntryPlan.h"

namespace penstock {

/// Whether the function is an entry whose plan it carries.
bool hasPlan(mlir::func::FuncOp function);

/// Puts the plan of `entry` onto it. The ops of its regions are brought into the order in which they run: row-wise work and kernels take
/// turns.
void writePlan(const ProgramLayout &layout, mlir::func::FuncOp entry, const EntryPlan &plan);

/// The plan of an entry, or of the function of a step, which has a part of it.
EntryPlan readPlan(const ProgramLayout &layout, mlir::func::FuncOp function);

/// Where `kernel.to` says that the op's value goes.
Buffer destinationOf(const ProgramLayout &layout, mlir::Operation *op);
bool samePlace(const Buffer &a, const Buffer &b);

} // namespace penstock
