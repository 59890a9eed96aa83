// --penstock-pipe-to-nn: from what the user wrote to a differentiable tensor program.
//
// The module's `pipe.pipeline` is replaced by
//   nn.global     one a weight: the decaying parameters in the order of their declaration, then the others
//   func @model   reads inputs and parameters, writes `nn.output "loss"` (index 0, where the pipeline has an objective) and one
//                 `nn.output "<answer>"` an answer
// and these attributes of the module:
//   nn.inputs     the batch layout: for each place {name, target, type}
//   nn.objectives  of each objective, the attributes of its nn.apply, and its name where there are several
//
// Random numbers are keyed by the instance path: FNV-1a (64 bits, offset basis 14695981039346656037, prime 1099511628211) of
// the path's bytes; of the path, "#" and n for the n-th further use of one path (n from 1).
#pragma once

#include "compiler/conversion/FrontendToPipe/FrontendToPipe.h"
#include "runtime/abi/plugin_abi.h"
#include "runtime/base/status.h"

#include <functional>

namespace penstock {

/// Lets a head plugin build with the builder: the host's part, which knows how plugins are loaded. `parameters` are those of the call, by
/// name. `target` is 0 and `column` NULL where the head has no target; the names of the column and its classes are not known here.
using BuildHead =
    std::function<Status(const std::string &plugin, const frontend::Attributes &parameters, const PenstockGraphBuilder *builder,
                         PenstockNode input, PenstockNode target, const PenstockField *column)>;

struct ImportOptions {
  BuildHead buildHead; // without it a head plugin in the pipeline is an error
};

/// Failures are reported through the context's diagnostics, at the place in the `.pipe` file.
mlir::LogicalResult lowerPipeToNn(mlir::ModuleOp module, const ImportOptions &options);

} // namespace penstock
