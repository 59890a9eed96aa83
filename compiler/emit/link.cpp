#include "compiler/emit/link.h"

#include "runtime/base/file.h"
#include "runtime/base/program_seal.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

extern char **environ;

namespace penstock {

namespace {

Status seal(const std::string &output) {
  PENSTOCK_ASSIGN(const std::string library, readWholeFile(output));
  const Descriptor file(::open(output.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const ProgramSeal made = sealOf(library, 0);
  errno = ENOSPC; // of a short write
  if (!file.ok() || ::write(file.get(), &made, sizeof made) != static_cast<ssize_t>(sizeof made)) {
    const int reason = errno;
    ::unlink(output.c_str());
    return systemError("write", output, reason);
  }
  return Status::success();
}

} // namespace

Status linkSharedLibrary(const std::vector<std::string> &objects, const std::string &output) {
  const std::string log = output + ".log";
  const std::string linker = ::access(PENSTOCK_LLD, X_OK) == 0 ? PENSTOCK_LLD : "ld.lld";
  std::vector<std::string> words = {
      linker, "-shared", "-nostdlib", "--no-undefined", "-z", "now", "--threads=1", "--hash-style=gnu", "--build-id=none", "-o", output};
  words.insert(words.end(), objects.begin(), objects.end());
  std::vector<char *> arguments;
  for (std::string &word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, linker.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    ::unlink(log.c_str());
    return environmentError(fmt::format("the linker `{}` could not be started: {}; install the package that "
                                        "has `ld.lld`",
                                        linker, std::strerror(failed)));
  }
  int state = 0;
  while (::waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) {
      return environmentError(fmt::format("the linker was lost: {}", std::strerror(errno)));
    }
  }
  std::ostringstream said;
  said << std::ifstream(log).rdbuf();
  ::unlink(log.c_str());
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) {
    ::unlink(output.c_str());
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGINT) {
      return {ErrorCode::interrupted, "interrupted"};
    }
    const std::string text = said.str();
    // lld says "no space left" and the like in the words of the system.
    const bool ours = text.find("undefined symbol") != std::string::npos || text.empty();
    return ours ? internalError("the compiled program could not be linked: " + text)
                : environmentError("the compiled program could not be linked: " + text);
  }
  return seal(output);
}

} // namespace penstock
