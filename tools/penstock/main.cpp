#include "compiler/diagnostics/diagnostic.h"
#include "tools/penstock/commands.h"

#include "runtime/base/printable.h"
#include "runtime/exec/interrupt.h"
#include "runtime/plugin/containment.h"

#include <CLI/CLI.hpp>

#include <poll.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <system_error>
#include <vector>

namespace penstock {

void CommandContext::fail(const Status &status) {
  std::fflush(stdout);
  std::fprintf(stderr, "penstock: %s\n", printableLines(status.message()).c_str());
  exitCode = exitCodeOf(status.code());
}

namespace {

/// What is wrong with the command line, in our words where the library's would mislead.
std::string usageMistake(const CLI::App &app, const CLI::Error &error) {
  std::string text = error.what();
  if (app.get_subcommands().empty() && !app.remaining().empty()) {
    const std::string given = app.remaining().front();
    std::vector<std::string> names;
    for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
      names.push_back(command->get_name());
    }
    const std::string meant = diagnostics::nearest(given, names);
    text = "there is no " + std::string(given.starts_with("-") ? "option" : "command") + " `" + given + "`";
    return meant.empty() ? text : text + "; did you mean `" + meant + "`?";
  }
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

/// Whether what standard output leads to has no reader any more.
bool readerIsGone() {
  pollfd output = {STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

/// Small results leave with the buffer, so a full disk shows here. A closed reader (`| head`) has read what it wanted.
void finishOutput(CommandContext &context, int error) {
  if (std::fflush(stdout) != 0) {
    error = errno;
  }
  if (context.exitCode != exitCodeOf(ErrorCode::environment) && std::ferror(stdout) != 0 && error != EPIPE && !readerIsGone()) {
    context.fail(
        environmentError(std::string("could not write to standard output") + (error == 0 ? "" : std::string(": ") + std::strerror(error))));
  }
}

/// Plugins are contained from the first line of main to its last.
struct Containment {
  Containment() { containPlugins(interrupted); }
  ~Containment() { releasePlugins(); }
  Containment(const Containment &) = delete;
  Containment &operator=(const Containment &) = delete;
};

} // namespace
} // namespace penstock

int main(int argc, char **argv) {
  using namespace penstock;
  std::signal(SIGPIPE, SIG_IGN); // a closed reader (`| head`) is a failed write, not a death
  const Containment contained;
  CLI::App app{"penstock: describe a machine-learning pipeline in a .pipe file; check, train, evaluate and use it"};
  CommandContext context;
  context.version = PENSTOCK_VERSION;
  app.name("penstock");
  app.set_version_flag("--version", "penstock " + context.version);
  app.add_option("--plugins", context.pluginFolders, "folder with more plugins (may be repeated)")->type_name("FOLDER");
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

  app.failure_message([&app](const CLI::App *command, const CLI::Error &error) {
    std::string name = command->get_name();
    while (!command->get_subcommands().empty()) {
      command = command->get_subcommands().front();
      name += " " + command->get_name();
    }
    return "penstock: " + usageMistake(app, error) + "; `" + name + " --help` says what there is\n";
  });

  int outputError = 0;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : exitCodeOf(ErrorCode::usage);
  } catch (const std::bad_alloc &) {
    context.fail(environmentError("there is not enough memory for this"));
  } catch (const std::exception &error) {
    const auto *system = dynamic_cast<const std::system_error *>(&error);
    if (system != nullptr && std::ferror(stdout) != 0) { // fmt throws where a write fails
      outputError = system->code().value();
    } else {
      context.fail(internalError("an unexpected failure; please report it with the file that caused it"));
    }
  }
  finishOutput(context, outputError);
  return context.exitCode;
}
