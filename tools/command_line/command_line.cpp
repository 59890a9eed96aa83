#include "tools/command_line/command_line.h"

#include "runtime/base/nearest.h"
#include "runtime/base/printable.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>
#include <system_error>
#include <vector>

namespace penstock {

void CommandEnd::fail(const Status &status) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s: %s\n", name.c_str(), printableLines(status.message()).c_str());
  exitCode = exitCodeOf(status.code());
}

namespace {

/// `--split`, `FILE`
std::string quoted(const CLI::Option &option) { return "`" + option.get_name() + "`"; }

/// What is wrong with what was given to an option; "" where nothing is.
std::string valueMistake(CLI::Option &option) {
  for (const std::string &given : option.results()) {
    for (int i = 0;; ++i) {
      const CLI::Validator *validator = nullptr;
      try {
        validator = option.get_validator(i);
      } catch (const CLI::Error &) {
        break; // there are no more
      }
      std::string copy = given;
      if (!(*validator)(copy).empty()) {
        return quoted(option) + " takes " + validator->get_description() + ", not `" + printable(given, 80) + "`";
      }
    }
  }
  return "";
}

/// What is wrong with the command line, in our words: the library's name its own parts.
std::string usageMistake(CLI::App &app, const CLI::Error &error) {
  if (app.get_subcommands().empty() && !app.remaining().empty()) {
    const std::string given = app.remaining().front();
    std::vector<std::string> names;
    for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
      names.push_back(command->get_name());
    }
    const std::vector<std::string> meant = nearest(given, names);
    const std::string text =
        "there is no " + std::string(given.starts_with("-") ? "option" : "command") + " `" + printable(given, 80) + "`";
    return meant.empty() ? text : text + "; did you mean `" + meant.front() + "`?";
  }
  CLI::App *command = &app;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
  }
  if (const std::vector<std::string> rest = app.remaining(true); !rest.empty()) {
    return rest.front().starts_with("-") ? "there is no option `" + printable(rest.front(), 80) + "`"
                                         : "`" + printable(rest.front(), 80) + "` is more than the command takes";
  }
  for (CLI::Option *option : command->get_options()) {
    if (option->count() == 0) {
      continue;
    }
    for (const CLI::Option *other : option->get_excludes()) {
      if (other->count() > 0) {
        return quoted(*option) + " and " + quoted(*other) + " exclude each other";
      }
    }
    if (std::string wrong = valueMistake(*option); !wrong.empty()) {
      return wrong;
    }
    if (dynamic_cast<const CLI::ConversionError *>(&error) != nullptr && !option->results().empty() &&
        std::string_view(error.what()).find(option->get_name()) != std::string_view::npos) {
      return quoted(*option) + " takes no value such as `" + printable(option->results().front(), 80) + "`";
    }
  }
  for (const CLI::Option *option : command->get_options()) {
    if (option->get_required() && option->count() == 0) {
      return quoted(*option) + " is missing";
    }
  }
  if (!command->get_subcommands([](const CLI::App *) { return true; }).empty()) {
    return "a command is missing";
  }
  for (const CLI::Option *option : command->get_options()) {
    if (std::string_view(error.what()).starts_with(option->get_name())) {
      return quoted(*option) + " wants " + (option->get_items_expected_max() == 0 ? "no value" : "one value");
    }
  }
  return "the command line cannot be understood";
}

/// Descriptors 0 to 2 that nobody opened would go to the first files that are opened, and what is said would be written into them. They
/// get one of the other direction, so that reading and writing fail as if they were closed.
void holdStandardDescriptors() {
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) < 0 && errno == EBADF) {
      (void)::open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY);
    }
  }
}

/// Whether what standard output leads to has no reader any more.
bool readerIsGone() {
  pollfd output = {STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

/// Small results leave with the buffer, so a full disk shows here. A closed reader (`| head`) has read what it wanted.
void finishOutput(CommandEnd &end, int error) {
  if (std::fflush(stdout) != 0) {
    error = errno;
  }
  const bool lost = std::ferror(stdout) != 0 && error != EPIPE && !readerIsGone() && !end.outputInforms;
  if (end.exitCode != exitCodeOf(ErrorCode::environment) && lost) {
    end.fail(
        environmentError(std::string("could not write to standard output") + (error == 0 ? "" : std::string(": ") + std::strerror(error))));
  }
}

} // namespace

int runCommandLine(CLI::App &app, int argc, char **argv, CommandEnd &end) {
  holdStandardDescriptors();
  std::signal(SIGPIPE, SIG_IGN); // a closed reader (`| head`) is a failed write, not a death
  app.failure_message([&](const CLI::App *command, const CLI::Error &error) {
    std::string name = command->get_name();
    while (!command->get_subcommands().empty()) {
      command = command->get_subcommands().front();
      name += " " + command->get_name();
    }
    return end.name + ": " + usageMistake(app, error) + "; `" + name + " --help` says what there is\n";
  });
  int outputError = 0;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : exitCodeOf(ErrorCode::usage);
  } catch (const std::bad_alloc &) {
    end.fail(environmentError("there is not enough memory for this"));
  } catch (const std::exception &error) {
    const auto *system = dynamic_cast<const std::system_error *>(&error);
    if (system != nullptr && std::ferror(stdout) != 0) { // fmt throws where a write fails
      outputError = system->code().value();
    } else {
      end.fail(internalError("an unexpected failure; please report it with the file that caused it"));
    }
  }
  finishOutput(end, outputError);
  return end.exitCode;
}

} // namespace penstock
