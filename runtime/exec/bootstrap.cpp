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

namespace {

template <typename T> void append(std::vector<T> &to, const T *from, std::int64_t count) {
  if (from != nullptr) {
    to.insert(to.end(), from, from + count);
  }
}
template <typename T> const T *orNull(const std::vector<T> &values) { return values.empty() ? nullptr : values.data(); }

} // namespace

void RecordedPredictions::add(const PenstockPredictions &batch, std::size_t classes, const std::vector<std::int64_t> &records) {
  width = batch.width;
  labels = static_cast<std::int64_t>(classes);
  if (batch.offsets != nullptr) {
    offsets.resize(std::max<std::size_t>(offsets.size(), 1));
    const std::int64_t words = offsets.back();
    for (std::int64_t s = 0; s < batch.sequences; ++s) {
      offsets.push_back(words + batch.offsets[s + 1]);
    }
  }
  append(gold, batch.gold, batch.records);
  append(predicted, batch.predicted, batch.records);
  append(scores, batch.scores, batch.records * width);
  append(goldNumbers, batch.gold_numbers, batch.records);
  append(predictedNumbers, batch.predicted_numbers, batch.records);
  append(goldSets, batch.gold_sets, batch.records * labels);
  append(predictedSets, batch.predicted_sets, batch.records * labels);
  places.insert(places.end(), records.begin(), records.end());
}

PenstockPredictions RecordedPredictions::viewOfTags(const std::vector<double> &weights, DrawnRecords &drawn) const {
  drawn.gold.clear();
  drawn.predicted.clear();
  drawn.offsets.assign(1, 0);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::int64_t words = offsets[i + 1] - offsets[i];
    for (double times = weights[static_cast<std::size_t>(places[i])]; times >= 1; --times) {
      append(drawn.gold, gold.data() + offsets[i], words);
      append(drawn.predicted, predicted.data() + offsets[i], words);
      drawn.offsets.push_back(drawn.offsets.back() + words);
    }
  }
  PenstockPredictions made{};
  made.struct_size = sizeof(made);
  made.records = drawn.offsets.back();
  made.gold = drawn.gold.data();
  made.predicted = drawn.predicted.data();
  made.sequences = static_cast<std::int64_t>(drawn.offsets.size()) - 1;
  made.offsets = drawn.offsets.data();
  return made;
}

PenstockPredictions RecordedPredictions::view(const std::vector<double> &weights, DrawnRecords &drawn) const {
  if (!offsets.empty()) {
    return viewOfTags(weights, drawn);
  }
  std::vector<std::int64_t> chosen;
  drawn.weights.clear();
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double weight = weights[static_cast<std::size_t>(places[i])];
    if (weight > 0) {
      chosen.push_back(static_cast<std::int64_t>(i));
      drawn.weights.push_back(weight);
    }
  }
  const auto choose = [&](const auto &from, auto &to, std::int64_t each) {
    to.clear();
    for (const std::int64_t i : chosen) {
      append(to, from.empty() ? nullptr : from.data() + i * each, each);
    }
    return orNull(to);
  };
  PenstockPredictions made{};
  made.struct_size = sizeof(made);
  made.records = static_cast<std::int64_t>(chosen.size());
  made.width = width;
  made.gold = choose(gold, drawn.gold, 1);
  made.predicted = choose(predicted, drawn.predicted, 1);
  made.scores = choose(scores, drawn.scores, width);
  made.gold_numbers = choose(goldNumbers, drawn.goldNumbers, 1);
  made.predicted_numbers = choose(predictedNumbers, drawn.predictedNumbers, 1);
  made.gold_sets = choose(goldSets, drawn.goldSets, labels);
  made.predicted_sets = choose(predictedSets, drawn.predictedSets, labels);
  made.weights = drawn.weights.data();
  return made;
}

Result<std::vector<Interval>> bootstrapIntervals(PluginHost &host, const std::vector<IntervalUse> &uses, const ConfidenceSpec &confidence) {
  std::vector<std::vector<std::vector<double>>> found(uses.size()); // by use, result and sample
  std::vector<double> weights;
  DrawnRecords drawn;
  for (std::size_t u = 0; u < uses.size(); ++u) {
    found[u].resize(uses[u].names.size());
    weights.resize(static_cast<std::size_t>(uses[u].predictions->records()));
  }
  for (std::int64_t sample = 0; sample < confidence.samples; ++sample) {
    if (interrupted()) {
      return Status(ErrorCode::interrupted, "interrupted");
    }
    bootstrapWeights(confidence.seed, static_cast<std::uint64_t>(sample), weights);
    for (std::size_t u = 0; u < uses.size(); ++u) {
      const IntervalUse &use = uses[u];
      PENSTOCK_ASSIGN(const std::unique_ptr<Metric> metric, makeMetric(host, use.plugin, use.parameters, use.classes));
      PENSTOCK_TRY(metric->add(use.predictions->view(weights, drawn)));
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
