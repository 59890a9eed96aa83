// What `pipe-opt` and the tests know by name.
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace penstock {

/// Registers the project's passes with MLIR's table of passes, each under the option that its header names.
void registerPenstockPasses();

/// Adds the project's dialects and those that its passes make.
void registerPenstockDialects(mlir::DialectRegistry &registry);

} // namespace penstock
