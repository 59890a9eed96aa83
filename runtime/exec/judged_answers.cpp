#include "runtime/exec/judged_answers.h"

#include "runtime/base/printable.h"
#include "runtime/exec/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock {

/// One answer on its way to the metrics that judge it.
struct JudgedAnswer {
  const AnswerSpec *answer = nullptr;
  int output = -1;
  std::int64_t width = 0;
  float threshold = 0.5f; // of sets: the least probability of a label that is predicted
  const std::vector<std::int32_t> *classes = nullptr;
  const std::vector<double> *numbers = nullptr;
  Dataset::Tags tags;
  int axis = -1;                                   // of tags
  const std::vector<std::uint8_t> *sets = nullptr; // records x width
  Dataset::OtherLabels otherLabels;                // of sets
  JudgedClasses names;
  std::vector<MetricSpec> uses;
  std::vector<std::unique_ptr<Metric>> metrics; // one a use
  bool record = false;                          // keep what is judged, for intervals
  RecordedPredictions recorded;
  std::vector<std::int32_t> gold, predicted;
  std::vector<std::int64_t> offsets; // of tags: the words of each record
  std::vector<double> goldNumbers, predictedNumbers;
  std::vector<std::uint8_t> goldSets, predictedSets;

  bool isOfTrain(std::int32_t index) const { return index >= 0 && static_cast<std::size_t>(index) < names.names.size(); }
};

namespace {

// The head's own parameter; 0.5 for heads that have none.
float thresholdOf(const AnswerSpec &answer) {
  const auto found = answer.parameters.find("threshold");
  const auto *const threshold = found == answer.parameters.end() ? nullptr : std::get_if<double>(&found->second);
  return threshold != nullptr ? static_cast<float>(*threshold) : 0.5f;
}

std::int32_t chosenClass(const float *scores, std::int64_t width) {
  if (width == 1) { // one probability: of the second of two classes
    return scores[0] >= 0.5f ? 1 : 0;
  }
  return static_cast<std::int32_t>(std::max_element(scores, scores + width) - scores);
}

Status give(JudgedAnswer &judged, const PenstockPredictions &predictions, const std::vector<std::int64_t> &records) {
  for (const std::unique_ptr<Metric> &metric : judged.metrics) {
    PENSTOCK_TRY(metric->add(predictions));
  }
  if (judged.record) {
    judged.recorded.add(predictions, judged.names.count(), records);
  }
  return {};
}

/// Every word counts: one without a row, because it was cut off or gave no sub-word, has no tag (-1).
Status judgeTags(JudgedAnswer &judged, const Batch &batch, const float *scores) {
  const PenstockAxisBatch &axis = batch.view.axes[judged.axis];
  judged.gold.clear();
  judged.predicted.clear();
  judged.offsets.assign(1, 0);
  for (std::size_t r = 0; r < batch.records.size(); ++r) {
    const std::int64_t record = batch.records[r];
    const std::int64_t begin = judged.tags.offsets[record], end = judged.tags.offsets[record + 1];
    judged.gold.insert(judged.gold.end(), judged.tags.tags + begin, judged.tags.tags + end);
    judged.predicted.resize(judged.gold.size(), -1);
    for (std::int64_t row = axis.offsets[r]; row < axis.offsets[r + 1]; ++row) {
      if (axis.row_word[row] >= 0) {
        judged.predicted[static_cast<std::size_t>(judged.offsets.back() + axis.row_word[row])] = static_cast<std::int32_t>(
            std::max_element(scores + row * judged.width, scores + (row + 1) * judged.width) - (scores + row * judged.width));
      }
    }
    judged.offsets.push_back(static_cast<std::int64_t>(judged.gold.size()));
  }
  PenstockPredictions predictions{};
  predictions.struct_size = sizeof(predictions);
  predictions.records = judged.offsets.back();
  predictions.gold = judged.gold.data();
  predictions.predicted = judged.predicted.data();
  predictions.sequences = static_cast<std::int64_t>(batch.records.size());
  predictions.offsets = judged.offsets.data();
  return give(judged, predictions, batch.records);
}

/// Labels that train lacks have columns behind the others, and no score.
void judgeSets(JudgedAnswer &judged, const Batch &batch, const float *scores) {
  const auto labels = static_cast<std::size_t>(judged.width), all = judged.names.count();
  judged.goldSets.assign(batch.records.size() * all, 0);
  judged.predictedSets.assign(batch.records.size() * all, 0);
  const Dataset::OtherLabels &others = judged.otherLabels;
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    const std::int64_t record = batch.records[i];
    const auto gold = judged.goldSets.begin() + static_cast<std::ptrdiff_t>(i * all);
    std::copy_n(judged.sets->begin() + record * judged.width, labels, gold);
    for (std::size_t c = 0; c < labels; ++c) {
      judged.predictedSets[i * all + c] = scores[i * labels + c] >= judged.threshold ? 1 : 0;
    }
    const auto found = std::equal_range(others.records, others.records + others.count, record);
    for (const std::int64_t *at = found.first; at != found.second; ++at) {
      gold[static_cast<std::ptrdiff_t>(labels) + others.labels[at - others.records]] = 1;
    }
  }
}

