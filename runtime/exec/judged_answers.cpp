#include "runtime/exec/judged_answers.h"

#include "runtime/base/printable.h"
#include "runtime/exec/answers.h"
#include "runtime/exec/bootstrap.h"
#include "runtime/exec/target_columns.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock {

/// One answer on its way to the metrics that judge it.
struct JudgedAnswer {
  JudgedAnswer(Answer bound, const Dataset &dataset)
      : answer(std::move(bound)), target(answer.spec(), dataset),
        judging{answer.schema(), target.field(), answer.features(), "the answer of " + answer.plugin()}, recorded(judging),
        columns(columnsOf(judging.answers)), features(columnsOf(judging.features)), gold(judging.gold) {}
  JudgedAnswer(const JudgedAnswer &) = delete;
  JudgedAnswer &operator=(const JudgedAnswer &) = delete;

  /// `weights`: what each record of the data counts; empty: 1.
  Status judge(const Batch &batch, const OutputBuffers &outputs, const std::vector<double> &weights);
  /// Those of a batch that count something.
  JudgedRecords counted(const JudgedRecords &all);
  /// Metrics walk over tags by the words of the gold ones.
  Status checkTags() const;

  Answer answer;
  TargetColumn target;
  JudgingSpec judging;
  RecordedAnswers recorded; // for intervals, where `record`
  bool record = false;
  std::vector<MetricSpec> uses;
  std::vector<std::unique_ptr<Metric>> metrics; // one a use
  std::vector<std::uint8_t> wanted;             // fields of the answer
  // Of the batch.
  std::vector<Column> columns, features;
  Column gold;
  AnswerWords words;
  std::vector<double> weights;
  DrawnRecords some; // that count something, where not all do
};

Status JudgedAnswer::checkTags() const {
  for (std::size_t i = 0; i < columns.size() && judging.gold.meaning == "tags"; ++i) {
    const ColumnField &field = judging.answers[i];
    if (field.meaning != "tags" || wanted[i] == 0) {
      continue;
    }
    for (std::size_t r = 1; r < gold.offsets.size(); ++r) {
      if (columns[i].offsets[r] != gold.offsets[r]) { // the first: those before are equal
        return environmentError(fmt::format("{} gives {} tags for {} words in its field `{}`; please tell its author", answer.plugin(),
                                            columns[i].offsets[r] - gold.offsets[r - 1], gold.offsets[r] - gold.offsets[r - 1],
                                            field.name));
      }
    }
  }
  return {};
}

JudgedRecords JudgedAnswer::counted(const JudgedRecords &all) {
  if (all.weights == nullptr || std::find(all.weights, all.weights + all.records, 0.0) == all.weights + all.records) {
    return all;
  }
  some = {columnsOf(judging.answers), columnsOf(judging.features), Column(judging.gold), {}};
  for (std::int64_t row = 0; row < all.records; ++row) {
    if (all.weights[row] == 0) {
      continue;
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (row < columns[i].rows) { // a field that nobody reads has no values
        some.answers[i].append(judging.answers[i], columns[i], row);
      }
    }
    for (std::size_t i = 0; i < features.size(); ++i) {
      some.features[i].append(judging.features[i], features[i], row);
    }
    some.gold.append(judging.gold, gold, row);
    some.weights.push_back(all.weights[row]);
  }
  return {some.gold.rows, &some.answers, &some.gold, &some.features, some.weights.data()};
}

Status JudgedAnswer::judge(const Batch &batch, const OutputBuffers &outputs, const std::vector<double> &ofData) {
  if (metrics.empty()) {
    return {};
  }
  PENSTOCK_TRY(answer.decode(batch, outputs, wanted, target.tags(), columns, words));
  target.read(batch.records, gold);
  PENSTOCK_TRY(checkTags());
  for (std::size_t i = 0; i < features.size(); ++i) {
    const float *const vectors = answer.vectors(outputs);
    features[i].of<float>().assign(vectors, vectors + batch.view.records * judging.features[i].width);
    features[i].rows = batch.view.records;
  }
  weights.clear();
  for (std::size_t i = 0; !ofData.empty() && i < batch.records.size(); ++i) {
    weights.push_back(ofData[static_cast<std::size_t>(batch.records[i])]);
  }
  const JudgedRecords judged = {batch.view.records, &columns, &gold, &features, ofData.empty() ? nullptr : weights.data()};
  const JudgedRecords counting = counted(judged);
  for (const std::unique_ptr<Metric> &metric : metrics) {
    PENSTOCK_TRY(counting.records > 0 ? metric->add(counting) : Status{});
  }
  if (record) {
    recorded.add(judged, batch.records);
  }
  return {};
}

JudgedAnswers::JudgedAnswers(std::shared_ptr<const Dataset> dataset, PluginHost &host) : dataset(std::move(dataset)), host(&host) {}
JudgedAnswers::JudgedAnswers(JudgedAnswers &&) noexcept = default;
JudgedAnswers::~JudgedAnswers() = default;

