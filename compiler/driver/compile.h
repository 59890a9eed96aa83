// The door to the compiler: a typed pipeline in, the path of a shared library out. No MLIR here:
// what needs it is loaded only when a program is not in the cache. See
// docs/design/compile_cache.md.
#pragma once

#include "compiler/frontend/typed_pipeline.h"
#include "runtime/abi/plugin_abi.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace penstock {

/// Lets a head plugin build with the builder (the host's part). See
/// conversion/PipeToNn/PipeToNn.h.
using BuildHead =
    std::function<Status(const std::string &plugin, const frontend::Attributes &parameters, const PenstockGraphBuilder *builder,
                         PenstockNode input, PenstockNode target, const PenstockField *column)>;

struct CompileOptions {
  std::string level;                // "avx2", "avx512" or "amx"
  std::string cacheFolder;          // the user's cache folder, 0700 and theirs; "" keeps nothing
  BuildHead buildHead;              // needed only when the program is not in the cache
  std::vector<std::string> plugins; // name, version and hash of each head plugin in use
  bool profile = false;             // the program says what its steps do and where they stand in the file
  std::string compilerLibrary;      // "": libpenstock_compiler.so beside the command or in ../lib
};

struct CompileReport {
  bool cached = false;
  double seconds = 0;
};

/// Finds the program in the cache or compiles it. The same pipeline, level, plugins and build of
/// the compiler give the same key; the place of the data, the schedule, the seed and the learning
/// rate are no part of it, for they are no part of the program. A damaged entry counts as absent; a
/// cache that cannot be written is done without. Errors: invalidInput where a head plugin refuses
/// the model, internal for a mistake of the compiler, environment where the compiler cannot be
/// loaded. Returns the path of the shared library: map it soon, for a full cache gives up what has
/// not been used for long.
Result<std::string> compileProgram(const frontend::TypedPipeline &pipeline, const CompileOptions &options, CompileReport *report = nullptr);

/// Compiles what an artifact is linked of, into the folder `into`: an object file with `penstock_program_LEVEL`, which only predicts, or
/// with `penstock_program_train_LEVEL`, which has all entries, and a library with the same code. Errors as of compileProgram.
struct ArtifactCode {
  std::string object, library;
};
Result<ArtifactCode> compileForArtifact(const frontend::TypedPipeline &pipeline, const CompileOptions &options, bool trains,
                                        const std::string &into);

/// The text of a stage: "pipe", "nn", "kernel", "memory", "steps", "linalg", "llvm" or "asm". Reads no cache.
Result<std::string> compileStage(const frontend::TypedPipeline &pipeline, const std::string &stage, const CompileOptions &options);

} // namespace penstock
