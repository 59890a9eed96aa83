// From the front end's typed pipeline to a module of the Pipe dialect.
#pragma once

#include "compiler/frontend/typed_pipeline.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace penstock {

/// Makes a module with one `pipe.pipeline`, verified; every op stands at its place in the `.pipe` file. A pipeline that breaks
/// a rule of the front end's contract (typed_pipeline.h) is reported through the context's diagnostics.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> importPipeline(mlir::MLIRContext &context, const frontend::TypedPipeline &pipeline);

/// Attributes of calls, both ways. Lists of numbers are arrays; a list of strings is an ArrayAttr of strings.
mlir::DictionaryAttr toDictionary(mlir::MLIRContext &context, const frontend::Attributes &attributes);
frontend::Attributes fromDictionary(mlir::DictionaryAttr dictionary);

/// How weights learn, both ways; null where it is as usual.
mlir::DictionaryAttr toDictionary(mlir::MLIRContext &context, const frontend::Learning &learning);
frontend::Learning learningFrom(mlir::DictionaryAttr dictionary);

} // namespace penstock
