#include "compiler/linker/linker.h"

#include "runtime/base/child_process.h"
#include "runtime/base/file.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <unistd.h>

#include <string>
#include <vector>

namespace penstock {

Status runLinker(std::vector<std::string> words, const std::string &output, const std::string &what) {
  const std::string linker = ::access(PENSTOCK_LLD, X_OK) == 0 ? PENSTOCK_LLD : "ld.lld";
  words.insert(words.begin(), linker);
  words.insert(words.end(), {"-o", output});
  const Result<ChildEnd> end = runChild(std::move(words), Hear::errors);
  if (!end.ok()) {
    return environmentError(end.status().message() + "; install the package that has `ld.lld`");
  }
  const std::string &text = end->said;
  if (end->exitCode != 0) {
    ::unlink(output.c_str());
    if (end->signal == SIGINT) {
      return {ErrorCode::interrupted, "interrupted"};
    }
    if (end->signal == SIGBUS) { // it maps what it writes, and there was no page for it
      return systemError("write", output, ENOSPC);
    }
    if (text.empty()) { // as when it is killed
      return environmentError(what + " could not be linked: the linker ended without a reason; is there memory and disk space?");
    }
    for (const int error : {ENOSPC, EDQUOT, EFBIG, EROFS, EACCES, ENOMEM, EIO}) {
      if (text.find(std::strerror(error)) != std::string::npos) {
        return systemError("write", output, error);
      }
    }
    const bool ours = text.find("undefined symbol") != std::string::npos;
    return ours ? internalError(what + " could not be linked: " + text) : environmentError(what + " could not be linked: " + text);
  }
  return {};
}

} // namespace penstock
