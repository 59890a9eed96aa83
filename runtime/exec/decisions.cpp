#include "runtime/exec/decisions.h"

#include "runtime/base/decision_fits.h"
#include "runtime/base/fields_json.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/program_rows.h"
#include "runtime/exec/answers.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/target_columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace penstock {

namespace {

struct Decided {
  std::string answer;
  NamedValues values; // of the parameters that were fitted

  static constexpr auto fields() {
    return std::tuple(field("answer", &Decided::answer, Role::weights), field("values", &Decided::values, Role::weights));
  }
};

struct Decisions {
  std::vector<Decided> answers;

  static constexpr auto fields() { return std::tuple(part("answers", &Decisions::answers, "")); }

  const NamedValues *find(const std::string &answer) const {
    const auto found = std::find_if(answers.begin(), answers.end(), [&](const Decided &one) { return one.answer == answer; });
    return found == answers.end() ? nullptr : &found->values;
  }
};

const DecisionFitRow *fitOf(const NamedValue &value) {
  const auto *const text = std::get_if<std::string>(&value);
  return text == nullptr ? nullptr : findDecisionFit(*text);
}

Result<Decisions> readDecisions(const FittedFolder &fitted) {
  if (!fitted.holds(decisionsFile)) {
    return Decisions();
  }
  PENSTOCK_ASSIGN(const std::string text, readFittedFile(fitted, decisionsFile));
  return readJson<Decisions>(FieldJson::parse(text, nullptr, false), "`" + fitted.path + "/" + decisionsFile + "`");
}

/// The parameters with what is fitted already; of the rest the head has its defaults.
std::string parametersWith(const AnswerSpec &answer, const NamedValues &fitted) {
  NamedValues all = answer.parameters;
  for (const auto &[name, value] : answer.decision) {
    if (fitOf(value) == nullptr) {
      all.insert_or_assign(name, value);
    } else if (const auto found = fitted.find(name); found != fitted.end()) {
      all.insert_or_assign(name, found->second);
    }
  }
  return jsonText(all);
}

std::string shown(const NamedValue &value) {
  if (const auto *number = std::get_if<double>(&value)) {
    return fmt::format("{:.4g}", *number);
  }
  return fmt::format("[{:.4g}]", fmt::join(std::get<std::vector<double>>(value), ", "));
}

double logitOf(double probability) {
  constexpr double least = 1e-12;
  const double p = std::clamp(probability, least, 1 - least);
  return std::log(p) - std::log1p(-p);
}

/// The derivative of the mean log loss by the factor of the logits, and its own: both grow with the factor or stay.
struct Slope {
  double first = 0, second = 0;
};

Slope slopeOf(const JudgedProbabilities &judged, const std::vector<double> &logits, double factor) {
  Slope sum;
  std::vector<double> weights(judged.width);
  for (std::size_t i = 0; i < judged.records(); ++i) {
    const double *const row = &logits[i * judged.width];
    if (judged.sets) {
      for (std::size_t c = 0; c < judged.width; ++c) {
        const double p = 1 / (1 + std::exp(-factor * row[c]));
        sum.first += (p - judged.labels[i * judged.width + c]) * row[c];
        sum.second += p * (1 - p) * row[c] * row[c];
      }
      continue;
    }
    if (judged.gold[i] < 0) {
      continue;
    }
    const double greatest = *std::max_element(row, row + judged.width);
    double total = 0, mean = 0, square = 0;
    for (std::size_t c = 0; c < judged.width; ++c) {
      const double weight = std::exp(factor * (row[c] - greatest));
      total += weight;
      mean += weight * row[c];
      square += weight * row[c] * row[c];
    }
    mean /= total;
    sum.first += mean - row[judged.gold[i]];
    sum.second += square / total - mean * mean;
  }
  return sum;
}

} // namespace

double fitTemperature(const JudgedProbabilities &judged) {
  constexpr double hottest = 20;
  std::vector<double> logits(judged.probabilities.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    constexpr double least = 1e-45; // of float32
    const double p = judged.probabilities[i];
    logits[i] = judged.sets ? logitOf(p) : std::log(std::max(p, least));
  }
  // The loss is convex in the factor: Newton's steps, within the interval in which the slope changes its sign.
  double low = 1 / hottest, high = hottest, factor = 1;
  if (slopeOf(judged, logits, low).first >= 0) {
    return slopeOf(judged, logits, high).first > 0 ? 1 / low : 1;
  }
  if (slopeOf(judged, logits, high).first <= 0) {
    return 1 / high;
  }
  for (int i = 0; i < 100 && high - low > 1e-12 * high; ++i) {
    const Slope slope = slopeOf(judged, logits, factor);
    (slope.first > 0 ? high : low) = factor;
    const double next = slope.second > 0 ? factor - slope.first / slope.second : low;
    const double inside = next > low && next < high ? next : (low + high) / 2;
    if (slope.first == 0 || std::abs(inside - factor) <= 1e-13 * factor) {
      break;
    }
    factor = inside;
  }
  return 1 / factor;
}