Status judge(JudgedAnswer &judged, const Batch &batch, const float *scores) {
  if (judged.answer->targetType == "tags") {
    return judgeTags(judged, batch, scores);
  }
  const std::int64_t records = batch.view.records;
  PenstockPredictions predictions{};
  predictions.struct_size = sizeof(predictions);
  predictions.records = records;
  predictions.scores = scores;
  predictions.width = judged.width;
  const std::size_t count = static_cast<std::size_t>(records);
  if (judged.classes != nullptr) {
    judged.gold.resize(count);
    judged.predicted.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      judged.gold[i] = (*judged.classes)[static_cast<std::size_t>(batch.records[i])];
      judged.predicted[i] = chosenClass(scores + static_cast<std::int64_t>(i) * judged.width, judged.width);
    }
    predictions.gold = judged.gold.data();
    predictions.predicted = judged.predicted.data();
  } else if (judged.sets != nullptr) {
    judgeSets(judged, batch, scores);
    predictions.gold_sets = judged.goldSets.data();
    predictions.predicted_sets = judged.predictedSets.data();
  } else {
    judged.goldNumbers.resize(count);
    judged.predictedNumbers.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      judged.goldNumbers[i] = (*judged.numbers)[static_cast<std::size_t>(batch.records[i])];
      judged.predictedNumbers[i] = static_cast<double>(scores[static_cast<std::int64_t>(i) * judged.width]);
    }
    predictions.gold_numbers = judged.goldNumbers.data();
    predictions.predicted_numbers = judged.predictedNumbers.data();
  }
  return give(judged, predictions, batch.records);
}

Status openTarget(JudgedAnswer &judged, const PenstockEntry &entry, const Dataset *dataset) {
  const AnswerSpec &answer = *judged.answer;
  if (answer.targetType == "number") {
    judged.numbers = &dataset->numbersOf(answer.target);
    return {};
  }
  judged.names = {dataset->classNames(answer.target), dataset->otherClasses(answer.target), answer.targetType == "tags"};
  if (answer.targetType == "set") {
    judged.sets = &dataset->setsOf(answer.target);
    judged.otherLabels = dataset->otherLabelsOf(answer.target);
    if (judged.names.names.size() != static_cast<std::size_t>(judged.width)) {
      return internalError("the answer `" + answer.name + "` has another width than its labels; please report this");
    }
    judged.threshold = thresholdOf(answer);
  } else if (answer.targetType == "tags") {
    judged.tags = dataset->tagsOf(answer.target);
    judged.axis = entry.outputs[judged.output].type->axis;
    if (judged.tags.offsets == nullptr || judged.axis < 0) {
      return internalError("the answer `" + answer.name + "` does not lie on an axis with tags; please report this");
    }
  } else {
    judged.classes = &dataset->classesOf(answer.target);
  }
  return {};
}

Status openAnswer(const AnswerSpec &answer, const PenstockEntry &entry, const Dataset *dataset, const RunConfig &config, PluginHost &host,
                  const std::vector<MetricSpec> &uses, bool record, std::vector<JudgedAnswer> &answers) {
  JudgedAnswer judged;
  judged.answer = &answer;
  judged.output = answerOutput(entry, answer.name);
  if (judged.output < 0) {
    return internalError("the compiled program has no output for the answer `" + answer.name + "`; please report this");
  }
  judged.width = entry.outputs[judged.output].type->width;
  judged.record = record;
  PENSTOCK_TRY(openTarget(judged, entry, dataset));
  for (const MetricSpec &use : uses) {
    if (use.answer == answer.name || (use.answer.empty() && config.answers.size() == 1)) {
      PENSTOCK_ASSIGN(std::unique_ptr<Metric> metric, makeMetric(host, use.plugin, jsonText(use.parameters), judged.names));
      judged.metrics.push_back(std::move(metric));
      judged.uses.push_back(use);
    }
  }
  answers.push_back(std::move(judged));
  return {};
}

} // namespace

