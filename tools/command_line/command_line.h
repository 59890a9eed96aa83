// What `penstock` and the commands of artifacts share: how a command line is parsed, its mistakes are told, and how output ends.
#pragma once

#include "runtime/base/status.h"

#include <string>

namespace CLI {
class App;
}

namespace penstock {

/// How a command of this process ended.
struct CommandEnd {
  std::string name; // of the program, before its messages: "penstock"
  int exitCode = 0;
  bool outputInforms = false; // what stands on standard output is kept elsewhere, too: it may be lost

  /// Prints `NAME: <message>` to standard error and sets the exit code of the failure.
  void fail(const Status &status);
};

/// Parses the command line, which runs the callbacks of the app, writes out what stands in the buffers, and gives the exit code. Mistakes
/// are told in our words. No exception comes out of it.
int runCommandLine(CLI::App &app, int argc, char **argv, CommandEnd &end);

} // namespace penstock
