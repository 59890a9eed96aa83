#include "tools/penstock/named_input.h"

#include "runtime/exec/interrupt.h"

#include <cerrno>
#include <cstdio>
#include <utility>

namespace penstock {

void flushAnswers(int &failed) { failed = failed == 0 && std::fflush(stdout) != 0 ? errno : failed; }

Result<std::unique_ptr<ByteSource>> openNamedInput(const std::string &path, const std::string &name, int &failed) {
  StreamHooks hooks;
  hooks.stop = [&failed] { return interrupted() || failed != 0; };
  hooks.idle = [&failed] { flushAnswers(failed); };
  hooks.waiting = [name] { std::fprintf(stderr, "penstock: waiting for %s; Ctrl-C ends\n", name.c_str()); };
  return openStreamSource(path, name, std::move(hooks));
}

} // namespace penstock
