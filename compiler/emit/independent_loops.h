// Loops whose iterations do not depend on each other through memory.
#pragma once

namespace llvm {
class Module;
}

namespace penstock {

/// Puts every memory access of a loop that is marked with `llvm.loop.parallel_accesses` into the access group that the mark
/// names, so that the vectorizer needs no run-time checks of what overlaps (LLVM language reference, "llvm.access.group").
void markIndependentLoops(llvm::Module &module);

} // namespace penstock
