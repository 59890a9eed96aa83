// `penstock completion` and `penstock man`: what shells and `man` know of the commands.
#include "tools/penstock/command_shape.h"
#include "tools/penstock/commands.h"

#include "runtime/base/file.h"
#include "runtime/base/folder.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace penstock {

void addShellCommands(CLI::App &app, CommandContext &context) {
  auto shell = std::make_shared<std::string>(), folder = std::make_shared<std::string>();
  CLI::App *completion = app.add_subcommand("completion", "print the script that completes commands and options in a shell");
  completion->add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  setExamples(*completion, {"penstock completion bash > penstock.bash", "source penstock.bash"});
  completion->callback([shell, &app] {
    const CommandShape program = shapeOf(app);
    fmt::print("{}", *shell == "bash" ? bashCompletion(program) : *shell == "zsh" ? zshCompletion(program) : fishCompletion(program));
  });
  CLI::App *manual = app.add_subcommand("man", "write a manual page for each command into a folder");
  manual->add_option("DIR", *folder, "the folder; made where it is not there")->required()->type_name("DIR");
  setExamples(*manual, {"penstock man pages", "man pages/penstock-train.1"});
  manual->callback([folder, &app, &context] {
    Status status = makeFolders(*folder);
    for (const ManualPage &page : manualPages(shapeOf(app), context.version)) {
      status = status.ok() ? writeFileAtomically(*folder + "/" + page.name, page.text) : status;
    }
    if (!status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
