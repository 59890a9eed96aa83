// `penstock predict RUN`: answers for raw records, one JSON object, or one row of CSV, a line.
#include "tools/penstock/commands.h"
#include "tools/penstock/named_input.h"
#include "tools/penstock/run_settings.h"

#include "runtime/base/printable.h"
#include "runtime/data/input_format.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/trained_run.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace penstock {
namespace {

constexpr std::int64_t batchRecords = 64; // at most, and as many as there are without waiting

struct PredictOptions {
  std::string run, input = "-", format;
  bool json = false, csv = false, sort = false;
  int threads = -1;
  std::vector<std::string> settings;
};

/// `error`: the errno of the first answer that could not be written, which ends the reading.
Result<RecordInput> openInput(const PredictOptions &options, int &error) {
  RecordInput input;
  input.format = options.format;
  input.sort = options.sort;
  input.path = isStandardInput(options.input) ? "" : options.input;
  const std::string name = input.path.empty() ? "standard input" : "`" + printable(input.path) + "`";
  PENSTOCK_ASSIGN(input.bytes, openNamedInput(input.path, name, error));
  return input;
}

Status predict(const PredictOptions &options, const CommandContext &context) {
  catchInterrupts();
  int error = 0;
  PENSTOCK_ASSIGN(RecordInput input, openInput(options, error));
  PENSTOCK_ASSIGN(const std::unique_ptr<TrainedRun> run, openRun(options.run, options.settings, options.threads, context));
  const auto write = [&](const std::string &line) {
    const bool wrote = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fputc('\n', stdout) != EOF;
    error = wrote ? 0 : errno;
    return wrote;
  };
  const Result<PredictSummary> done =
      run->predict(std::move(input), batchRecords, options.csv ? AnswerFormat::csv : AnswerFormat::json, write);
  flushAnswers(error);
  if (error == EPIPE) {
    return {}; // `| head`: who read has what was wanted
  }
  if (error != 0) {
    return environmentError(std::string("could not write the answers: ") + std::strerror(error));
  }
  PENSTOCK_TRY(done.status());
  if (!done->remark.empty()) {
    std::fprintf(stderr, "penstock: warning: %s\n", done->remark.c_str());
  }
  if (done->failed > 0) {
    const std::string all = std::to_string(done->failed + done->answered);
    return invalidInput(done->failed == 1 ? "1 of " + all + " records has no answer: " + done->firstFailure
                                          : std::to_string(done->failed) + " of " + all +
                                                " records have no answer, and their lines say why; the first: " + done->firstFailure);
  }
  return {};
}

} // namespace

void addPredictCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App *command = app.add_subcommand("predict", "answer raw records with a trained run, as JSON Lines or CSV");
  command->add_option("run", options->run, "folder that `penstock train` wrote")->required()->type_name("RUN");
  command
      ->add_option("--input", options->input,
                   "a file or FIFO with records: .csv, .tsv, .jsonl, .conll, .txt; - is standard input, plain lines")
      ->capture_default_str()
      ->type_name("FILE");
  command
      ->add_option("--format", options->format,
                   "how to read the input, whatever its name: lines, csv, tsv, jsonl, conll, or the name of the run's source")
      ->type_name("FORMAT");
  command->add_flag("--sort", options->sort, "of records of several rows: read all rows first, and sort them by unit");
  CLI::Option *const json = command->add_flag("--json", options->json, "print JSON Lines, which happens without it too");
  command->add_flag("--csv", options->csv, "print CSV with a line of names; a list is a cell of JSON")->excludes(json);
  addRunSettings(*command, options->settings);
  command->add_option("--threads", options->threads, "threads to use, as `target.threads`; 0: one a core")->check(CLI::Range(0, 1024));
  command->callback([options, &context] {
    if (const Status status = predict(*options, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
