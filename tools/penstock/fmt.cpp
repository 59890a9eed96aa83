#include "compiler/diagnostics/render.h"
#include "compiler/frontend/frontend.h"
#include "tools/penstock/commands.h"
#include "tools/penstock/load_pipeline.h"

#include "runtime/base/printable.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace penstock {

namespace {

/// Replaces the file by `text` at once: a reader sees the old one or the new one, and the old one stays where this fails.
Status replaceFile(const std::string &path, const std::string &text) {
  const auto failed = [&](const char *what) {
    return environmentError("`" + path + "` cannot be written: " + what + ": " + std::strerror(errno));
  };
  // A link stays a link: its target is replaced.
  char *resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) {
    return failed("its place is not known");
  }
  const std::string target = resolved;
  std::free(resolved);
  struct stat before{};
  if (::stat(target.c_str(), &before) != 0) {
    return failed("its mode is not known");
  }
  if (::access(target.c_str(), W_OK) != 0) {
    return failed("it may not be written");
  }
  std::string temporary = target + ".XXXXXX";
  const int file = ::mkstemp(temporary.data());
  if (file < 0) {
    return failed("no file beside it can be made");
  }
  Status status;
  std::size_t written = 0;
  while (status.ok() && written < text.size()) {
    const ssize_t now = ::write(file, text.data() + written, text.size() - written);
    if (now < 0 && errno != EINTR) {
      status = failed("writing");
    } else if (now > 0) {
      written += static_cast<std::size_t>(now);
    }
  }
  if (status.ok() && (::fchmod(file, before.st_mode & 07777) != 0 || ::fsync(file) != 0)) {
    status = failed("writing");
  }
  if (::close(file) != 0 && status.ok()) {
    status = failed("closing");
  }
  if (status.ok() && ::rename(temporary.c_str(), target.c_str()) != 0) {
    status = failed("renaming");
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
  }
  return status;
}

} // namespace

void addFmtCommand(CLI::App &app, CommandContext &context) {
  struct State {
    std::vector<std::string> files;
    bool check = false;
  };
  auto state = std::make_shared<State>();
  CLI::App *command = app.add_subcommand("fmt", "put .pipe files into their one layout");
  command->add_option("FILE", state->files, "the .pipe files")->required();
  command->add_flag("--check", state->check, "change nothing; exit 1 where a file is not in its layout");
  command->callback([state, &context] {
    for (const std::string &path : state->files) {
      auto text = readSourceFile(path);
      if (!text.ok()) {
        context.fail(text.status());
        continue;
      }
      const frontend::Formatted formatted = frontend::format(path, *text);
      if (!formatted.ok) {
        std::string out;
        for (const diagnostics::Diagnostic &one : formatted.diagnostics.all()) {
          out += diagnostics::renderText(one, [&](const std::string &) { return std::string_view(*text); });
        }
        std::fputs(out.c_str(), stderr);
        context.fail(invalidInput("`" + path + "` is left as it is: only a file without syntax errors has a layout"));
        continue;
      }
      if (formatted.text == *text) {
        continue;
      }
      if (state->check) {
        std::printf("%s\n", printable(path).c_str());
        context.exitCode = std::max(context.exitCode, exitCodeOf(ErrorCode::invalidInput));
        continue;
      }
      if (const Status status = replaceFile(path, formatted.text); !status.ok()) {
        context.fail(status);
      }
    }
  });
}

} // namespace penstock
