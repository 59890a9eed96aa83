#include "runtime/artifact/answer_times.h"

#include "runtime/base/clock.h"
#include "runtime/exec/interrupt.h"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace penstock {

namespace {

constexpr double warmSeconds = 0.1, mostSeconds = 2;
constexpr std::size_t warmCalls = 10, fewestCalls = 200, mostCalls = 1000;

/// By the nearest rank: the least that this share does not exceed.
double quantileOf(const std::vector<double> &sorted, std::size_t percent) { return sorted[(sorted.size() * percent + 99) / 100 - 1]; }

/// Answers from rows, call by call.
class Calls {
public:
  Calls(const Predictor &predictor, Session &session, std::shared_ptr<const RowBlock> held)
      : predictor(predictor), session(session), held(std::move(held)), units(predictor.records().program.isSeries()) {}

  /// The next call that has answers, and its seconds.
  Result<const RecordReader::Part *> next(std::int64_t batch, double &seconds) {
    for (;;) {
      if (interrupted()) {
        return Status(ErrorCode::interrupted, "interrupted");
      }
      if (answered == nullptr) {
        PENSTOCK_TRY(begin());
      }
      if (!units) {
        rows->give(batch);
        given += batch;
      }
      const std::int64_t before = monotonicNow();
      PENSTOCK_ASSIGN(const RecordReader::Part *const part, answered->next(batch));
      seconds = static_cast<double>(monotonicNow() - before) * 1e-9;
      if (part != nullptr && !part->records.empty()) {
        any = true;
        return part;
      }
      if (part != nullptr && !part->failures.empty() && failure.empty()) {
        failure = part->failures.front().text;
      }
      if (!any && (part == nullptr || given > static_cast<std::int64_t>(held->rows()))) {
        return invalidInput(failure.empty() ? "none of the records has an answer" : failure);
      }
      if (part == nullptr) {
        answered.reset();
      }
    }
  }

private:
  Status begin() {
    auto source = std::make_unique<HeldRows>(held);
    rows = source.get();
    if (units) { // a name of a unit may not come again
      rows->giveOnce();
    }
    RecordInput input;
    input.path = "the records";
    input.rows = std::move(source);
    PENSTOCK_ASSIGN(answered, AnsweredRecords::open(predictor, session, std::move(input)));
    return {};
  }

  const Predictor &predictor;
  Session &session;
  const std::shared_ptr<const RowBlock> held;
  const bool units;
  HeldRows *rows = nullptr; // owned by `answered`
  std::unique_ptr<AnsweredRecords> answered;
  std::int64_t given = 0;
  bool any = false;
  std::string failure;
};

} // namespace

Result<std::unique_ptr<const AnswerTimes>> AnswerTimes::open(const Predictor &predictor, Session &session, RecordInput input) {
  std::unique_ptr<AnswerTimes> made(new AnswerTimes(predictor, session));
  PENSTOCK_ASSIGN(made->held, holdRows(predictor.records(), predictor.knowing(std::move(input))));
  return std::unique_ptr<const AnswerTimes>(std::move(made));
}

Result<TimedCalls> AnswerTimes::measure(std::int64_t batch) const {
  TimedCalls timed;
  timed.batch = batch;
  Calls calls(predictor, session, held);
  double seconds = 0, warm = 0;
  for (std::size_t i = 0; i < warmCalls || (warm < warmSeconds && i < fewestCalls); ++i) {
    PENSTOCK_TRY(calls.next(batch, seconds).status());
    warm += seconds;
  }
  const auto &inputs = predictor.records().program.inputs;
  const bool hasTexts =
      std::any_of(inputs.begin(), inputs.end(), [](const LinkedInput &input) { return input.kind == InputSpec::Kind::ids; });
  std::vector<double> each;
  while (each.size() < fewestCalls || (each.size() < mostCalls && timed.seconds < mostSeconds)) {
    PENSTOCK_ASSIGN(const RecordReader::Part *const part, calls.next(batch, seconds));
    each.push_back(seconds);
    timed.seconds += seconds;
    timed.records += static_cast<std::int64_t>(part->records.size());
    timed.tokens += hasTexts ? part->batch->tokens : 0;
  }
  std::sort(each.begin(), each.end());
  timed.calls = static_cast<std::int64_t>(each.size());
  timed.p50 = quantileOf(each, 50);
  timed.p90 = quantileOf(each, 90);
  timed.p99 = quantileOf(each, 99);
  return timed;
}

std::int64_t peakMemory() {
  // Not what getrusage says: that of the process which started this one is in it.
  std::FILE *const status = std::fopen("/proc/self/status", "r");
  long long kilobytes = 0;
  char line[256];
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr) {
    if (std::sscanf(line, "VmHWM: %lld kB", &kilobytes) == 1) {
      break;
    }
  }
  if (status != nullptr) {
    std::fclose(status);
  }
  return kilobytes * 1024;
}

} // namespace penstock
