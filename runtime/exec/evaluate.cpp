#include "runtime/exec/evaluate.h"

#include "runtime/base/program_rows.h"
#include "runtime/base/quantities.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/judged_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace penstock {

std::vector<MetricSpec> metricsFor(const RunConfig &config, const std::string &split, const std::vector<PluginManifest> &manifests) {
  std::vector<MetricSpec> uses;
  for (const MetricSpec &use : config.metrics) {
    if (use.split == split) {
      uses.push_back(use);
    }
  }
  const bool named = !uses.empty();
  std::vector<std::pair<const StandardMetric *, const PluginManifest *>> standard;
  for (const PluginManifest &manifest : manifests) {
    for (const StandardMetric &use : manifest.measured) {
      standard.emplace_back(&use, &manifest);
    }
  }
  std::stable_sort(standard.begin(), standard.end(), [](const auto &a, const auto &b) { return a.first->place < b.first->place; });
  for (const AnswerSpec &answer : config.answers) {
    for (const auto &[use, manifest] : standard) {
      const bool isAsked = use->decision.empty() ? !named : answer.decision.contains(use->decision);
      if (answer.target.empty() || use->target != answer.targetType || !isAsked) {
        continue;
      }
      MetricSpec made = {split, manifest->name, {}, answer.name};
      if (!use->parameter.empty()) {
        made.parameters[use->parameter] = use->value;
      }
      const bool isNamed = std::any_of(uses.begin(), uses.end(), [&](const MetricSpec &other) {
        return other.plugin == made.plugin && (other.answer.empty() || other.answer == made.answer);
      });
      if (use->decision.empty() || !isNamed) {
        uses.push_back(std::move(made));
      }
    }
  }
  return uses;
}

namespace {

/// The sums of one loss over a split.
struct LossSums {
  double items = 0, weights = 0;
};

/// The numbers of an output with one number a row, added up in double precision: so a split's loss depends neither on its batches nor,
/// but for the last digits of a double, on the order of its records.
double sumOf(const PenstockOutputInfo &output, const float *values, const PenstockBatch &batch) {
  return std::accumulate(values, values + penstock_rows_of(output.type, &batch), 0.0);
}

/// One run of an entry over a split.
class Evaluation {
public:
  Evaluation(Session &session, const std::shared_ptr<const Dataset> &dataset, const RunConfig &config, PluginHost &host,
             const std::string &split, std::int64_t batch, const FittedFolder *fitted, const RecordsSeen &seen)
      : session(session), dataset(dataset), config(config), host(host), batch(batch), fitted(fitted), seen(seen),
        evaluates(session.model().entry("evaluate") >= 0), entry(session.model().entry(evaluates ? "evaluate" : "predict")) {
    result.split = split;
  }

  Result<SplitResult> run(const ConfidenceSpec &confidence);

private:
  const PenstockEntry &table() const { return entriesOf(session.model().table())[entry]; }
  Status pass(JudgedAnswers &answers);
  void addLosses(const OutputBuffers &outputs, const PenstockBatch &batch);
  void finishLosses();

  Session &session;
  const std::shared_ptr<const Dataset> &dataset;
  const RunConfig &config;
  PluginHost &host;
  const std::int64_t batch;
  const FittedFolder *const fitted;
  const RecordsSeen &seen;
  const bool evaluates; // the entry has losses
  const int entry;
  std::vector<LossSums> losses;
  SplitResult result;
};

void Evaluation::addLosses(const OutputBuffers &outputs, const PenstockBatch &batch) {
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const int items = static_cast<int>(2 * i), weights = items + 1;
    losses[i].items += sumOf(outputsOf(table())[items], outputs.values(items), batch);
    losses[i].weights += sumOf(outputsOf(table())[weights], outputs.values(weights), batch);
  }
}

