// From a module of loops and memrefs to one mapped-anywhere shared library. See
// docs/design/emission.md.
#pragma once

#include "compiler/emit/program_table.h"
#include "runtime/base/status.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

#include <functional>
#include <string>

namespace llvm {
class raw_ostream;
}

namespace penstock {

/// Where the time of an emission went, in seconds.
struct EmitTimes {
  double lower = 0, translate = 0, generate = 0, link = 0;
};

struct EmitOptions {
  std::string level;      // "avx2", "avx512" or "amx"; "cuda": the host's code is that of the first
  bool emulated = false;  // of a device: its code is for the emulated one
  bool assembled = false; // of a device: machine code beside its text, where there is `ptxas`
  bool watched = false;   // code of the emulated device tells a thread sanitizer what it reads and writes
  std::string output;     // path of the shared library; "" makes none (only prints)
  /// Path of an object file with the same code, to be linked with that of other programs; "" makes none. It takes memcpy and the like from
  /// where it is linked.
  std::string object;
  std::string suffix; // at the end of the name of all that the code defines: `_avx2` makes `penstock_program_avx2`
  /// Receives the module as LLVM IR after its passes, and as assembly.
  llvm::raw_ostream *llvmText = nullptr;
  llvm::raw_ostream *assembly = nullptr;
  EmitTimes *times = nullptr;
};

/// Registers the dialects and interfaces that `emitSharedLibrary` needs. Call before the context is
/// made.
void registerEmitDialects(mlir::DialectRegistry &registry);

/// Lowers `module` in place to the LLVM dialect, then to a shared library without dependencies that
/// exports only `penstock_program`.
///
/// `module` holds func, scf, cf, affine, memref, arith, math, index, llvm and linalg (on memrefs).
/// For each step of the table it defines the function `(!llvm.ptr, !llvm.ptr)` that the step names,
/// whose operands are a PenstockCall and the step's numbers; all functions are internal to it. It
/// may call no function that it does not define: host functions are called through
/// PenstockCall::symbols. The output is written to a temporary file beside it and renamed.
///
/// Where the module holds one named `penstock_device`, its functions become the device's code of the table.
///
/// Errors are internal (a mistake of the lowering), or environment for an unwritable folder or a
/// missing linker. The module is unusable afterwards either way.
Status emitSharedLibrary(mlir::ModuleOp module, ProgramTable &table, const EmitOptions &options);

} // namespace penstock
