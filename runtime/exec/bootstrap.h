// Confidence intervals by the bootstrap (Efron 1979): a sample draws as many records as there are, with repetition; how often a record
// was drawn is its weight, so metrics need nothing but to honour weights; a record of tags, which is many words, is repeated
// instead. The interval is that of percentiles.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/metrics_log.h"
#include "runtime/exec/run_config.h"
#include "runtime/plugin/plugin_host.h"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace penstock {

/// How often each record is drawn in sample `sample`: as many draws as records, each uniform (a multinomial). Draw j is the upper
/// 64 bits of records * u, where u is the two words 2 (j % 2) and 2 (j % 2) + 1 (the first one the lower) of Philox4x32-10 with
/// counter (j / 2, sample, sample >> 32, "BOOT" = 0x424f4f54) and the seed as its key. A function of its arguments alone.
void bootstrapWeights(std::uint64_t seed, std::uint64_t sample, std::span<double> weights);

/// The `share` of sorted numbers, between neighbours in a straight line, as NumPy's `quantile`. There is at least one number.
double quantile(std::span<const double> sorted, double share);

/// The records that a sample drew: each once with its weight, or, of tags, as often as they were drawn, each time with what it counts.
struct DrawnRecords {
  std::vector<Column> answers, features;
  Column gold;
  std::vector<double> weights;
};

/// Judged records of many batches, kept.
class RecordedAnswers {
public:
  /// `judging` lives as long as this.
  explicit RecordedAnswers(const JudgingSpec &judging);
  /// `records`: the place of each record of the batch in the data; all together they are 0 to n - 1. Where the batch has weights they say
  /// what each record counts.
  void add(const JudgedRecords &batch, const std::vector<std::int64_t> &records);
  std::int64_t records() const { return static_cast<std::int64_t>(places.size()); }
  /// Those that were drawn and count something; `weights` are whole numbers, by place in the data. Metrics do not see the others, as if
  /// they were not there. Valid as long as `drawn`.
  JudgedRecords view(const std::vector<double> &weights, DrawnRecords &drawn) const;
  const JudgingSpec &judging() const { return *spec; }

private:
  void append(std::int64_t row, DrawnRecords &to) const;

  const JudgingSpec *spec;
  std::vector<std::int64_t> places;
  std::vector<double> counts; // what each record counts; empty: 1
  std::vector<Column> answers, features;
  Column gold;
};

/// A metric whose results get intervals.
struct IntervalUse {
  std::string plugin, parameters;
  const RecordedAnswers *answers = nullptr;
  std::vector<std::pair<std::string, std::string>> names; // of a result, and what it is called in the interval's list
};

/// The intervals of all results, in the order of the uses. A sample in which a result is not defined does not count for it; one
/// that no sample defines has no interval. The uses have equally many records, at least one. Stops with `interrupted` on Ctrl-C.
Result<std::vector<Interval>> bootstrapIntervals(PluginHost &host, const std::vector<IntervalUse> &uses, const ConfidenceSpec &confidence);

} // namespace penstock
