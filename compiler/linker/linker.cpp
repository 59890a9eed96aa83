#include "compiler/linker/linker.h"

#include "runtime/base/file.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

extern char **environ;

namespace penstock {

namespace {

/// What comes through a pipe until its other end is closed; of much, the beginning.
std::string everything(int descriptor) {
  std::string text;
  char piece[4096];
  for (;;) {
    const ssize_t got = ::read(descriptor, piece, sizeof piece);
    if (got == 0 || (got < 0 && errno != EINTR)) {
      return text;
    }
    if (got > 0 && text.size() < (std::size_t{1} << 16)) {
      text.append(piece, static_cast<std::size_t>(got));
    }
  }
}

} // namespace

Status runLinker(std::vector<std::string> words, const std::string &output, const std::string &what) {
  const std::string linker = ::access(PENSTOCK_LLD, X_OK) == 0 ? PENSTOCK_LLD : "ld.lld";
  words.insert(words.begin(), linker);
  words.insert(words.end(), {"-o", output});
  std::vector<char *> arguments;
  for (std::string &word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);

  int ends[2]; // not a file: the disk may be full, which is what the linker then has to say
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return environmentError(fmt::format("the linker could not be started: {}", std::strerror(errno)));
  }
  const Descriptor heard(ends[0]);
  Descriptor said(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, said.get(), STDERR_FILENO);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, linker.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  said = Descriptor();
  if (failed != 0) {
    return environmentError(fmt::format("the linker `{}` could not be started: {}; install the package that "
                                        "has `ld.lld`",
                                        linker, std::strerror(failed)));
  }
  const std::string text = everything(heard.get());
  int state = 0;
  while (::waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) {
      return environmentError(fmt::format("the linker was lost: {}", std::strerror(errno)));
    }
  }
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) {
    ::unlink(output.c_str());
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGINT) {
      return {ErrorCode::interrupted, "interrupted"};
    }
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGBUS) { // it maps what it writes, and there was no page for it
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
