// The commands of `penstock`: one file and one function each, called from main.cpp in the order of the help.
//
// A function adds its subcommand to the app, with options bound to a state of its own (a shared_ptr that the callback
// keeps), and a callback that does the work and leaves its exit code in the context. Mistakes on the command line are
// CLI11's, or `context.fail(usageError(...))`: exit 2.
#pragma once

#include "runtime/base/status.h"
#include "tools/command_line/command_line.h"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace penstock {

/// What every command needs to know and where it leaves its result.
struct CommandContext : CommandEnd {
  std::string version;
  std::vector<std::string> pluginFolders; // --plugins, searched before the standard places

  /// These, then those that a pipeline names.
  std::vector<std::string> pluginFoldersWith(const std::vector<std::string> &ofPipeline) const {
    std::vector<std::string> all = pluginFolders;
    all.insert(all.end(), ofPipeline.begin(), ofPipeline.end());
    return all;
  }
};

/// Shows command lines below the help of a command. A test runs all of them, in the order of the help.
void setExamples(CLI::App &command, const std::vector<std::string> &lines);

void addNewCommand(CLI::App &app, CommandContext &context);
void addCheckCommand(CLI::App &app, CommandContext &context);
void addFmtCommand(CLI::App &app, CommandContext &context);
void addExplainCommand(CLI::App &app, CommandContext &context);
void addOpsCommands(CLI::App &app, CommandContext &context); // ops, types, settings
void addCompileCommand(CLI::App &app, CommandContext &context);
void addTrainCommand(CLI::App &app, CommandContext &context);
void addEvaluateCommand(CLI::App &app, CommandContext &context);
void addPredictCommand(CLI::App &app, CommandContext &context);
void addExportCommand(CLI::App &app, CommandContext &context);
void addBuildCommand(CLI::App &app, CommandContext &context);
void addPackCommand(CLI::App &app, CommandContext &context);
void addInspectCommand(CLI::App &app, CommandContext &context);
void addPluginCommand(CLI::App &app, CommandContext &context);
void addDoctorCommand(CLI::App &app, CommandContext &context);
void addShellCommands(CLI::App &app, CommandContext &context); // completion, man: of the commands of `app`, all others

} // namespace penstock
