#include "runtime/base/child_process.h"

#include "runtime/base/file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace penstock {

namespace {

constexpr std::size_t mostHeard = std::size_t{1} << 16;

/// What comes through a pipe until its other end is closed; of much, the beginning.
std::string everything(int descriptor) {
  std::string text;
  char piece[4096];
  for (;;) {
    const ssize_t got = ::read(descriptor, piece, sizeof piece);
    if (got == 0 || (got < 0 && errno != EINTR)) {
      return text;
    }
    if (got > 0 && text.size() < mostHeard) {
      text.append(piece, static_cast<std::size_t>(got));
    }
  }
}

} // namespace

Result<ChildEnd> runChild(std::vector<std::string> words, Hear heard) {
  std::vector<char *> arguments;
  for (std::string &word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  const auto notStarted = [&](int error) { return environmentError("`" + words[0] + "` could not be started: " + std::strerror(error)); };
  int ends[2]; // not a file: the disk may be full, which is what the child then has to say
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return notStarted(errno);
  }
  const Descriptor ours(ends[0]);
  Descriptor theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (heard == Hear::errors) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), heard == Hear::errors ? STDERR_FILENO : STDOUT_FILENO);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  theirs = Descriptor();
  if (failed != 0) {
    return notStarted(failed);
  }
  ChildEnd end;
  end.said = everything(ours.get());
  int state = 0;
  while (::waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) {
      return environmentError("`" + words[0] + "` was lost: " + std::strerror(errno));
    }
  }
  end.exitCode = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
  end.signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
  return end;
}

} // namespace penstock
