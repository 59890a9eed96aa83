// `penstock predict RUN`: answers for raw records, one JSON object a line.
#include "tools/penstock/commands.h"
#include "tools/penstock/run_settings.h"

#include "runtime/exec/interrupt.h"
#include "runtime/exec/trained_run.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

namespace penstock {
namespace {

struct PredictOptions {
  std::string run, input = "-", format;
  bool json = false;
  int threads = -1;
  std::vector<std::string> settings;
};

std::string formatOf(const PredictOptions &options) {
  if (!options.format.empty()) {
    return options.format;
  }
  const auto ends = [&](std::string_view with) { return options.input.ends_with(with); };
  if (ends(".csv")) {
    return "csv";
  }
  return ends(".jsonl") || ends(".json") ? "jsonl" : "lines";
}

Status predict(const PredictOptions &options, const CommandContext &context) {
  catchInterrupts();
  const bool standardInput = options.input == "-";
  std::ifstream file;
  if (!standardInput) {
    file.open(options.input, std::ios::binary);
    if (!file || file.peek() == std::ifstream::traits_type::eof()) {
      const bool empty = file.is_open() && file.eof() && !file.bad();
      if (!empty) {
        return invalidInput("the input `" + options.input + "` cannot be read: " + std::strerror(errno));
      }
    }
    file.clear();
    file.seekg(0);
  }
  PENSTOCK_ASSIGN(const std::unique_ptr<TrainedRun> run, openRun(options.run, options.settings, options.threads, context));
  // A person who types wants each answer at once.
  const std::int64_t batch = standardInput && ::isatty(STDIN_FILENO) != 0 ? 1 : 64;
  bool wrote = true;
  int error = 0;
  PENSTOCK_TRY(run->predict(standardInput ? std::cin : file, standardInput ? "standard input" : options.input, formatOf(options), batch,
                            [&](const std::string &line) {
                              wrote = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fputc('\n', stdout) != EOF &&
                                      (batch > 1 || std::fflush(stdout) == 0);
                              error = wrote ? 0 : errno;
                              return wrote;
                            }));
  if (wrote && std::fflush(stdout) != 0) {
    wrote = false;
    error = errno;
  }
  if (!wrote && error != EPIPE) {
    return environmentError(std::string("could not write the answers: ") + std::strerror(error));
  }
  return {};
}

} // namespace

void addPredictCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App *command = app.add_subcommand("predict", "answer raw records with a trained run, as JSON Lines");
  command->add_option("run", options->run, "folder that `penstock train` wrote")->required()->type_name("RUN");
  command->add_option("--input", options->input, "a .csv, .jsonl or text file; - reads plain lines from standard input")
      ->capture_default_str()
      ->type_name("FILE");
  command->add_option("--format", options->format, "how to read the input, whatever its name")
      ->check(CLI::IsMember({"lines", "csv", "jsonl"}))
      ->type_name("FORMAT");
  command->add_flag("--json", options->json, "print JSON Lines, which happens without it too");
  addRunSettings(*command, options->settings);
  command->add_option("--threads", options->threads, "threads to use, as `target.threads`; 0: one a core")->check(CLI::Range(0, 1024));
  command->callback([options, &context] {
    if (const Status status = predict(*options, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