std::optional<double> fitThreshold(const JudgedProbabilities &judged, std::size_t column, double *f1) {
  const auto isOf = [&](std::size_t record) {
    return judged.sets ? judged.labels[record * judged.width + column] != 0 : judged.gold[record] == static_cast<std::int32_t>(column);
  };
  const auto scoreOf = [&](std::size_t record) { return judged.probabilities[record * judged.width + column]; };
  std::vector<std::size_t> order(judged.records());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scoreOf(a) > scoreOf(b); });
  const auto support = static_cast<double>(std::count_if(order.begin(), order.end(), isOf));
  if (support == 0) {
    return std::nullopt;
  }
  double best = -1, threshold = 0, right = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    right += isOf(order[i]) ? 1 : 0;
    const double score = scoreOf(order[i]), next = i + 1 < order.size() ? scoreOf(order[i + 1]) : 0;
    if (i + 1 < order.size() && next == score) {
      continue; // records with one probability are answered together
    }
    if (const double value = 2 * right / (static_cast<double>(i + 1) + support); value > best) {
      best = value;
      threshold = (score + next) / 2;
    }
  }
  *f1 = best;
  return threshold;
}

bool fitsDecision(const AnswerSpec &answer) {
  return std::any_of(answer.decision.begin(), answer.decision.end(), [](const auto &one) { return fitOf(one.second) != nullptr; });
}

Result<std::string> headParameters(const AnswerSpec &answer, const FittedFolder *fitted) {
  if (fitted == nullptr || !fitsDecision(answer)) {
    return parametersWith(answer, {});
  }
  PENSTOCK_ASSIGN(const Decisions decisions, readDecisions(*fitted));
  static const NamedValues none;
  const NamedValues *const found = decisions.find(answer.name);
  const NamedValues &values = found == nullptr ? none : *found;
  for (const auto &[name, value] : answer.decision) {
    if (fitOf(value) != nullptr && !values.contains(name)) {
      return usageError(
          fmt::format("the run has fitted no `{}` for `{}`: `{}` is fitted when training ends, so train with it, or give a number", name,
                      answer.name, std::get<std::string>(value)));
    }
  }
  return parametersWith(answer, values);
}

namespace {

class DecisionFitting {
public:
  DecisionFitting(Session &session, const std::shared_ptr<const Dataset> &dev, const RunConfig &config, PluginHost &host)
      : session(session), dev(dev), config(config), host(host), entry(session.model().entry("predict")) {}

  Result<NamedValues> fit(const AnswerSpec &answer, std::vector<std::string> &notes) {
    NamedValues values;
    for (const DecisionFitRow &row : decisionFits) {
      std::vector<std::string> names; // of parameters that are fitted so
      for (const auto &[name, value] : answer.decision) {
        if (fitOf(value) == &row) {
          names.push_back(name);
        }
      }
      if (names.empty()) {
        continue;
      }
      PENSTOCK_ASSIGN(const JudgedProbabilities judged, judge(answer, values));
      for (const std::string &name : names) {
        PENSTOCK_TRY(row.fit == DecisionFit::temperature ? fitTemperatureOf(judged, values[name])
                                                         : fitThresholdsOf(answer, name, judged, values, notes));
        if (values.contains(name)) {
          notes.push_back(fmt::format("fitted on dev: `{}` of `{}` is {}", name, answer.name, shown(values[name])));
        }
      }
    }
    return values;
  }

private:
  static Status fitTemperatureOf(const JudgedProbabilities &judged, NamedValue &value) {
    value = fitTemperature(judged);
    return {};
  }

  /// Of classes the threshold of the second, of sets one a label. What dev has no example of keeps the head's own.
  Status fitThresholdsOf(const AnswerSpec &answer, const std::string &name, const JudgedProbabilities &judged, NamedValues &values,
                         std::vector<std::string> &notes) {
    PENSTOCK_ASSIGN(const PluginManifest *const manifest, host.manifest(answer.decoder, PluginKind::head));
    const auto found = std::find_if(manifest->parameters.begin(), manifest->parameters.end(),
                                    [&](const PluginParameter &one) { return one.name == name; });
    const PluginParameter *const parameter = found == manifest->parameters.end() ? nullptr : &*found;
    const auto *const standard = parameter == nullptr ? nullptr : std::get_if<std::vector<double>>(&parameter->defaultValue);
    const double otherwise = standard == nullptr || standard->size() != 1 ? 0.5 : standard->front();
    std::vector<double> thresholds;
    for (std::size_t column = judged.sets ? 0 : 1; column < judged.width; ++column) {
      double f1 = 0;
      const std::optional<double> best = fitThreshold(judged, column, &f1);
      if (!best) {
        const std::vector<std::string> classes = dev->classNames(answer.target);
        notes.push_back(fmt::format("warning: dev has no record with `{}` of `{}`, so its threshold stays {}",
                                    column < classes.size() ? classes[column] : "", answer.target, otherwise));
      }
      thresholds.push_back(best.value_or(otherwise));
    }
    if (parameter != nullptr && parameter->eachClass) {
      values[name] = std::move(thresholds);
    } else if (thresholds.size() == 1) {
      values[name] = thresholds[0];
    } else {
      return invalidInput(fmt::format("`{}` of `{}` is one number, and the answer `{}` needs {}; please tell the plugin's author", name,
                                      answer.decoder, answer.name, thresholds.size()));
    }
    return {};
  }

