#include "runtime/exec/evaluate.h"

#include "runtime/exec/bootstrap.h"
#include "runtime/exec/interrupt.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace penstock {

void OutputBuffers::room(std::size_t output, std::int64_t count) {
  if (memory[output].size() < static_cast<std::size_t>(count)) {
    memory[output].resize(static_cast<std::size_t>(count));
  }
  pointers[output] = memory[output].data();
}

void OutputBuffers::prepare(const PenstockEntry &entry, std::int64_t records) {
  memory.resize(static_cast<std::size_t>(entry.output_count));
  pointers.resize(memory.size());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const PenstockOutputInfo &output = entry.outputs[i];
    const std::int64_t rows = output.rows == PENSTOCK_OUTPUT_RECORDS ? records : 1;
    room(i, std::max<std::int64_t>(rows * output.width, 1));
  }
}

void OutputBuffers::prepare(const PenstockEntry &entry, const PenstockBatch &batch) {
  prepare(entry, batch.records);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const PenstockOutputInfo &output = entry.outputs[i];
    if (output.rows == PENSTOCK_OUTPUT_AXIS) {
      room(i, std::max<std::int64_t>(batch.axes[output.axis].rows * output.width, 1));
    }
  }
}

int answerOutput(const PenstockEntry &entry, const std::string &answer) {
  for (int i = 0; i < entry.output_count; ++i) {
    const std::string_view name = entry.outputs[i].name;
    if (entry.outputs[i].rows != PENSTOCK_OUTPUT_ONE &&
        (name == answer || (name.starts_with(answer) && name.substr(answer.size()).starts_with(".")))) {
      return i;
    }
  }
  return -1;
}

