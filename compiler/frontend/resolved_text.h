// The canonical text of a pipeline. It is made for whoever asks: a check alone needs none.
#pragma once

#include "compiler/frontend/typed_pipeline.h"

namespace penstock::frontend {

/// The resolved form without what only places decide, in the order of its keys, and the model's nodes. Its hash keys run folders.
std::string resolvedTextOf(const TypedPipeline &pipeline);

} // namespace penstock::frontend
