#include "tools/command_line/named_input.h"

#include "runtime/exec/interrupt.h"

#include <cerrno>
#include <cstdio>
#include <utility>

namespace penstock {

void flushAnswers(int &failed) { failed = failed == 0 && std::fflush(stdout) != 0 ? errno : failed; }

Result<std::unique_ptr<ByteSource>> openNamedInput(const std::string &path, const std::string &name, const std::string &who, int &failed) {
  StreamHooks hooks;
  hooks.stop = [&failed] { return interrupted() || failed != 0; };
  hooks.idle = [&failed] { flushAnswers(failed); };
  hooks.waiting = [name, who] { std::fprintf(stderr, "%s: waiting for %s; Ctrl-C ends\n", who.c_str(), name.c_str()); };
  return openStreamSource(path, name, std::move(hooks));
}

} // namespace penstock