std::vector<MetricSpec> metricsFor(const RunConfig &config, const std::string &split) {
  std::vector<MetricSpec> uses;
  for (const MetricSpec &use : config.metrics) {
    if (use.split == split) {
      uses.push_back(use);
    }
  }
  if (!uses.empty()) {
    return uses;
  }
  for (const AnswerSpec &answer : config.answers) {
    if (answer.target.empty()) {
      continue;
    }
    if (answer.targetType == "set") {
      for (const char *average : {R"({"average": "micro"})", R"({"average": "macro"})"}) {
        uses.push_back({split, "f1", average, answer.name});
      }
      uses.push_back({split, "classification_report", "{}", answer.name});
    } else if (answer.targetType == "class" || answer.targetType == "tags") {
      uses.push_back({split, "accuracy", "{}", answer.name});
      uses.push_back({split, "f1", R"({"average": "macro"})", answer.name});
      uses.push_back({split, "classification_report", "{}", answer.name});
    } else {
      for (const char *plugin : {"mse", "mae", "r2"}) {
        uses.push_back({split, plugin, "{}", answer.name});
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
  std::vector<std::string> classNames;
  std::vector<MetricSpec> uses;
  std::vector<std::unique_ptr<Metric>> metrics; // one a use
  bool record = false;                          // keep what is judged, for intervals
  RecordedPredictions recorded;
  std::vector<std::int32_t> gold, predicted;
  std::vector<std::int64_t> offsets; // of tags: the words of each record
  std::vector<double> goldNumbers, predictedNumbers;
  std::vector<std::uint8_t> goldSets, predictedSets;
};

/// Of how many things the loss of a batch is the mean, so that the loss of a split does not depend on its batches: the tagged words
/// where that is all there is, or records.
std::int64_t lossWeight(const PenstockProgram &program, const std::vector<Judged> &answers, const PenstockBatch &batch) {
  if (answers.size() != 1 || answers[0].answer->targetType != "tags") {
    return batch.records;
  }
  std::int64_t tagged = 0;
  for (int i = 0; i < program.input_count; ++i) {
    if (program.inputs[i].kind == PENSTOCK_INPUT_TAGS) {
      const auto *tags = static_cast<const std::int32_t *>(batch.inputs[i]);
      tagged += std::count_if(tags, tags + batch.axes[program.inputs[i].axis].rows, [](std::int32_t tag) { return tag >= 0; });
    }
  }
  return tagged;
}

// The head's own parameter; 0.5 for heads that have none.
float thresholdOf(const AnswerSpec &answer) {
  const nlohmann::json parameters = nlohmann::json::parse(answer.parameters, nullptr, false);
  const auto found = parameters.is_object() ? parameters.find("threshold") : parameters.end();
  return parameters.is_object() && found != parameters.end() && found->is_number() ? found->get<float>() : 0.5f;
}

std::int32_t chosenClass(const float *scores, std::int64_t width) {
  if (width == 1) { // one probability: of the second of two classes
    return scores[0] >= 0.5f ? 1 : 0;
  }
  return static_cast<std::int32_t>(std::max_element(scores, scores + width) - scores);
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
  for (const std::unique_ptr<Metric> &metric : judged.metrics) {
    PENSTOCK_TRY(metric->add(predictions));
  }
  if (judged.record) {
    judged.recorded.add(predictions, judged.classNames.size());
  }
  return {};
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
    const auto labels = static_cast<std::size_t>(judged.width);
    judged.goldSets.resize(count * labels);
    judged.predictedSets.resize(count * labels);
    for (std::size_t i = 0; i < count; ++i) {
      std::copy_n(judged.sets->begin() + batch.records[i] * judged.width, labels,
                  judged.goldSets.begin() + static_cast<std::ptrdiff_t>(i * labels));
      for (std::size_t c = 0; c < labels; ++c) {
        judged.predictedSets[i * labels + c] = scores[i * labels + c] >= judged.threshold ? 1 : 0;
      }
    }
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
  for (const std::unique_ptr<Metric> &metric : judged.metrics) {
    PENSTOCK_TRY(metric->add(predictions));
  }
  if (judged.record) {
    judged.recorded.add(predictions, judged.classNames.size());
  }
  return {};
}

} // namespace

Result<SplitResult> evaluateSplit(Program &program, const std::shared_ptr<const Dataset> &dataset, const RunConfig &config,
                                  PluginHost &host, const std::string &split, const ConfidenceSpec &confidence, std::int64_t batch) {
  const int evaluate = program.entry("evaluate"), predict = program.entry("predict");
  if (evaluate < 0 && predict < 0) {
    return internalError("the compiled program has neither `evaluate` nor `predict`; please report this");
  }
  const PenstockEntry *evaluateEntry = evaluate < 0 ? nullptr : &program.table().entries[evaluate];
  const PenstockEntry *predictEntry = predict < 0 ? nullptr : &program.table().entries[predict];

  const std::vector<MetricSpec> uses = metricsFor(config, split);
  std::vector<Judged> answers;
  for (const AnswerSpec &answer : config.answers) {
    if (answer.target.empty()) {
      continue;
    }
    Judged judged;
    judged.answer = &answer;
    judged.evaluateOutput = evaluateEntry == nullptr ? -1 : answerOutput(*evaluateEntry, answer.name);
    judged.predictOutput = predictEntry == nullptr ? -1 : answerOutput(*predictEntry, answer.name);
    const PenstockEntry *entry = judged.evaluateOutput >= 0 ? evaluateEntry : predictEntry;
    const int output = judged.evaluateOutput >= 0 ? judged.evaluateOutput : judged.predictOutput;
    if (output < 0) {
      return internalError("the compiled program has no output for the answer `" + answer.name + "`; please report this");
    }
    judged.width = entry->outputs[output].width;
    judged.record = confidence.samples > 0;
    if (answer.targetType == "set") {
      judged.sets = &dataset->setsOf(answer.target);
      judged.classNames = dataset->classNames(answer.target);
      if (judged.classNames.size() != static_cast<std::size_t>(judged.width)) {
        return internalError("the answer `" + answer.name + "` has another width than its labels; please report this");
      }
      judged.threshold = thresholdOf(answer);
    } else if (answer.targetType == "tags") {
      judged.tags = dataset->tagsOf(answer.target);
      judged.evaluateAxis = judged.evaluateOutput < 0 ? -1 : evaluateEntry->outputs[judged.evaluateOutput].axis;
      judged.predictAxis = judged.predictOutput < 0 ? -1 : predictEntry->outputs[judged.predictOutput].axis;
      const int axis = judged.evaluateAxis >= 0 ? judged.evaluateAxis : judged.predictAxis;
      if (judged.tags.offsets == nullptr || axis < 0) {
        return internalError("the answer `" + answer.name + "` does not lie on an axis with tags; please report this");
      }
      judged.classNames = dataset->classNames(answer.target);
      for (std::string &other : dataset->otherTags(answer.target)) {
        judged.classNames.push_back(std::move(other));
      }
    } else if (answer.targetType == "class") {
      judged.classes = &dataset->classesOf(answer.target);
      judged.classNames = dataset->classNames(answer.target);
    } else {
      judged.numbers = &dataset->numbersOf(answer.target);
    }
    for (const MetricSpec &use : uses) {
      if (use.answer == answer.name || (use.answer.empty() && config.answers.size() == 1)) {
        PENSTOCK_ASSIGN(std::unique_ptr<Metric> metric, makeMetric(host, use.plugin, use.parameters, judged.classNames));
        judged.metrics.push_back(std::move(metric));
        judged.uses.push_back(use);
      }
    }
    answers.push_back(std::move(judged));
  }

  PENSTOCK_TRY(program.pack());
  BatchStream::Plan plan;
  plan.batch = batch;
  PENSTOCK_ASSIGN(const std::unique_ptr<BatchStream> stream, BatchStream::start(dataset, plan));
  OutputBuffers evaluateOutputs, predictOutputs;
  const int lossOutput = evaluateEntry == nullptr ? -1 : Program::output(*evaluateEntry, "loss");

  SplitResult result;
  result.split = split;
  std::int64_t lossWeights = 0;
  for (;;) {
    if (interrupted()) {
      return Status(ErrorCode::interrupted, "interrupted");
    }
    PENSTOCK_ASSIGN(const Batch *const current, stream->next());
    if (current == nullptr) {
      break;
    }
    // A class that train does not have gives no loss, and must not reach the loss's code as an index.
    bool known = evaluateEntry != nullptr;
    for (const Judged &judged : answers) {
      for (std::size_t i = 0; known && judged.classes != nullptr && i < current->records.size(); ++i) {
        known = (*judged.classes)[static_cast<std::size_t>(current->records[i])] >= 0;
      }
    }
    if (!known && predictEntry == nullptr) {
      return invalidInput("the split `" + split + "` holds a class that train does not have; remove those records or declare the class");
    }
    if (evaluateEntry != nullptr) {
      evaluateOutputs.prepare(*evaluateEntry, current->view);
    }
    if (predictEntry != nullptr) {
      predictOutputs.prepare(*predictEntry, current->view);
    }
    Program::Step step;
    step.batch = &current->view;
    step.outputs = known ? evaluateOutputs.addresses() : predictOutputs.addresses();
    step.seed = config.train.seed;
    PENSTOCK_TRY(program.run(known ? evaluate : predict, step));
    if (known && lossOutput >= 0) {
      const std::int64_t weight = lossWeight(program.table(), answers, current->view);
      result.loss += static_cast<double>(evaluateOutputs.values(lossOutput)[0]) * static_cast<double>(weight);
      lossWeights += weight;
    }
    for (Judged &judged : answers) {
      const bool fromEvaluate = known && judged.evaluateOutput >= 0;
      PENSTOCK_TRY(judge(judged, *current,
                         fromEvaluate ? evaluateOutputs.values(judged.evaluateOutput) : predictOutputs.values(judged.predictOutput),
                         fromEvaluate ? judged.evaluateAxis : judged.predictAxis));
    }
    result.records += current->view.records;
  }
  result.hasLoss = lossWeights > 0;
  result.loss /= static_cast<double>(std::max<std::int64_t>(lossWeights, 1));
  std::vector<IntervalUse> intervals;
  for (const Judged &judged : answers) {
    for (std::size_t i = 0; i < judged.metrics.size(); ++i) {
      PENSTOCK_ASSIGN(Metric::Values values, judged.metrics[i]->result());
      IntervalUse use = {judged.uses[i].plugin, judged.uses[i].parameters, judged.classNames, &judged.recorded, {}};
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
  return result;
}

std::string ExpectationResult::text() const {
  const std::string head =
      fmt::format("expect {}.{} {} {}", expectation.split, expectation.metric, expectation.comparison, expectation.bound);
  if (!known) {
    return head + ": was not measured";
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