  /// What the answer's head gives for dev, with what is fitted already.
  Result<JudgedProbabilities> judge(const AnswerSpec &spec, const NamedValues &fitted) {
    const PenstockEntry &table = entriesOf(session.model().table())[entry];
    AnswerSpec so = spec;
    for (const auto &[name, value] : fitted) {
      so.decision[name] = value;
    }
    PENSTOCK_ASSIGN(const Answer answer, Answer::open(so, table, dev->classNames(spec.target), host, nullptr));
    const Schema &schema = answer.schema();
    const auto field = std::find_if(schema.begin(), schema.end(), [](const ColumnField &one) {
      return one.meaning == "probabilities" && one.element == PENSTOCK_F32 && one.shape == PENSTOCK_WIDE;
    });
    if (field == schema.end() || (spec.targetType != "class" && spec.targetType != "set")) {
      return invalidInput(
          fmt::format("the head `{}` gives no probabilities of classes or labels, so nothing can be fitted to them; please tell "
                      "its author",
                      spec.decoder));
    }
    const auto index = static_cast<std::size_t>(field - schema.begin());
    JudgedProbabilities judged;
    judged.width = static_cast<std::size_t>(field->width);
    judged.sets = spec.targetType == "set";
    const TargetColumn target(spec, *dev);
    std::vector<Column> columns = columnsOf(schema);
    Column gold(target.field());
    std::vector<std::uint8_t> wanted(schema.size(), 0);
    wanted[index] = 1;
    BatchStream::Plan plan;
    plan.batch = 64;
    plan.seed = config.train.seed;
    PENSTOCK_ASSIGN(const std::unique_ptr<BatchStream> stream, BatchStream::start(dev, plan));
    OutputBuffers outputs;
    AnswerWords words;
    for (;;) {
      if (interrupted()) {
        return Status(ErrorCode::interrupted, "interrupted");
      }
      PENSTOCK_ASSIGN(const Batch *const batch, stream->next());
      if (batch == nullptr) {
        return judged;
      }
      Session::Step step;
      step.batch = &batch->view;
      step.seed = config.train.seed;
      PENSTOCK_TRY(session.run(entry, step, &outputs));
      PENSTOCK_TRY(answer.decode(*batch, outputs, wanted, target.tags(), columns, words));
      const std::vector<float> &rows = columns[index].of<float>();
      judged.probabilities.insert(judged.probabilities.end(), rows.begin(), rows.end());
      target.read(batch->records, gold);
      add(gold, batch->view.records, judged);
    }
  }

  /// Classes and labels that train lacks are none of those that have a probability.
  static void add(const Column &gold, std::int64_t records, JudgedProbabilities &judged) {
    const std::vector<std::int32_t> &classes = gold.of<std::int32_t>();
    const auto width = static_cast<std::int32_t>(judged.width);
    if (!judged.sets) {
      std::transform(classes.begin(), classes.end(), std::back_inserter(judged.gold),
                     [&](std::int32_t one) { return one < width ? one : -1; });
      return;
    }
    const std::size_t before = judged.labels.size();
    judged.labels.resize(before + static_cast<std::size_t>(records) * judged.width);
    for (std::int64_t i = 0; i < records; ++i) {
      for (std::int64_t at = gold.offsets[static_cast<std::size_t>(i)]; at < gold.offsets[static_cast<std::size_t>(i) + 1]; ++at) {
        if (const std::int32_t label = classes[static_cast<std::size_t>(at)]; label >= 0 && label < width) {
          judged.labels[before + static_cast<std::size_t>(i) * judged.width + static_cast<std::size_t>(label)] = 1;
        }
      }
    }
  }

  Session &session;
  const std::shared_ptr<const Dataset> &dev;
  const RunConfig &config;
  PluginHost &host;
  const int entry;
};

} // namespace

Status fitDecisions(Session &session, const std::shared_ptr<const Dataset> &dev, const RunConfig &config, PluginHost &host,
                    FittedFolder &fitted, std::vector<std::string> &notes) {
  Decisions decisions;
  for (const AnswerSpec &answer : config.answers) {
    if (!fitsDecision(answer)) {
      continue;
    }
    if (dev == nullptr || dev->records() == 0) {
      return invalidInput(fmt::format("how `{}` decides is fitted on dev, and there are no records of dev", answer.name));
    }
    PENSTOCK_ASSIGN(NamedValues values, DecisionFitting(session, dev, config, host).fit(answer, notes));
    decisions.answers.push_back({answer.name, std::move(values)});
  }
  if (decisions.answers.empty()) {
    return {};
  }
  const std::string text = jsonTextOf(decisions) + "\n";
  PENSTOCK_TRY(writeFileAtomically(fitted.path + "/" + decisionsFile, text));
  fitted.hashes[decisionsFile] = hash64Hex(text);
  return {};
}

} // namespace penstock
