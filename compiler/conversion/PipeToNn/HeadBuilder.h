// The graph builder of plugin_abi.h over a ModelBuilder.
#pragma once

#include "compiler/conversion/PipeToNn/ModelBuilder.h"
#include "compiler/conversion/PipeToNn/PipeToNn.h"

namespace penstock {

struct HeadValues {
  mlir::Value answer;
  mlir::Value loss; // null where there is no target
};

/// Lets `build` of the plugin add its ops to the model. What the plugin does wrong (no such value, no such operation, wrong
/// shapes, no answer) is reported at `loc`; its own failure with its own message.
mlir::FailureOr<HeadValues> buildHead(ModelBuilder &model, const BuildHead &build, const std::string &plugin,
                                      const frontend::Attributes &parameters, mlir::Value input, mlir::Value target,
                                      const PenstockField *column, const std::string &path, const frontend::Learning &learning,
                                      mlir::Location loc);

} // namespace penstock
