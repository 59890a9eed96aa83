#include "tools/penstock/named_input.h"

#include "runtime/exec/interrupt.h"

#include <cstdio>
#include <utility>

namespace penstock {

Result<std::unique_ptr<ByteSource>> openNamedInput(const std::string &path, const std::string &name, StreamHooks hooks) {
  hooks.stop = [stop = std::move(hooks.stop)] { return interrupted() || (stop && stop()); };
  hooks.waiting = [name] { std::fprintf(stderr, "penstock: waiting for %s; Ctrl-C ends\n", name.c_str()); };
  return openStreamSource(path, name, std::move(hooks));
}

} // namespace penstock
