// A program that is run, and what it says.
#pragma once

#include "runtime/base/status.h"

#include <string>
#include <vector>

namespace penstock {

struct ChildEnd {
  std::string said; // through the pipe; of much, the beginning
  int exitCode = 0; // -1: it was killed by `signal`
  int signal = 0;
};

enum class Hear { output, errors };

/// Runs `words`, the first of which is a path or found as the shell finds it, to its end. Its standard output or its standard error is
/// heard; of the other one, output is thrown away and errors go where ours go. An environment error where it could not be started.
Result<ChildEnd> runChild(std::vector<std::string> words, Hear heard);

} // namespace penstock
