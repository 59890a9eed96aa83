#include "runtime/exec/evaluate.h"

#include "runtime/base/printable.h"
#include "runtime/exec/bootstrap.h"
#include "runtime/exec/interrupt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace penstock {

void OutputBuffers::room(std::size_t output, const PenstockValueType &type, std::int64_t rows) {
  const std::int64_t bytes = std::max<std::int64_t>(rows * type.width, 1) * penstock_element_bytes(type.element);
  const std::size_t floats = (static_cast<std::size_t>(bytes) + sizeof(float) - 1) / sizeof(float);
  if (memory[output].size() < floats) {
    memory[output].resize(floats);
  }
  pointers[output] = memory[output].data();
}

void OutputBuffers::prepare(const PenstockEntry &entry, std::int64_t records) {
  memory.resize(static_cast<std::size_t>(entry.output_count));
  pointers.resize(memory.size());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const PenstockValueType &type = *entry.outputs[i].type;
    room(i, type, type.rows == PENSTOCK_ROWS_RECORDS ? records : 1);
  }
}

void OutputBuffers::prepare(const PenstockEntry &entry, const PenstockBatch &batch) {
  memory.resize(static_cast<std::size_t>(entry.output_count));
  pointers.resize(memory.size());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const PenstockValueType &type = *entry.outputs[i].type;
    room(i, type, penstock_rows_of(&type, &batch));
  }
}

int answerOutput(const PenstockEntry &entry, const std::string &answer) {
  for (int i = 0; i < entry.output_count; ++i) {
    const std::string_view name = entry.outputs[i].name;
    if (entry.outputs[i].type->rows != PENSTOCK_ROWS_ONE &&
        (name == answer || (name.starts_with(answer) && name.substr(answer.size()).starts_with(".")))) {
      return i;
    }
  }
  return -1;
}

std::vector<MetricSpec> metricsFor(const RunConfig &config, const std::string &split, const std::vector<PluginManifest> &manifests) {
  std::vector<MetricSpec> uses;
  for (const MetricSpec &use : config.metrics) {
    if (use.split == split) {
      uses.push_back(use);
    }
  }
  if (!uses.empty()) {
    return uses;
  }
  std::vector<std::pair<const StandardMetric *, const PluginManifest *>> standard;
  for (const PluginManifest &manifest : manifests) {
    for (const StandardMetric &use : manifest.measured) {
      standard.emplace_back(&use, &manifest);
    }
  }
  std::stable_sort(standard.begin(), standard.end(), [](const auto &a, const auto &b) { return a.first->place < b.first->place; });
  for (const AnswerSpec &answer : config.answers) {
    for (const auto &[use, manifest] : standard) {
      if (!answer.target.empty() && use->target == answer.targetType) {
        uses.push_back({split, manifest->name, {}, answer.name});
        if (!use->parameter.empty()) {
          uses.back().parameters[use->parameter] = use->value;
        }
      }
    }
  }
  return uses;
}

