// From an LLVM module to an object file for one named level.
#pragma once

#include "runtime/base/status.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
class raw_pwrite_stream;
} // namespace llvm

namespace penstock {

/// Code generation for x86-64 Linux at "avx2", "avx512" or "amx": position-independent, small code
/// model. Never asks what the machine it runs on can do.
Result<std::unique_ptr<llvm::TargetMachine>> makeTargetMachine(const std::string &level);

/// Sets triple, data layout and the level's function attributes; makes every function but
/// `penstock_program` internal. Call when all functions are there.
Status prepareModule(llvm::Module &module, llvm::TargetMachine &machine, const std::string &level);

/// memcpy, memset and memmove, which code generation calls, for a library that needs none: a prepared module.
Result<std::unique_ptr<llvm::Module>> makeMemoryFunctions(llvm::LLVMContext &context, llvm::TargetMachine &machine,
                                                          const std::string &level);

/// Runs passes by their names, none of which may assume or introduce functions of the C library.
Status runPasses(llvm::Module &module, llvm::TargetMachine &machine, llvm::StringRef passes);

/// The short pipeline: scalar clean-up, loop-invariant motion, vectorization.
Status optimizeModule(llvm::Module &module, llvm::TargetMachine &machine);

/// Writes an object file, or assembly. Consumes the module: it may not be used again.
Status generateCode(llvm::Module &module, llvm::TargetMachine &machine, bool assembly, llvm::raw_pwrite_stream &out);

} // namespace penstock
