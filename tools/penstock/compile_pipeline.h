// Compiling as every command does it: for this machine's level unless the pipeline names one, with
// the user's cache and the head plugins of a host.
#pragma once

#include "compiler/driver/compile.h"
#include "runtime/base/status.h"

#include <string>

namespace penstock {

class PluginHost;

/// Everything that compileProgram and compileStage need; the host must outlive them. Errors: a
/// level that does not exist, a machine without AVX2, a head plugin that is not there.
Result<CompileOptions> compileOptionsFor(const frontend::TypedPipeline &pipeline, PluginHost &host);

/// Where `kernels: tuned` asks for it, gives the pipeline the rows of this machine's table for its level. An environment error where there
/// is none.
Status takeTunedKernels(frontend::TypedPipeline &pipeline);

/// Path of the pipeline's program, from the cache where it is there. With `profile` it says what its
/// steps do.
Result<std::string> compilePipeline(const frontend::TypedPipeline &pipeline, PluginHost &host, CompileReport *report = nullptr,
                                    bool profile = false);

} // namespace penstock
