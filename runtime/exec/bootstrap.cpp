#include "runtime/exec/bootstrap.h"

#include "runtime/base/philox.h"
#include "runtime/exec/interrupt.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace penstock {

void bootstrapWeights(std::uint64_t seed, std::uint64_t sample, std::span<double> weights) {
  std::fill(weights.begin(), weights.end(), 0.0);
  const std::uint32_t key[2] = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  std::uint32_t counter[4] = {0, static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(sample >> 32), 0x424f4f54}, words[4];
  for (std::size_t draw = 0; draw < weights.size(); draw += 2) {
    counter[0] = static_cast<std::uint32_t>(draw / 2);
    philox(counter, key, words);
    for (std::size_t i = 0; i < 2 && draw + i < weights.size(); ++i) {
      const std::uint64_t bits = static_cast<std::uint64_t>(words[2 * i + 1]) << 32 | words[2 * i];
      weights[static_cast<std::size_t>(static_cast<unsigned __int128>(bits) * weights.size() >> 64)] += 1;
    }
  }
}

double quantile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

RecordedAnswers::RecordedAnswers(const JudgingSpec &judging)
    : spec(&judging), answers(columnsOf(judging.answers)), features(columnsOf(judging.features)), gold(judging.gold) {}

void RecordedAnswers::add(const JudgedRecords &batch, const std::vector<std::int64_t> &records) {
  for (std::int64_t row = 0; row < batch.records; ++row) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (row < (*batch.answers)[i].rows) { // a field that nobody reads has no values
        answers[i].append(spec->answers[i], (*batch.answers)[i], row);
      }
    }
    for (std::size_t i = 0; batch.features != nullptr && i < features.size(); ++i) {
      features[i].append(spec->features[i], (*batch.features)[i], row);
    }
    gold.append(spec->gold, *batch.gold, row);
  }
  places.insert(places.end(), records.begin(), records.end());
  if (batch.weights != nullptr) {
    counts.insert(counts.end(), batch.weights, batch.weights + batch.records);
  }
}

void RecordedAnswers::append(std::int64_t row, DrawnRecords &to) const {
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (row < answers[i].rows) {
      to.answers[i].append(spec->answers[i], answers[i], row);
    }
  }
  for (std::size_t i = 0; i < features.size(); ++i) {
    to.features[i].append(spec->features[i], features[i], row);
  }
  to.gold.append(spec->gold, gold, row);
}

JudgedRecords RecordedAnswers::view(const std::vector<double> &weights, DrawnRecords &drawn) const {
  drawn = {columnsOf(spec->answers), columnsOf(spec->features), Column(spec->gold), {}};
  const bool repeats = spec->gold.meaning == "tags";
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double weight = weights[static_cast<std::size_t>(places[i])], count = counts.empty() ? 1 : counts[i];
    if (count == 0) {
      continue;
    }
    for (double times = repeats ? weight : std::min(weight, 1.0); times >= 1; --times) {
      append(static_cast<std::int64_t>(i), drawn);
      drawn.weights.push_back(repeats ? count : weight * count);
    }
  }
  return {drawn.gold.rows, &drawn.answers, &drawn.gold, &drawn.features, repeats && counts.empty() ? nullptr : drawn.weights.data()};
}

Result<std::vector<Interval>> bootstrapIntervals(PluginHost &host, const std::vector<IntervalUse> &uses, const ConfidenceSpec &confidence) {
  std::vector<std::vector<std::vector<double>>> found(uses.size()); // by use, result and sample
  std::vector<double> weights;
  DrawnRecords drawn;
  for (std::size_t u = 0; u < uses.size(); ++u) {
    found[u].resize(uses[u].names.size());
    weights.resize(static_cast<std::size_t>(uses[u].answers->records()));
  }
  for (std::int64_t sample = 0; sample < confidence.samples; ++sample) {
    if (interrupted()) {
      return Status(ErrorCode::interrupted, "interrupted");
    }
    bootstrapWeights(confidence.seed, static_cast<std::uint64_t>(sample), weights);
    for (std::size_t u = 0; u < uses.size(); ++u) {
      const IntervalUse &use = uses[u];
      PENSTOCK_ASSIGN(const std::unique_ptr<Metric> metric, makeMetric(host, use.plugin, use.parameters, use.answers->judging()));
      PENSTOCK_TRY(metric->add(use.answers->view(weights, drawn)));
      const Result<Metric::Values> values = metric->result();
      if (!values.ok()) {
        continue; // not defined on these records
      }
      std::map<std::string, double> byName(values->values.begin(), values->values.end());
      for (std::size_t r = 0; r < use.names.size(); ++r) {
        const auto value = byName.find(use.names[r].first);
        if (value != byName.end() && std::isfinite(value->second)) {
          found[u][r].push_back(value->second);
        }
      }
    }
  }
  std::vector<Interval> intervals;
  for (std::size_t u = 0; u < uses.size(); ++u) {
    for (std::size_t r = 0; r < uses[u].names.size(); ++r) {
      std::vector<double> &values = found[u][r];
      if (!values.empty()) {
        std::sort(values.begin(), values.end());
        const double outside = (1 - confidence.level) / 2;
        intervals.push_back({uses[u].names[r].second, quantile(values, outside), quantile(values, 1 - outside)});
      }
    }
  }
  return intervals;
}

} // namespace penstock
