#include "tools/command_line/answer_command.h"

#include "runtime/base/file.h"
#include "runtime/base/printable.h"
#include "runtime/data/input_format.h"
#include "runtime/exec/interrupt.h"
#include "tools/command_line/named_input.h"

#include <CLI/CLI.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace penstock {
namespace {

constexpr std::int64_t batchRecords = 64; // at most, and as many as there are without waiting

/// `error`: the errno of the first answer that could not be written, which ends the reading.
Result<RecordInput> openInput(const AnswerOptions &options, const std::string &who, int &error) {
  RecordInput input;
  input.format = options.format;
  input.sort = options.sort;
  input.path = isStandardInput(options.input) ? "" : options.input;
  const std::string name = input.path.empty() ? "standard input" : "`" + printable(input.path) + "`";
  PENSTOCK_ASSIGN(input.bytes, openNamedInput(input.path, name, who, error));
  return input;
}

/// The form of the answers: what is asked for, else what the output's extension says.
Result<AnswerFormat> formatOf(const AnswerOptions &options) {
  if (options.csv || options.json || options.output.empty()) {
    return options.csv ? AnswerFormat::csv : AnswerFormat::json;
  }
  const std::size_t dot = options.output.rfind('.');
  const std::string extension = dot == std::string::npos ? "" : options.output.substr(dot);
  if (extension == ".csv") {
    return AnswerFormat::csv;
  }
  if (extension == ".jsonl" || extension == ".ndjson" || extension == ".json") {
    return AnswerFormat::json;
  }
  return usageError("`--output` takes a name that ends with .csv or .jsonl, or `--csv` or `--json` says what is written to `" +
                    printable(options.output) + "`");
}

bool isSameFile(const std::string &a, const std::string &b) {
  struct stat one{}, other{};
  return ::stat(a.c_str(), &one) == 0 && ::stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// From now on standard output is the file.
Status openOutput(const AnswerOptions &options) {
  if (options.output.empty()) {
    return {};
  }
  if (!isStandardInput(options.input) && isSameFile(options.input, options.output)) {
    return usageError("`--output` is the input, whose records would be lost: take another name");
  }
  return std::freopen(options.output.c_str(), "w", stdout) == nullptr ? systemError("write", options.output, errno) : Status();
}

} // namespace

Status answerInput(const AnswerOptions &options, const std::string &name, const std::function<Result<AnswerRecords>()> &open) {
  catchInterrupts();
  int error = 0;
  PENSTOCK_ASSIGN(const AnswerFormat format, formatOf(options));
  PENSTOCK_ASSIGN(RecordInput input, openInput(options, name, error));
  PENSTOCK_ASSIGN(const AnswerRecords answer, open());
  PENSTOCK_TRY(openOutput(options));
  const auto write = [&](const std::string &line) {
    const bool wrote = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fputc('\n', stdout) != EOF;
    error = wrote ? 0 : errno;
    return wrote;
  };
  const Result<PredictSummary> done = answer(std::move(input), batchRecords, format, write);
  flushAnswers(error);
  if (error == EPIPE) {
    return {}; // `| head`: who read has what was wanted
  }
  if (error != 0) {
    return environmentError(std::string("could not write the answers: ") + std::strerror(error));
  }
  PENSTOCK_TRY(done.status());
  if (!done->remark.empty()) {
    std::fprintf(stderr, "%s: warning: %s\n", name.c_str(), done->remark.c_str());
  }
  if (done->failed > 0) {
    const std::string all = std::to_string(done->failed + done->answered);
    return invalidInput(done->failed == 1 ? "1 of " + all + " records has no answer: " + done->firstFailure
                                          : std::to_string(done->failed) + " of " + all +
                                                " records have no answer, and their lines say why; the first: " + done->firstFailure);
  }
  return {};
}

void addAnswerOptions(CLI::App &command, AnswerOptions &options) {
  command
      .add_option("--input", options.input,
                  "a file or FIFO with records: .csv, .tsv, .jsonl, .conll, .txt; - is standard input, plain lines")
      ->capture_default_str()
      ->type_name("FILE");
  command
      .add_option("--format", options.format,
                  "how to read the input, whatever its name: lines, csv, tsv, jsonl, conll, or the name of the run's source")
      ->type_name("FORMAT");
  command.add_flag("--sort", options.sort, "of records of several rows: read all rows first, and sort them by unit");
  command.add_option("--output", options.output, "write the answers to this file, in the form that its extension says: .csv or .jsonl")
      ->type_name("FILE");
  CLI::Option *const json = command.add_flag("--json", options.json, "print JSON Lines, which happens without it too");
  command.add_flag("--csv", options.csv, "print CSV with a line of names; a list is a cell of JSON")->excludes(json);
  command.add_option("--threads", options.threads, "threads to use, as `target.threads`; 0: one a core")->check(CLI::Range(0, 1024));
}

} // namespace penstock
