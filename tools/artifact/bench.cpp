#include "tools/artifact/bench.h"

#include "runtime/artifact/answer_times.h"
#include "runtime/base/printable.h"
#include "runtime/data/input_format.h"
#include "runtime/exec/interrupt.h"
#include "runtime/kernels/kernel_table.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdarg>
#include <cstdio>

namespace penstock {
namespace {

constexpr std::int64_t mostRecords = 1000000; // of a call

struct Bench {
  std::string input, level;
  int threads = 0;
  std::int64_t rows = 0, memory = 0;
  std::vector<TimedCalls> calls;
};

/// As printf; at most 255 characters. Nothing else in an artifact needs fmt's code for floats.
[[gnu::format(printf, 1, 2)]] std::string formed(const char *form, ...) {
  char text[256];
  std::va_list arguments;
  va_start(arguments, form);
  std::vsnprintf(text, sizeof text, form, arguments);
  va_end(arguments);
  return text;
}

using Long = long long;

std::string json(const Bench &bench) {
  std::string text = formed("{\"level\":\"%s\",\"threads\":%d,\"rows\":%lld,\"memory\":%lld,\"calls\":[", bench.level.c_str(),
                            bench.threads, Long(bench.rows), Long(bench.memory));
  for (const TimedCalls &one : bench.calls) {
    text += text.ends_with('[') ? "" : ",";
    text += formed("{\"batch\":%lld,\"calls\":%lld,\"records\":%lld,\"tokens\":%lld,", Long(one.batch), Long(one.calls), Long(one.records),
                   Long(one.tokens));
    text += formed("\"seconds\":%.9g,\"p50\":%.9g,\"p90\":%.9g,\"p99\":%.9g}", one.seconds, one.p50, one.p90, one.p99);
  }
  return text + "]}\n";
}

std::string table(const Bench &bench, const std::string &who) {
  std::string text = who + ": " + bench.level;
  text +=
      formed(", %d thread%s, %lld row%s of ", bench.threads, bench.threads == 1 ? "" : "s", Long(bench.rows), bench.rows == 1 ? "" : "s");
  text += bench.input;
  text += bench.memory == 0 ? "" : formed(", at most %.1f MB of memory", static_cast<double>(bench.memory) / 1e6);
  text += formed("\n%6s %6s %13s %13s %13s %10s %10s\n", "batch", "calls", "p50", "p90", "p99", "records/s", "tokens/s");
  for (const TimedCalls &one : bench.calls) {
    text += formed("%6lld %6lld %10.4g ms %10.4g ms %10.4g ms %10.0f ", Long(one.batch), Long(one.calls), one.p50 * 1e3, one.p90 * 1e3,
                   one.p99 * 1e3, static_cast<double>(one.records) / one.seconds);
    text += one.tokens == 0 ? "         -\n" : formed("%10.0f\n", static_cast<double>(one.tokens) / one.seconds);
  }
  return text;
}

/// "1,64"
Result<std::vector<std::int64_t>> batchesOf(const std::string &text) {
  std::vector<std::int64_t> batches;
  const char *at = text.data(), *const end = at + text.size();
  for (bool good = true; good;) {
    std::int64_t batch = 0;
    const auto read = std::from_chars(at, end, batch);
    good = read.ec == std::errc() && batch >= 1 && batch <= mostRecords && (read.ptr == end || *read.ptr == ',');
    batches.push_back(batch);
    if (good && read.ptr == end) {
      return batches;
    }
    at = read.ptr + 1;
  }
  return usageError("`--batch` takes numbers from 1 to 1000000 with commas between, not `" + printable(text, 80) + "`");
}

} // namespace

void addBenchOptions(CLI::App &command, BenchOptions &options) {
  command.add_flag("--bench", options.wanted, "print how long answers to the records of the input take, in place of the answers");
  command.add_option("--batch", options.batches, "with --bench: records a call, 1,64 where nothing is said")->type_name("N,N");
}

Status benchAnswers(const Artifact &artifact, Session &session, int threads, const AnswerOptions &options, const BenchOptions &bench,
                    const std::string &who) {
  catchInterrupts();
  PENSTOCK_ASSIGN(const std::vector<std::int64_t> batches, batchesOf(bench.batches.empty() ? "1,64" : bench.batches));
  int error = 0;
  PENSTOCK_ASSIGN(RecordInput input, openInput(options, who, error));
  Bench measured;
  measured.input = shownInput(input.path);
  measured.level = artifact.level();
  measured.threads = threads;
  PENSTOCK_ASSIGN(const std::unique_ptr<const AnswerTimes> times, AnswerTimes::open(artifact.predictor(), session, std::move(input)));
  measured.rows = times->rows();
  for (const std::int64_t batch : batches) {
    PENSTOCK_ASSIGN(const TimedCalls calls, times->measure(batch));
    measured.calls.push_back(calls);
  }
  measured.memory = peakMemory();
  const std::string text = options.json ? json(measured) : table(measured, who);
  std::fwrite(text.data(), 1, text.size(), stdout); // a failure shows at the end of the command
  return {};
}

} // namespace penstock