namespace {

// One answer on its way to the metrics that judge it.
struct Judged {
  const AnswerSpec *answer = nullptr;
  int evaluateOutput = -1, predictOutput = -1;
  std::int64_t width = 0;
  float threshold = 0.5f; // of sets: the least probability of a label that is predicted
  const std::vector<std::int32_t> *classes = nullptr;
  const std::vector<double> *numbers = nullptr;
  Dataset::Tags tags;
  int evaluateAxis = -1, predictAxis = -1;         // of tags
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

/// The sums of one loss over a split.
struct LossSums {
  double items = 0, weights = 0;
};

/// The numbers of an output with one number a row, added up in double precision: so a split's loss depends neither on its batches nor,
/// but for the last digits of a double, on the order of its records.
double sumOf(const PenstockOutputInfo &output, const float *values, const PenstockBatch &batch) {
  return std::accumulate(values, values + penstock_rows_of(output.type, &batch), 0.0);
}

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

Status give(Judged &judged, const PenstockPredictions &predictions, const std::vector<std::int64_t> &records) {
  for (const std::unique_ptr<Metric> &metric : judged.metrics) {
    PENSTOCK_TRY(metric->add(predictions));
  }
  if (judged.record) {
    judged.recorded.add(predictions, judged.names.count(), records);
  }
  return {};
}

/// Every word counts: one without a row, because it was cut off or gave no sub-word, has no tag (-1).
Status judgeTags(Judged &judged, const Batch &batch, const float *scores, int axisIndex) {
  const PenstockAxisBatch &axis = batch.view.axes[axisIndex];
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
void judgeSets(Judged &judged, const Batch &batch, const float *scores) {
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

Status judge(Judged &judged, const Batch &batch, const float *scores, int axis) {
  if (judged.answer->targetType == "tags") {
    return judgeTags(judged, batch, scores, axis);
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

/// The answers of the run that have a target, with their metrics.
class Evaluation {
public:
  Evaluation(Program &program, const std::shared_ptr<const Dataset> &dataset, const RunConfig &config, PluginHost &host,
             const std::string &split, std::int64_t batch)
      : program(program), dataset(dataset), config(config), host(host), split(split), batch(batch), evaluate(program.entry("evaluate")),
        predict(program.entry("predict")), evaluateEntry(evaluate < 0 ? nullptr : &program.table().entries[evaluate]),
        predictEntry(predict < 0 ? nullptr : &program.table().entries[predict]) {
    result.split = split;
  }

  Result<SplitResult> run(const ConfidenceSpec &confidence);

private:
  Status open(const AnswerSpec &answer, const std::vector<MetricSpec> &uses, bool record);
  Status openTarget(Judged &judged);
  void warn();
  Status pass(int entry);
  void addLosses(const OutputBuffers &outputs, const PenstockBatch &batch);
  void finishLosses();
  Status collect(const ConfidenceSpec &confidence);

  Program &program;
  const std::shared_ptr<const Dataset> &dataset;
  const RunConfig &config;
  PluginHost &host;
  const std::string &split;
  const std::int64_t batch;
  const int evaluate, predict;
  const PenstockEntry *evaluateEntry, *predictEntry;
  std::vector<Judged> answers;
  std::vector<LossSums> losses;
  SplitResult result;
};

Status Evaluation::openTarget(Judged &judged) {
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
    judged.evaluateAxis = judged.evaluateOutput < 0 ? -1 : evaluateEntry->outputs[judged.evaluateOutput].type->axis;
    judged.predictAxis = judged.predictOutput < 0 ? -1 : predictEntry->outputs[judged.predictOutput].type->axis;
    const int axis = judged.evaluateAxis >= 0 ? judged.evaluateAxis : judged.predictAxis;
    if (judged.tags.offsets == nullptr || axis < 0) {
      return internalError("the answer `" + answer.name + "` does not lie on an axis with tags; please report this");
    }
  } else {
    judged.classes = &dataset->classesOf(answer.target);
  }
  return {};
}

Status Evaluation::open(const AnswerSpec &answer, const std::vector<MetricSpec> &uses, bool record) {
  Judged judged;
  judged.answer = &answer;
  judged.evaluateOutput = evaluateEntry == nullptr ? -1 : answerOutput(*evaluateEntry, answer.name);
  judged.predictOutput = predictEntry == nullptr ? -1 : answerOutput(*predictEntry, answer.name);
  const PenstockEntry *entry = evaluateEntry != nullptr ? evaluateEntry : predictEntry;
  const int output = judged.evaluateOutput >= 0 ? judged.evaluateOutput : judged.predictOutput;
  if ((evaluateEntry != nullptr && judged.evaluateOutput < 0) || (predictEntry != nullptr && judged.predictOutput < 0)) {
    return internalError("the compiled program has no output for the answer `" + answer.name + "`; please report this");
  }
  judged.width = entry->outputs[output].type->width;
  judged.record = record;
  PENSTOCK_TRY(openTarget(judged));
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

/// Says which classes train lacks.
void Evaluation::warn() {
  constexpr std::size_t most = 10;
  for (const Judged &judged : answers) {
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
      result.warnings.push_back(
          fmt::format("{0} `{1}` of `{2}` is not in train, and {3} {4} of `{5}` {6} it; a model cannot learn {7} without an example", kind,
                      printable(judged.names.others[i], 80), judged.answer->target, counts[i], unit + (counts[i] == 1 ? "" : "s"), split,
                      counts[i] == 1 ? "has" : "have", one));
    }
    if (counts.size() > most) {
      result.warnings.push_back(
          fmt::format("{} more values of `{}` in `{}` are not in train", counts.size() - most, judged.answer->target, split));
    }
  }
}

void Evaluation::addLosses(const OutputBuffers &outputs, const PenstockBatch &batch) {
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const int items = static_cast<int>(2 * i), weights = items + 1;
    losses[i].items += sumOf(evaluateEntry->outputs[items], outputs.values(items), batch);
    losses[i].weights += sumOf(evaluateEntry->outputs[weights], outputs.values(weights), batch);
  }
}

/// An objective has a loss where every loss of it has an item that counts. That of a named one is a value of the split: "critic.loss".
void Evaluation::finishLosses() {
  const std::vector<ObjectiveSpec> &objectives = config.train.objectives;
  for (std::size_t i = 0; i < losses.size();) {
    const PenstockLossInfo *const table = program.table().losses;
    const int objective = table[i].objective;
    double loss = 0;
    bool known = true;
    for (; i < losses.size() && table[i].objective == objective; ++i) {
      known &= losses[i].weights > 0;
      loss += table[i].coefficient * losses[i].items / losses[i].weights;
    }
    if (!known) {
      continue;
    }
    loss = std::isnan(loss) ? std::numeric_limits<double>::quiet_NaN() : loss; // its sign says nothing, and would be shown
    if (static_cast<std::size_t>(objective) < objectives.size() && !objectives[static_cast<std::size_t>(objective)].name.empty()) {
      result.values.emplace_back(objectives[static_cast<std::size_t>(objective)].lossName(), loss);
    } else {
      result.hasLoss = true;
      result.loss = loss;
    }
  }
}

/// Runs the entry over the split and gives what it answers to the metrics.
Status Evaluation::pass(int entry) {
  BatchStream::Plan plan;
  plan.batch = batch;
  plan.seed = config.train.seed;
  PENSTOCK_ASSIGN(const std::unique_ptr<BatchStream> stream, BatchStream::start(dataset, plan));
  const bool evaluates = entry == evaluate;
  const PenstockEntry &table = evaluates ? *evaluateEntry : *predictEntry;
  losses.resize(evaluates ? static_cast<std::size_t>(program.table().loss_count) : 0);
  OutputBuffers outputs;
  for (;;) {
    if (interrupted()) {
      return {ErrorCode::interrupted, "interrupted"};
    }
    PENSTOCK_ASSIGN(const Batch *const current, stream->next());
    if (current == nullptr) {
      finishLosses();
      return {};
    }
    outputs.prepare(table, current->view);
    Program::Step step;
    step.batch = &current->view;
    step.outputs = outputs.addresses();
    step.seed = config.train.seed;
    PENSTOCK_TRY(program.run(entry, step));
    addLosses(outputs, current->view);
    for (Judged &judged : answers) {
      const int output = evaluates ? judged.evaluateOutput : judged.predictOutput;
      PENSTOCK_TRY(judge(judged, *current, outputs.values(output), evaluates ? judged.evaluateAxis : judged.predictAxis));
    }
    result.records += current->view.records;
  }
}

Status Evaluation::collect(const ConfidenceSpec &confidence) {
  std::vector<IntervalUse> intervals;
  for (const Judged &judged : answers) {
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
    PENSTOCK_ASSIGN(result.intervals, bootstrapIntervals(host, intervals, confidence));
  }
  return {};
}

Result<SplitResult> Evaluation::run(const ConfidenceSpec &confidence) {
  if (evaluate < 0 && predict < 0) {
    return internalError("the compiled program has neither `evaluate` nor `predict`; please report this");
  }
  const std::vector<MetricSpec> uses = metricsFor(config, split, host.manifests());
  for (const AnswerSpec &answer : config.answers) {
    if (!answer.target.empty()) {
      PENSTOCK_TRY(open(answer, uses, confidence.samples > 0));
    }
  }
  warn();
  PENSTOCK_TRY(program.pack());
  PENSTOCK_TRY(pass(evaluate < 0 ? predict : evaluate));
  PENSTOCK_TRY(collect(confidence));
  return std::move(result);
}

} // namespace

Result<SplitResult> evaluateSplit(Program &program, const std::shared_ptr<const Dataset> &dataset, const RunConfig &config,
                                  PluginHost &host, const std::string &split, const ConfidenceSpec &confidence, std::int64_t batch) {
  return Evaluation(program, dataset, config, host, split, batch).run(confidence);
}

std::string ExpectationResult::text() const {
  const std::string head =
      fmt::format("expect {}.{} {} {}", expectation.split, expectation.metric, expectation.comparison, expectation.bound);
  if (!known) {
    return head + ": was not measured";
  }
  if (std::isnan(value)) {
    return head + ": is not a number, so it does not hold";
  }
  if (holds) {
    return fmt::format("{}: {:.4f}, holds", head, value);
  }
  return fmt::format("{}: {:.4f}, {} by {:.4f}", head, value, expectation.comparison.starts_with(">") ? "missed" : "exceeded",
                     std::abs(value - expectation.bound));
}

std::vector<ExpectationResult> checkExpectations(const RunConfig &config, const std::vector<SplitResult> &results) {
  std::vector<ExpectationResult> checked;
  for (const ExpectationSpec &expectation : config.expectations) {
    const auto split =
        std::find_if(results.begin(), results.end(), [&](const SplitResult &result) { return result.split == expectation.split; });
    if (split == results.end()) {
      continue;
    }
    ExpectationResult outcome;
    outcome.expectation = expectation;
    if (const double *value = split->find(expectation.metric)) {
      outcome.known = true;
      outcome.value = *value;
      const double bound = expectation.bound;
      outcome.holds = (expectation.comparison == ">=" && *value >= bound) || (expectation.comparison == ">" && *value > bound) ||
                      (expectation.comparison == "<=" && *value <= bound) || (expectation.comparison == "<" && *value < bound);
    }
    checked.push_back(std::move(outcome));
  }
  return checked;
}

} // namespace penstock
