// Where LLVM gives up, a person gets a sentence and an exit code, not an abort.
#pragma once

namespace penstock {

/// Once a process: from then on a fatal error inside LLVM, or memory that it cannot get, ends the process with one message on standard
/// error and the exit code of an internal, respectively environment, error. (LLVM is built without exceptions: nothing can be unwound.)
void handleFatalErrors();

} // namespace penstock
