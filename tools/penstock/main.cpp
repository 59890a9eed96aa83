#include "tools/penstock/commands.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>

namespace penstock {

void CommandContext::fail(const Status &status) {
  std::fflush(stdout);
  std::fprintf(stderr, "penstock: %s\n", status.message().c_str());
  exitCode = exitCodeOf(status.code());
}

} // namespace penstock

int main(int argc, char **argv) {
  using namespace penstock;
  std::signal(SIGPIPE, SIG_IGN); // a closed reader (`| head`) is a failed write, not a death
  CLI::App app{"penstock: describe a machine-learning pipeline in a .pipe file; check, train, evaluate and use it"};
  CommandContext context;
  context.version = PENSTOCK_VERSION;
  app.name("penstock");
  app.set_version_flag("--version", "penstock " + context.version);
  app.add_option("--plugins", context.pluginFolders, "folder with more plugins (may be repeated)")
      ->type_name("FOLDER");
  app.require_subcommand(1);

  // Each command is one file of this folder and one line here.
  addCheckCommand(app, context);
  addFmtCommand(app, context);
  addExplainCommand(app, context);
#ifdef PENSTOCK_HAS_DRIVER
  addCompileCommand(app, context);
  addTrainCommand(app, context);
#endif
  addEvaluateCommand(app, context);
  addPredictCommand(app, context);
#ifdef PENSTOCK_HAS_DRIVER
  addExportCommand(app, context);
#endif
  addPluginCommand(app, context);
  addDoctorCommand(app, context);

  app.failure_message([](const CLI::App *command, const CLI::Error &error) {
    std::string name = command->get_name();
    while (!command->get_subcommands().empty()) {
      command = command->get_subcommands().front();
      name += " " + command->get_name();
    }
    return "penstock: " + std::string(error.what()) + "; `" + name + " --help` says what there is\n";
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : exitCodeOf(ErrorCode::usage);
  } catch (const std::exception &error) {
    context.fail(internalError(std::string("an unexpected failure: ") + error.what() +
                               "; please report it with the file that caused it"));
  }
  return context.exitCode;
}
