// A module cut into parts whose code is made side by side.
#pragma once

#include "runtime/base/status.h"

#include "llvm/ADT/SmallVector.h"

#include <string>
#include <vector>

namespace llvm {
class Module;
}

namespace penstock {

using ObjectFile = llvm::SmallVector<char, 0>;

/// Optimizes a prepared module and generates its code, as object files to be linked together. The steps of a program do not inline each
/// other, so the module is cut into parts of about equal size, which threads work on, each in an LLVM context of its own. The cut depends
/// on the module alone: the objects are the same on any machine. `suffix` is added to the name of all that they define. Consumes the
/// module.
Status generateObjects(llvm::Module &module, const std::string &level, const std::string &suffix, std::vector<ObjectFile> &objects);

} // namespace penstock