Result<JudgedAnswers> JudgedAnswers::open(const PenstockEntry &entry, std::shared_ptr<const Dataset> dataset, const RunConfig &config,
                                          PluginHost &host, const FittedFolder *fitted, const std::vector<MetricSpec> &uses, bool named,
                                          bool intervals) {
  JudgedAnswers made(std::move(dataset), host);
  for (const InputSpec &input : config.records.inputs) {
    if (input.weighs) {
      made.weights = made.dataset->numbersOf(input.column);
    }
  }
  for (const AnswerSpec &spec : config.answers) {
    if (spec.target.empty() || (spec.learner && fitted == nullptr)) {
      continue;
    }
    std::vector<std::string> classes;
    if (spec.targetType != "number") {
      classes = made.dataset->classNames(spec.target);
    }
    PENSTOCK_ASSIGN(Answer answer, Answer::open(spec, entry, std::move(classes), host, fitted));
    if (!spec.feature.empty()) {
      answer.invertBy([data = made.dataset.get(), feature = spec.feature](double result) { return data->invert(feature, result); });
    }
    auto judged = std::make_unique<JudgedAnswer>(std::move(answer), *made.dataset);
    if (spec.targetType == "tags" && judged->target.tags().offsets == nullptr) {
      return internalError("the answer `" + spec.name + "` has a target without tags; please report this");
    }
    judged->record = intervals;
    judged->wanted.assign(judged->judging.answers.size(), 0);
    for (const MetricSpec &use : uses) {
      if (use.answer == spec.name || (use.answer.empty() && config.answers.size() == 1)) {
        if (!named) {
          const Result<const PluginManifest *> manifest = host.manifest(use.plugin, PluginKind::metric);
          if (manifest.ok() && !whyNotJudged(**manifest, judged->judging).empty()) {
            continue;
          }
        }
        PENSTOCK_ASSIGN(std::unique_ptr<Metric> metric, makeMetric(host, use.plugin, jsonText(use.parameters), judged->judging));
        for (const int field : metric->fields()) { // others (spans of tags) are not decoded
          judged->wanted[static_cast<std::size_t>(field)] = 1;
        }
        judged->metrics.push_back(std::move(metric));
        judged->uses.push_back(use);
      }
    }
    made.answers.push_back(std::move(judged));
  }
  return made;
}

std::vector<std::string> JudgedAnswers::warnings(const std::string &split) const {
  constexpr std::size_t most = 10;
  std::vector<std::string> said;
  for (const std::unique_ptr<JudgedAnswer> &answer : answers) {
    const ColumnField &field = answer->judging.gold;
    const std::vector<std::int64_t> counts = answer->target.countOthers();
    std::string what = field.meaning == "set" ? "label" : field.meaning;
    if (field.meaning == "tags") { // one of them
      what.pop_back();
    }
    const std::string unit = field.meaning == "tags" ? "word" : "record";
    for (std::size_t i = 0; i < std::min(most, counts.size()); ++i) {
      said.push_back(
          fmt::format("the {0} `{1}` of `{2}` is not in train, and {3} {4} of `{5}` {6} it; a model cannot learn a {0} without an example",
                      what, printable(field.classes[static_cast<std::size_t>(field.trained) + i], 80), field.name, counts[i],
                      unit + (counts[i] == 1 ? "" : "s"), split, counts[i] == 1 ? "has" : "have"));
    }
    if (counts.size() > most) {
      said.push_back(fmt::format("{} more values of `{}` in `{}` are not in train", counts.size() - most, field.name, split));
    }
  }
  return said;
}

Status JudgedAnswers::add(const Batch &batch, const OutputBuffers &outputs) {
  for (const std::unique_ptr<JudgedAnswer> &judged : answers) {
    PENSTOCK_TRY(judged->judge(batch, outputs, weights));
  }
  return {};
}

Status JudgedAnswers::collect(const ConfidenceSpec &confidence, SplitResult &result) const {
  std::vector<IntervalUse> intervals;
  for (const std::unique_ptr<JudgedAnswer> &answer : answers) {
    const JudgedAnswer &judged = *answer;
    for (std::size_t i = 0; i < judged.metrics.size(); ++i) {
      PENSTOCK_ASSIGN(Metric::Values values, judged.metrics[i]->result());
      IntervalUse use = {judged.uses[i].plugin, jsonText(judged.uses[i].parameters), &judged.recorded, {}};
      for (auto &[name, value] : values.values) {
        const bool taken = result.find(name) != nullptr;
        if (taken && answers.size() == 1) {
          continue; // two metrics that give the same number, such as accuracy
        }
        result.values.emplace_back(taken ? judged.answer.spec().name + "." + name : name, value);
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
