#include "compiler/emit/ptx_assembler.h"

#include "runtime/base/child_process.h"
#include "runtime/base/file.h"

#include "llvm/Support/Program.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <unistd.h>

namespace penstock {

std::string findPtxas() {
  if (const char *named = std::getenv("PENSTOCK_PTXAS"); named != nullptr) {
    return named;
  }
  if (const auto found = llvm::sys::findProgramByName("ptxas"); found) {
    return *found;
  }
  static constexpr const char *usual = "/usr/local/cuda/bin/ptxas";
  return ::access(usual, X_OK) == 0 ? usual : "";
}

Result<std::string> assemblePtx(const std::string &ptxas, const std::string &text, int architecture, const std::string &scratch) {
  AtomicFile source(scratch + ".ptx"), code(scratch + ".cubin"); // never published
  PENSTOCK_TRY(source.open());
  PENSTOCK_TRY(source.write(text.data(), text.size()));
  PENSTOCK_TRY(code.open());
  PENSTOCK_ASSIGN(
      const ChildEnd end,
      runChild({ptxas, fmt::format("-arch=sm_{}", architecture), source.temporaryPath(), "-o", code.temporaryPath()}, Hear::errors));
  if (end.signal == SIGINT) {
    return Status(ErrorCode::interrupted, "interrupted");
  }
  if (end.exitCode != 0) {
    return environmentError(fmt::format("`{}` did not make code for sm_{} (set PENSTOCK_PTXAS to another one, or to nothing): {}", ptxas,
                                        architecture, end.said.substr(0, end.said.find('\n'))));
  }
  return readWholeFile(code.temporaryPath());
}

} // namespace penstock
