#include "compiler/diagnostics/render.h"
#include "compiler/frontend/frontend.h"
#include "tools/penstock/commands.h"
#include "tools/penstock/load_pipeline.h"

#include "runtime/base/file.h"
#include "runtime/base/printable.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace penstock {

namespace {

/// Replaces the file by `text` at once, with its mode. A link stays a link: its target is replaced.
Status replaceFile(const std::string &path, const std::string &text) {
  char *resolved = ::realpath(path.c_str(), nullptr);
  const std::string target = resolved == nullptr ? path : resolved;
  std::free(resolved);
  struct stat before{};
  if (::stat(target.c_str(), &before) != 0 || ::access(target.c_str(), W_OK) != 0) {
    return systemError("write", path, errno);
  }
  AtomicFile file(target);
  PENSTOCK_TRY(file.open(0600));
  PENSTOCK_TRY(file.write(text));
  if (::fchmod(file.descriptor(), before.st_mode & 07777) != 0) {
    return systemError("write", path, errno);
  }
  return file.commit();
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
  setExamples(*command, {"penstock fmt task.pipe", "penstock fmt --check task.pipe"});
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
