#include "tools/command_line/answer_command.h"

#include "runtime/base/file.h"
#include "runtime/base/printable.h"
#include "runtime/data/input_format.h"
#include "runtime/exec/interrupt.h"
#include "tools/command_line/named_input.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

namespace penstock {
namespace {

constexpr std::int64_t batchRecords = 64; // at most, and as many as there are without waiting

/// The form of the answers: what is asked for, else what the output's extension says, else the pipeline.
Result<AnswerFormat> formatOf(const AnswerOptions &options) {
  if (options.csv || options.json || options.conll || options.output.empty()) {
    return options.csv     ? AnswerFormat::csv
           : options.json  ? AnswerFormat::json
           : options.conll ? AnswerFormat::conll
                           : AnswerFormat::standing;
  }
  const std::size_t dot = options.output.rfind('.');
  const std::string extension = dot == std::string::npos ? "" : options.output.substr(dot);
  if (extension == ".csv") {
    return AnswerFormat::csv;
  }
  if (extension == ".jsonl" || extension == ".ndjson" || extension == ".json") {
    return AnswerFormat::json;
  }
  if (extension == ".conll") {
    return AnswerFormat::conll;
  }
  return usageError(
      "`--output` takes a name that ends with .csv, .jsonl or .conll, or `--csv`, `--json` or `--conll` says what is written to `" +
      printable(options.output) + "`");
}

bool isSameFile(const std::string &a, const std::string &b) {
  struct stat one{}, other{};
  return ::stat(a.c_str(), &one) == 0 && ::stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// What is written replaces neither the records nor one another.
Status checkOutputs(const AnswerOptions &options) {
  for (const auto &[option, path] : {std::pair{"--output", options.output}, std::pair{"--stats", options.stats}}) {
    if (!isStandardInput(options.input) && isSameFile(options.input, path)) {
      return usageError("`" + std::string(option) + "` is the input, whose records would be lost: take another name");
    }
  }
  return !options.stats.empty() && (options.stats == options.output || isSameFile(options.stats, options.output))
             ? usageError("`--stats` is the file of `--output`: take another name")
             : Status();
}

/// Opened before anything is answered, so that a mistake shows then; a file of that name stays as it is until there is another.
Result<Descriptor> openStatistics(const std::string &path) {
  Descriptor file;
  if (!path.empty()) {
    file = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!file.ok()) {
      return systemError("write", path, errno);
    }
  }
  return file;
}

Status writeStatistics(const Descriptor &file, const std::string &path, const std::string &text) {
  if (text.empty()) {
    return {};
  }
  (void)::ftruncate(file.get(), 0); // which only files know
  return writeAll(file.get(), text.data(), text.size()) ? Status() : systemError("write", path, errno);
}

/// How many records are answered, on a terminal, as long as it takes its time.
class Answered {
public:
  /// `answersShow`: answers go to standard output, where they show themselves if it is a terminal.
  explicit Answered(bool answersShow) : wanted(::isatty(STDERR_FILENO) != 0 && !(answersShow && ::isatty(STDOUT_FILENO) != 0)) {}
  void count() {
    ++records;
    if (!wanted || records % 64 != 0) {
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - last < std::chrono::milliseconds(500)) {
      return;
    }
    last = now;
    const auto seconds = std::chrono::duration<double>(now - began).count();
    std::fprintf(stderr, "\r%lld records, %.0f a second\x1b[K", static_cast<long long>(records), static_cast<double>(records) / seconds);
    std::fflush(stderr);
    shown = true;
  }
  void end() {
    if (std::exchange(shown, false)) {
      std::fputs("\r\x1b[K", stderr);
      std::fflush(stderr);
    }
  }

private:
  const bool wanted;
  const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last = began + std::chrono::seconds(1); // what is done in no time shows nothing
  std::int64_t records = 0;
  bool shown = false;
};

/// From now on standard output is the file.
Status openOutput(const std::string &path) {
  return !path.empty() && std::freopen(path.c_str(), "w", stdout) == nullptr ? systemError("write", path, errno) : Status();
}

} // namespace

Result<RecordInput> openInput(const AnswerOptions &options, const std::string &who, int &error) {
  RecordInput input;
  input.format = options.format;
  input.encoding = options.encoding;
  input.sort = options.sort;
  input.with = options.with;
  input.counts = !options.stats.empty();
  input.path = isStandardInput(options.input) ? "" : options.input;
  PENSTOCK_ASSIGN(input.bytes, openNamedInput(input.path, shownInput(input.path), who, error));
  return input;
}

Status answerInput(const AnswerOptions &options, const std::string &name, const std::function<Result<AnswerRecords>()> &open) {
  catchInterrupts();
  int error = 0;
  PENSTOCK_ASSIGN(const AnswerFormat format, formatOf(options));
  PENSTOCK_ASSIGN(RecordInput input, openInput(options, name, error));
  PENSTOCK_TRY(checkOutputs(options));
  PENSTOCK_ASSIGN(const AnswerRecords answer, open());
  PENSTOCK_ASSIGN(const Descriptor statistics, openStatistics(options.stats));
  std::optional<Status> opened; // where nothing can be answered the file stays as it was
  const auto openOnce = [&] {
    opened = opened ? *opened : openOutput(options.output);
    return opened->ok();
  };
  PredictRequest request{std::move(input), batchRecords, format, options.strict, {}};
  Answered shown(options.output.empty());
  request.line = [&](const std::string &line) {
    if (!openOnce()) {
      return false;
    }
    const bool wrote = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fputc('\n', stdout) != EOF;
    error = wrote ? 0 : errno;
    shown.count();
    return wrote;
  };
  PredictSummary summary;
  const Status done = answer(std::move(request), summary);
  shown.end();
  if ((done.ok() || opened) && !openOnce()) {
    return *opened;
  }
  flushAnswers(error);
  PENSTOCK_TRY(writeStatistics(statistics, options.stats, summary.statistics));
  if (error == EPIPE) {
    return {}; // `| head`: who read has what was wanted
  }
  if (error != 0) {
    return environmentError(std::string("could not write the answers: ") + std::strerror(error));
  }
  PENSTOCK_TRY(done);
  if (!summary.remark.empty()) {
    std::fprintf(stderr, "%s: warning: %s\n", name.c_str(), summary.remark.c_str());
  }
  if (summary.failed > 0 && options.strict) {
    return invalidInput("ended at the first record that has no answer, as `--strict` asks, behind " + std::to_string(summary.answered) +
                        " answers: " + summary.firstFailure);
  }
  if (summary.failed > 0) {
    const std::string all = std::to_string(summary.failed + summary.answered);
    return invalidInput(summary.failed == 1 ? "1 of " + all + " records has no answer: " + summary.firstFailure
                                            : std::to_string(summary.failed) + " of " + all +
                                                  " records have no answer, and their lines say why; the first: " + summary.firstFailure);
  }
  return {};
}

void addAnswerOptions(CLI::App &command, AnswerOptions &options) {
  command
      .add_option(
          "--input", options.input,
          "a file or FIFO with records: .csv, .tsv, .jsonl, .conll, .txt, packed by gzip or zstd too; - is standard input, plain lines")
      ->capture_default_str()
      ->type_name("FILE");
  command
      .add_option("--format", options.format,
                  "how to read the input, whatever its name: lines, csv, tsv, jsonl, conll, or the name of the run's source")
      ->type_name("FORMAT");
  command
      .add_option("--encoding", options.encoding,
                  "how the input is written: utf8, utf16, latin1, cp1252; by default as the run's own data where it is "
                  "of their form, else utf8")
      ->type_name("ENCODING");
  command.add_flag("--strict", options.strict, "end at the first record that has no answer, with exit code 1");
  command.add_flag("--sort", options.sort, "of records of several rows: read all rows first, and sort them by unit");
  command.add_option("--with", options.with, "columns of the input to copy into each line of answers, with commas between their names")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("COLUMNS");
  command
      .add_option(
          "--stats", options.stats,
          "write to this file, as JSON, how the input differs from train: unknown words and classes, missing cells, numbers out of range")
      ->type_name("FILE");
  command
      .add_option("--output", options.output, "write the answers to this file, in the form that its extension says: .csv, .jsonl or .conll")
      ->type_name("FILE");
  CLI::Option *const json = command.add_flag("--json", options.json,
                                             "print JSON Lines, which happens without it too where `deploy { output }` says nothing else");
  CLI::Option *const csv =
      command.add_flag("--csv", options.csv, "print CSV with a line of names; a list is a cell of JSON")->excludes(json);
  command.add_flag("--conll", options.conll, "print words and their tags, a word a line")->excludes(json)->excludes(csv);
  command.add_option("--threads", options.threads, "threads to use, as `target.threads`; 0: one a core")->check(CLI::Range(0, 1024));
}

} // namespace penstock
