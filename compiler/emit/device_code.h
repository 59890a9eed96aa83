// From the module of a device's functions to the image that its driver loads. See docs/design/cuda.md.
#pragma once

#include "compiler/emit/program_table.h"
#include "runtime/base/status.h"

#include "mlir/IR/BuiltinOps.h"

namespace llvm {
class raw_ostream;
}

namespace penstock {

struct DeviceTarget {
  bool emulated, watched, assembled; // EmitOptions
};

/// Lowers `device` in place, whose functions have the attributes `kernel.threads` and `kernel.shared`, to PTX for sm_80 and later (Debian's
/// NVPTX); or, where it is emulated, to a shared object of the host: a function NAME takes the addresses of its arguments, NAME_arguments
/// is how many they are, and the functions of a team (`penstock_sync_warp` and so on) are those of who loads it. `text` receives the LLVM
/// IR. `scratch`: path of a file that may be written beside the output.
Status emitDeviceCode(mlir::ModuleOp device, DeviceTarget target, const std::string &scratch, ProgramTable::DeviceCode &code,
                      llvm::raw_ostream *text);

/// The passes from loops and memrefs to the LLVM dialect. `reorders`: sums over a loop may be taken in any order.
Status lowerToLLVMDialect(mlir::ModuleOp module, bool reorders);

} // namespace penstock