JudgedAnswers::JudgedAnswers(std::shared_ptr<const Dataset> dataset, PluginHost &host) : dataset(std::move(dataset)), host(&host) {}
JudgedAnswers::JudgedAnswers(JudgedAnswers &&) noexcept = default;
JudgedAnswers::~JudgedAnswers() = default;

Result<JudgedAnswers> JudgedAnswers::open(const PenstockEntry &entry, std::shared_ptr<const Dataset> dataset, const RunConfig &config,
                                          PluginHost &host, const std::vector<MetricSpec> &uses, bool intervals) {
  JudgedAnswers made(std::move(dataset), host);
  for (const AnswerSpec &answer : config.answers) {
    if (!answer.target.empty()) {
      PENSTOCK_TRY(openAnswer(answer, entry, made.dataset.get(), config, host, uses, intervals, made.answers));
    }
  }
  return made;
}

std::vector<std::string> JudgedAnswers::warnings(const std::string &split) const {
  std::vector<std::string> said;
  constexpr std::size_t most = 10;
  for (const JudgedAnswer &judged : answers) {
    const auto trained = static_cast<std::int32_t>(judged.names.names.size());
    std::vector<std::int64_t> counts(judged.names.others.size());
    const auto count = [&](const std::int32_t *indices, std::int64_t size, std::int32_t first) {
      for (std::int64_t i = 0; i < size; ++i) {
        if (indices[i] >= first) {
          ++counts[static_cast<std::size_t>(indices[i] - first)];
        }
      }
    };
    if (counts.empty()) {
      continue;
    }
    std::string kind = "the class", one = "a class", unit = "record";
    if (judged.classes != nullptr) {
      count(judged.classes->data(), static_cast<std::int64_t>(judged.classes->size()), trained);
    } else if (judged.sets != nullptr) {
      count(judged.otherLabels.labels, judged.otherLabels.count, 0);
      kind = "the label", one = "a label";
    } else {
      count(judged.tags.tags, judged.tags.offsets[dataset->records()], trained);
      kind = "the tag", one = "a tag", unit = "word";
    }
    for (std::size_t i = 0; i < std::min(most, counts.size()); ++i) {
      said.push_back(
          fmt::format("{0} `{1}` of `{2}` is not in train, and {3} {4} of `{5}` {6} it; a model cannot learn {7} without an example", kind,
                      printable(judged.names.others[i], 80), judged.answer->target, counts[i], unit + (counts[i] == 1 ? "" : "s"), split,
                      counts[i] == 1 ? "has" : "have", one));
    }
    if (counts.size() > most) {
      said.push_back(fmt::format("{} more values of `{}` in `{}` are not in train", counts.size() - most, judged.answer->target, split));
    }
  }
  return said;
}

Status JudgedAnswers::add(const Batch &batch, const OutputBuffers &outputs) {
  for (JudgedAnswer &judged : answers) {
    PENSTOCK_TRY(judge(judged, batch, outputs.values(judged.output)));
  }
  return {};
}

Status JudgedAnswers::collect(const ConfidenceSpec &confidence, SplitResult &result) const {
  std::vector<IntervalUse> intervals;
  for (const JudgedAnswer &judged : answers) {
    for (std::size_t i = 0; i < judged.metrics.size(); ++i) {
      PENSTOCK_ASSIGN(Metric::Values values, judged.metrics[i]->result());
      IntervalUse use = {judged.uses[i].plugin, jsonText(judged.uses[i].parameters), judged.names, &judged.recorded, {}};
      for (auto &[name, value] : values.values) {
        const bool taken = result.find(name) != nullptr;
        if (taken && answers.size() == 1) {
          continue; // two metrics that give the same number, such as accuracy
        }
        result.values.emplace_back(taken ? judged.answer->name + "." + name : name, value);
        use.names.emplace_back(name, result.values.back().first);
      }
      intervals.push_back(std::move(use));
      if (!values.text.empty()) {
        result.texts.push_back(std::move(values.text));
      }
    }
  }
  if (confidence.samples > 0 && result.records > 0) {
    PENSTOCK_ASSIGN(result.intervals, bootstrapIntervals(*host, intervals, confidence));
  }
  return {};
}

} // namespace penstock
