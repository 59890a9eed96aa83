#include "runtime/exec/interrupt.h"
#include "runtime/plugin/containment.h"
#include "tools/penstock/commands.h"

#include <CLI/CLI.hpp>

namespace penstock {

namespace {

/// Plugins are contained from the first line of main to its last.
struct Containment {
  Containment() { containPlugins(interrupted); }
  ~Containment() { releasePlugins(); }
  Containment(const Containment &) = delete;
  Containment &operator=(const Containment &) = delete;
};

} // namespace

void setExamples(CLI::App &command, const std::vector<std::string> &lines) {
  std::string text = "examples:";
  for (const std::string &line : lines) {
    text += "\n  " + line;
  }
  command.footer(text);
}

} // namespace penstock

int main(int argc, char **argv) {
  using namespace penstock;
  const Containment contained;
  CLI::App app{"penstock: describe a machine-learning pipeline in a .pipe file; check, train, evaluate and use it"};
  CommandContext context;
  context.name = "penstock";
  context.version = PENSTOCK_VERSION;
  app.name("penstock");
  app.set_version_flag("--version", "penstock " + context.version);
  app.add_option("--plugins", context.pluginFolders, "folder with more plugins (may be repeated)")->type_name("FOLDER");
  app.require_subcommand(1);

  // Each command is one file of this folder and one line here.
  addNewCommand(app, context);
  addCheckCommand(app, context);
  addFmtCommand(app, context);
  addExplainCommand(app, context);
  addOpsCommands(app, context);
#ifdef PENSTOCK_HAS_DRIVER
  addCompileCommand(app, context);
  addTrainCommand(app, context);
#endif
  addEvaluateCommand(app, context);
  addPredictCommand(app, context);
#ifdef PENSTOCK_HAS_DRIVER
  addExportCommand(app, context);
  addBuildCommand(app, context);
#endif
  addPackCommand(app, context);
  addInspectCommand(app, context);
  addPluginCommand(app, context);
  addDoctorCommand(app, context);
  addShellCommands(app, context);

  return runCommandLine(app, argc, argv, context);
}
