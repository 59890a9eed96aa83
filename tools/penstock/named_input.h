// What a person names as the input of a command.
#pragma once

#include "runtime/data/bytes.h"

namespace penstock {

/// Opens a file, a FIFO or, with `path` "", standard input, which `name` names for people. While it gives nothing, standard error says
/// once that it is waited for; Ctrl-C (after catchInterrupts()), or a `stop` among `hooks`, ends with an interrupted status.
Result<std::unique_ptr<ByteSource>> openNamedInput(const std::string &path, const std::string &name, StreamHooks hooks);

} // namespace penstock