/// An objective has a loss where every loss of it has an item that counts. That of a named one is a value of the split: "critic.loss".
void Evaluation::finishLosses() {
  const std::vector<ObjectiveSpec> &objectives = config.train.objectives;
  for (std::size_t i = 0; i < losses.size();) {
    const auto table = lossesOf(session.model().table());
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
Status Evaluation::pass(JudgedAnswers &answers) {
  BatchStream::Plan plan;
  plan.batch = batch;
  plan.seed = config.train.seed;
  PENSTOCK_ASSIGN(const std::unique_ptr<BatchStream> stream, BatchStream::start(dataset, plan));
  losses.resize(evaluates ? lossesOf(session.model().table()).size() : 0);
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
    Session::Step step;
    step.batch = &current->view;
    step.seed = config.train.seed;
    PENSTOCK_TRY(session.run(entry, step, &outputs));
    addLosses(outputs, current->view);
    PENSTOCK_TRY(answers.add(*current, outputs));
    result.records += current->view.records;
    if (seen) {
      seen(result.records);
    }
  }
}

Result<SplitResult> Evaluation::run(const ConfidenceSpec &confidence) {
  if (entry < 0) {
    return internalError("the compiled program has neither `evaluate` nor `predict`; please report this");
  }
  const bool named =
      std::any_of(config.metrics.begin(), config.metrics.end(), [&](const MetricSpec &use) { return use.split == result.split; });
  PENSTOCK_ASSIGN(JudgedAnswers answers,
                  JudgedAnswers::open(table(), dataset, config, host, fitted, metricsFor(config, result.split, host.manifests()), named,
                                      confidence.samples > 0));
  result.warnings = answers.warnings(result.split);
  PENSTOCK_TRY(pass(answers));
  PENSTOCK_TRY(answers.collect(confidence, result));
  return std::move(result);
}

} // namespace

bool measuresLast(const RunConfig &config, const std::string &split) {
  return std::find(config.lastOnly.begin(), config.lastOnly.end(), split) != config.lastOnly.end();
}

Result<SplitResult> evaluateSplit(Session &session, const std::shared_ptr<const Dataset> &dataset, const RunConfig &config,
                                  PluginHost &host, const std::string &split, const ConfidenceSpec &confidence, std::int64_t batch,
                                  const FittedFolder *fitted, const RecordsSeen &seen) {
  return Evaluation(session, dataset, config, host, split, batch, fitted, seen).run(confidence);
}

std::string ExpectationResult::text() const {
  const std::string head = "expect " + expectation.name() + " " + expectation.demand();
  if (!known) {
    return head + ": was not measured";
  }
  if (std::isnan(value)) {
    return head + ": is not a number, so it does not hold";
  }
  const auto shown = [&](double number) {
    return expectation.unit.empty() ? fmt::format("{:.4f}", number) : fmt::format("{:.4g} {}", number, expectation.unit);
  };
  if (holds) {
    return head + ": " + shown(value) + ", holds";
  }
  return fmt::format("{}: {}, {} by {}", head, shown(value), expectation.comparison.starts_with(">") ? "missed" : "exceeded",
                     shown(std::abs(value - expectation.bound)));
}

ExpectationResult holdTo(const ExpectationSpec &expectation, std::optional<double> measured) {
  ExpectationResult outcome;
  outcome.expectation = expectation;
  outcome.known = measured.has_value();
  if (outcome.known) {
    const UnitRow *const unit = findRow(units, expectation.unit);
    const double value = *measured / (unit == nullptr ? 1 : unit->scale), bound = expectation.bound;
    const std::string &comparison = expectation.comparison;
    outcome.value = value;
    outcome.holds = (comparison == ">=" && value >= bound) || (comparison == ">" && value > bound) ||
                    (comparison == "<=" && value <= bound) || (comparison == "<" && value < bound);
  }
  return outcome;
}

std::vector<ExpectationResult> checkExpectations(const RunConfig &config, const std::vector<SplitResult> &results) {
  std::vector<ExpectationResult> checked;
  for (const ExpectationSpec &expectation : config.expectations) {
    const auto split =
        std::find_if(results.begin(), results.end(), [&](const SplitResult &result) { return result.split == expectation.split; });
    if (split != results.end()) {
      const double *const value = split->find(expectation.metric);
      checked.push_back(holdTo(expectation, value == nullptr ? std::nullopt : std::optional(*value)));
    }
  }
  return checked;
}

} // namespace penstock
