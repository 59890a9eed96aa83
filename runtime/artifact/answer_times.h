// How long answers take: what `--bench` of an artifact prints, and `expect p99(batch: 1) <= 20 ms` is held to.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/held_rows.h"
#include "runtime/exec/predictor.h"

#include <cstdint>
#include <memory>

namespace penstock {

/// Calls of at most `batch` records each. Times are in seconds of the wall.
struct TimedCalls {
  std::int64_t batch = 0, calls = 0;
  std::int64_t records = 0, tokens = 0; // that were answered; ids of all texts
  double seconds = 0;                   // of all calls
  double p50 = 0, p90 = 0, p99 = 0;     // what that share of the calls does not exceed
};

/// The first records of an input, which a predictor answers again and again.
class AnswerTimes {
public:
  /// The predictor and the session outlive it. An input that has no records is an error (invalidInput).
  static Result<std::unique_ptr<const AnswerTimes>> open(const Predictor &predictor, Session &session, RecordInput input);

  std::int64_t rows() const { return static_cast<std::int64_t>(held->rows()); }
  /// Times what a caller waits for: from rows in memory to decoded answers, tokenizers included. After a warm-up there are 200 calls or
  /// more, up to 1000 while they take less than two seconds in all. A call ends with its unit where records are of several rows. Records
  /// that no answer can be given to are an error where there are no others. Stops with `interrupted` on Ctrl-C.
  Result<TimedCalls> measure(std::int64_t batch) const;

private:
  AnswerTimes(const Predictor &predictor, Session &session) : predictor(predictor), session(session) {}

  const Predictor &predictor;
  Session &session;
  std::shared_ptr<const RowBlock> held;
};

/// The most memory that this process held so far, in bytes: pages of mapped files among it. 0 where the system does not tell.
std::int64_t peakMemory();

} // namespace penstock
