#include "compiler/driver/fatal_errors.h"

#include "runtime/base/status.h"

#include "llvm/Support/ErrorHandling.h"

#include <cstdio>
#include <mutex>
#include <unistd.h>

namespace penstock {
namespace {

// Neither allocates: memory may be what is missing. Destructors do not run: locks of the compiler may be held.
[[noreturn]] void end(const char *before, const char *reason, const char *after, ErrorCode code) {
  std::fflush(stdout);
  std::fprintf(stderr, "penstock: %s%s%s\n", before, reason ? reason : "no reason given", after);
  std::fflush(stderr);
  ::_exit(exitCodeOf(code));
}

void fatalError(void *, const char *reason, bool) {
  end("the compiler failed inside LLVM: ", reason, "; this is a mistake in penstock: please report it with the file", ErrorCode::internal);
}

void outOfMemory(void *, const char *reason, bool) {
  end("there is not enough memory to compile this pipeline: ", reason, "; free some, or train a smaller model", ErrorCode::environment);
}

} // namespace

void handleFatalErrors() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::install_fatal_error_handler(fatalError);
    llvm::install_bad_alloc_error_handler(outOfMemory);
  });
}

} // namespace penstock
