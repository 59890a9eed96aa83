// What a person names as the input of a command.
#pragma once

#include "runtime/data/bytes.h"

namespace penstock {

/// Opens a file, a FIFO or, with `path` "", standard input, which `name` names for people. What was answered is written out before the
/// reading waits, and `failed`, which outlives the source, becomes the errno of a standard output that cannot be written. While nothing
/// comes, standard error says once that it is waited for; Ctrl-C (after catchInterrupts()) and a `failed` end with an interrupted status.
/// `who` waits: the command.
Result<std::unique_ptr<ByteSource>> openNamedInput(const std::string &path, const std::string &name, const std::string &who, int &failed);
/// Writes out what was answered; `failed` keeps the first errno.
void flushAnswers(int &failed);

} // namespace penstock
