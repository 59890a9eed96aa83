// The blocks `train`, `evaluate` and `target`.
#include "compiler/frontend/checker.h"
#include "compiler/frontend/other_tools.h"

#include <algorithm>
#include <cmath>

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;
using Type = PluginParameter::Type;

namespace {

ParameterSpec number(const char *name, double value, double minimum, bool open) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::number;
  spec.defaultValue = value;
  spec.hasMinimum = true;
  spec.minimum = minimum;
  spec.openMinimum = open;
  return spec;
}

ParameterSpec integer(const char *name, std::int64_t value, std::int64_t minimum, double maximum) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::integer;
  spec.defaultValue = value;
  spec.hasMinimum = spec.hasMaximum = true;
  spec.minimum = static_cast<double>(minimum);
  spec.maximum = maximum;
  return spec;
}

double doubleOf(const Attributes &attributes, const char *name, double otherwise) {
  const auto found = attributes.find(name);
  const auto *value = found == attributes.end() ? nullptr : std::get_if<double>(&found->second);
  return value == nullptr ? otherwise : *value;
}

bool isSetting(const std::string &block, const std::string &name) {
  const std::vector<std::string> &known = settingsOf(block);
  return std::find(known.begin(), known.end(), name) != known.end();
}

const Setting *find(const std::map<std::string, Setting> &settings, const char *name) {
  const auto found = settings.find(name);
  return found == settings.end() ? nullptr : &found->second;
}

} // namespace

void Checker::readTrain() {
  const Block *block = blockOf("train");
  const bool fromCommandLine = std::any_of(overrides.begin(), overrides.end(), [](const Override &one) {
    return !one.parts.empty() && one.parts.size() > 1 && one.parts[0] == "train";
  });
  if (block == nullptr && !fromCommandLine) {
    return;
  }
  if (block != nullptr) {
    for (const Entry &entry : block->entries) {
      if (entry.kind == Entry::Kind::block) {
        report("not-in-edition", entry.nameSpan, {{"what", "`" + entry.name + " { ... }` in `train`"}});
      } else if (entry.kind != Entry::Kind::setting) {
        report("misplaced-entry", entry.span,
               {{"entry", entry.kind == Entry::Kind::binding ? "a binding" : "this entry"},
                {"block", "`train`"},
                {"rule", "`train` has settings"},
                {"hint", entry.kind == Entry::Kind::binding && isSetting("train", entry.name) ? "write `" + entry.name + ": ...`" : ""}});
      }
    }
  }
  pipeline.trains = true;
  TrainConfig &train = pipeline.train;
  const auto given = settings("train", block);
  readOptimizer(find(given, "optimizer"));
  readSchedule(find(given, "schedule"));
  const Setting *epochs = find(given, "epochs"), *steps = find(given, "steps");
  if (epochs != nullptr && steps != nullptr) {
    report("epochs-and-steps", steps->nameSpan, {}, {{epochs->nameSpan.range(), "set here"}});
  }
  if (steps != nullptr) {
    ParameterSpec spec = integer("steps", 1, 1, 1e15);
    if (const auto value = simpleSetting(given, "train", spec)) {
      train.steps = std::get<std::int64_t>(*value);
    }
  } else if (const auto value = simpleSetting(given, "train", number("epochs", 1, 0, true))) {
    train.epochs = std::get<double>(*value);
    if (train.epochs > 1e9) { // NaN: not known yet
      report("out-of-range", epochs->value->span,
             {{"name", "epochs"}, {"value", formatNumber(train.epochs)}, {"rule", "at most 1,000,000,000"}});
    }
  }
  if (const auto value = simpleSetting(given, "train", integer("batch", 32, 1, 1 << 20))) {
    train.batch = std::get<std::int64_t>(*value);
  }
  if (const auto value = simpleSetting(given, "train", integer("accumulate", 1, 1, 1 << 20))) {
    train.accumulate = std::get<std::int64_t>(*value);
  }
  if (const auto value = simpleSetting(given, "train", integer("seed", 42, 0, 9.2e18))) {
    train.seed = static_cast<std::uint64_t>(std::get<std::int64_t>(*value));
  }
  if (const auto value = simpleSetting(given, "train", number("clip_norm", 0, 0, false))) {
    train.clipNorm = std::get<double>(*value);
  }
  if (const auto value = simpleSetting(given, "train", integer("log_every", 1, 1, 1e15))) {
    train.logEvery = std::get<std::int64_t>(*value);
  }
  readValidate(find(given, "validate"));
  readObjective(find(given, "minimize"));
  readFrom(find(given, "from"));
  readFreeze(find(given, "freeze"));
  readRates(find(given, "rates"));
}

void Checker::readOptimizer(const Setting *setting) {
  OptimizerConfig &config = pipeline.train.optimizer;
  static const Expression standard = [] {
    Expression name;
    name.kind = Expression::Kind::name;
    name.text = "adam";
    return name;
  }();
  const Origin origin = setting == nullptr ? Origin::standard : setting->origin;
  const Choice choice =
      chooseCall(setting == nullptr ? standard : *setting->value, optimizers(), "an optimizer", "train.optimizer", top, origin);
  if (!choice.good) {
    return;
  }
  config.kind = choice.name;
  config.lr = doubleOf(choice.attributes, "lr", config.lr);
  config.momentum = doubleOf(choice.attributes, "momentum", 0);
  config.beta1 = doubleOf(choice.attributes, "beta1", config.beta1);
  config.beta2 = doubleOf(choice.attributes, "beta2", config.beta2);
  config.epsilon = doubleOf(choice.attributes, "epsilon", config.epsilon);
  config.weightDecay = doubleOf(choice.attributes, "weight_decay", 0);
  if (const auto nesterov = choice.attributes.find("nesterov"); nesterov != choice.attributes.end()) {
    config.nesterov = std::get<bool>(nesterov->second);
  }
}

void Checker::readSchedule(const Setting *setting) {
  static const Expression standard = [] {
    Expression name;
    name.kind = Expression::Kind::name;
    name.text = "constant";
    return name;
  }();
  const Origin origin = setting == nullptr ? Origin::standard : setting->origin;
  const Choice choice =
      chooseCall(setting == nullptr ? standard : *setting->value, schedules(), "a schedule", "train.schedule", top, origin);
  if (!choice.good) {
    return;
  }
  const auto &warmup = std::get<std::vector<double>>(choice.attributes.at("warmup"));
  pipeline.train.schedule.kind = choice.name;
  pipeline.train.schedule.warmupFraction = std::max(0.0, warmup[0]);
  pipeline.train.schedule.warmupSteps = warmup[1] >= 0 ? static_cast<std::int64_t>(warmup[1]) : -1;
}

void Checker::readValidate(const Setting *setting) {
  TrainConfig &train = pipeline.train;
  if (setting == nullptr) {
    resolve("train.validate", "every(1 epoch)", Origin::standard);
    return;
  }
  const Expression &value = *setting->value;
  const auto wrong = [&](const Span &span) {
    report("wrong-type", span,
           {{"name", "validate"},
            {"expected", "`every(1 epoch)`, `every(100 steps)` or `never`"},
            {"found", "`" + std::string(span.text().substr(0, 60)) + "`"}});
  };
  if (value.kind == Expression::Kind::error) {
    return;
  }
  if (value.kind == Expression::Kind::name && value.text == "never") {
    train.validateEpochs = 0;
  } else if (value.kind == Expression::Kind::call && value.children[0].kind == Expression::Kind::name &&
             value.children[0].text == "every" && value.arguments.size() == 1 && value.arguments[0].name.empty()) {
    const Expression &period = value.arguments[0].value;
    const bool epochs = period.kind == Expression::Kind::quantity && (period.text == "epoch" || period.text == "epochs");
    const bool steps = period.kind == Expression::Kind::quantity && (period.text == "step" || period.text == "steps");
    if (period.kind == Expression::Kind::error) {
      return;
    }
    if (!epochs && !steps) {
      wrong(period.span);
      return;
    }
    if (!(period.number > 0) || period.number > 1e15 || (steps && period.number != std::floor(period.number))) {
      report("out-of-range", period.span,
             {{"name", "every"}, {"value", formatNumber(period.number)}, {"rule", "greater than 0, and whole for steps"}});
      return;
    }
    train.validateEpochs = epochs ? period.number : 0;
    train.validateSteps = steps ? static_cast<std::int64_t>(period.number) : -1;
  } else {
    wrong(value.span);
    return;
  }
  const double period = train.validateSteps > 0 ? static_cast<double>(train.validateSteps) : train.validateEpochs;
  const std::string unit = std::string(train.validateSteps > 0 ? " step" : " epoch") + (period == 1 ? "" : "s");
  resolve("train.validate", period > 0 ? "every(" + formatNumber(period) + unit + ")" : "never", setting->origin, value.span);
}

void Checker::readKeep(const Setting *setting) {
  Override *patience = findOverride("train.keep.patience");
  if (setting == nullptr) {
    if (patience != nullptr) {
      patience->used = false; // reported as an argument of what is no call
    }
    resolve("train.keep", "last", Origin::standard);
    return;
  }
  const Expression &value = *setting->value;
  if (value.kind == Expression::Kind::error) {
    return;
  }
  if (value.kind == Expression::Kind::name && value.text == "last") {
    if (patience != nullptr) {
      patience->used = false;
    }
    resolve("train.keep", "last", setting->origin, value.span);
    return;
  }
  const bool best = value.kind == Expression::Kind::call && value.children[0].kind == Expression::Kind::name &&
                    value.children[0].text == "best" && !value.arguments.empty() && value.arguments.size() <= 2 &&
                    value.arguments[0].name.empty() && (value.arguments.size() == 1 || value.arguments[1].name == "patience");
  if (!best) {
    report("wrong-type", value.span,
           {{"name", "keep"},
            {"expected", "`best(dev.RESULT)`, `best(dev.RESULT, patience: 3)` or `last`"},
            {"found", "`" + std::string(value.span.text().substr(0, 60)) + "`"}});
    return;
  }
  const Expression &result = value.arguments[0].value;
  std::string split;
  bool higher = true;
  const auto name = resultName(result, {"dev"}, &split, &higher);
  if (!name) {
    return;
  }
  if (split != "dev") {
    const bool measured = resultNames["dev"].count(*name) > 0;
    report("out-of-range", result.span,
           {{"name", "keep"},
            {"value", split + "." + *name},
            {"rule", "a result on `dev`, the split that training validates on"},
            {"hint", measured ? "write `dev." + *name + "`" : "measure it in `evaluate { dev: [...] }`, and write `dev." + *name + "`"}});
    return;
  }
  if (pipeline.train.validateEpochs <= 0 && pipeline.train.validateSteps <= 0) {
    report("keep-without-validation", value.span, {{"result", split + "." + *name}});
    return;
  }
  pipeline.train.keepMetric = split + "." + *name;
  pipeline.train.keepHigher = higher;
  resolve("train.keep", "best(" + pipeline.train.keepMetric + ")", setting->origin, value.span);
  ParameterSpec spec = integer("patience", 0, 0, 1e9);
  if (patience == nullptr && value.arguments.size() < 2) {
    resolve("train.keep.patience", "0", Origin::standard);
    return;
  }
  if (patience != nullptr) {
    for (const diagnostics::Diagnostic &problem : patience->problems) {
      diagnostics.add(problem);
    }
  }
  const Expression &given = patience != nullptr ? patience->value : value.arguments[1].value;
  Place place;
  Origin origin = patience != nullptr ? Origin::commandLine : setting->origin;
  if (const auto count = evaluateParameter(given, spec, "best", top, place, &origin)) {
    pipeline.train.patience = std::get<std::int64_t>(*count);
    resolve("train.keep.patience", std::to_string(pipeline.train.patience), origin, given.span);
  }
}

void Checker::readFrom(const Setting *setting) {
  if (setting == nullptr) {
    resolve("train.from", "none", Origin::standard);
    return;
  }
  const Expression &value = *setting->value;
  if (value.kind == Expression::Kind::error) {
    return;
  }
  if (value.kind == Expression::Kind::name && value.text == "none") {
    resolve("train.from", "none", setting->origin, value.span);
    return;
  }
  if (value.kind == Expression::Kind::call && value.children[0].kind == Expression::Kind::name && value.children[0].text == "run" &&
      value.arguments.size() == 1 && value.arguments[0].name.empty()) {
    ParameterSpec spec;
    spec.name = "run";
    spec.type = Type::path;
    Place place;
    Origin origin = setting->origin;
    if (const auto path = evaluateParameter(value.arguments[0].value, spec, "run", top, place, &origin)) {
      pipeline.train.from = std::get<std::string>(*path);
      fromSpan = value.span;
      resolve("train.from", "run(" + quote(pipeline.train.from) + ")", origin, value.span);
    }
    return;
  }
  report("wrong-type", value.span,
         {{"name", "from"}, {"expected", "`run(FOLDER)` or `none`"}, {"found", "`" + std::string(value.span.text().substr(0, 60)) + "`"}});
}

void Checker::readObjective(const Setting *setting) {
  if (setting != nullptr) {
    Place place;
    place.path = "minimize";
    const Value value = evaluate(*setting->value, top, place);
    if (value.kind == Value::Kind::error || value.kind == Value::Kind::unknown) {
      return;
    }
    const bool scalar =
        value.kind == Value::Kind::node && graph.nodes[static_cast<std::size_t>(value.node)].type.kind == ValueType::Kind::scalar;
    if (!scalar) {
      report("objective-not-scalar", setting->value->span, {{"found", describe(value)}});
      return;
    }
    graph.objective = value.node;
    resolve("train.minimize", formatObjective(), setting->origin, setting->value->span);
  } else {
    const Block *block = blockOf("train");
    const Span at = block != nullptr ? block->keywordSpan : overrides.empty() ? Span{} : overrides.front().nameSpan();
    if (graph.answers.size() == 1) {
      const Answer &answer = graph.answers[0];
      if (answer.loss < 0) {
        report("answer-without-loss", top.values.at(answer.name).span, {{"name", answer.name}});
        return;
      }
      graph.objective = answer.loss;
      resolve("train.minimize", formatObjective(), Origin::standard);
    } else if (graph.answers.size() > 1 && modelGood) {
      std::string example;
      for (const Answer &answer : graph.answers) {
        if (answer.loss >= 0) {
          example += (example.empty() ? "" : " + ") + answer.name + ".loss";
        }
      }
      report("objective-needed", at, {{"count", std::to_string(graph.answers.size())}, {"example", example}});
    }
  }
  if (graph.objective >= 0 && modelGood) {
    const bool trainable = std::any_of(graph.nodes.begin(), graph.nodes.end(), hasWeights);
    if (!trainable) {
      const Block *block = blockOf("train");
      report("nothing-to-train", block != nullptr ? block->keywordSpan : Span{});
    }
  }
}

// ---- evaluate

void Checker::readEvaluate() {
  const Block *block = blockOf("evaluate");
  const auto given = settings("evaluate", block);
  for (const char *split : {"train", "dev", "test"}) {
    if (const Setting *setting = find(given, split)) {
      readMetrics(split, *setting);
    }
  }
  nameResults();
  if (const Setting *setting = find(given, "confidence")) {
    readConfidence(*setting);
  }
  if (block == nullptr) {
    return;
  }
  for (const Entry &entry : block->entries) {
    if (entry.kind == Entry::Kind::expect) {
      readExpect(entry);
    } else if (entry.kind != Entry::Kind::setting) {
      report(
          "misplaced-entry", entry.span,
          {{"entry", entry.kind == Entry::Kind::binding ? "a binding" : "this entry"},
           {"block", "`evaluate`"},
           {"rule", "`evaluate` has lists of metrics and `expect`s"},
           {"hint", entry.kind == Entry::Kind::binding && isSetting("evaluate", entry.name) ? "write `" + entry.name + ": [...]`" : ""}});
    }
  }
  resolveExpectations();
}

/// One value for all expectations of a result, in the order of the file.
void Checker::resolveExpectations() {
  std::map<std::string, std::pair<std::string, Span>> values;
  std::vector<std::string> order;
  for (std::size_t i = 0; i < pipeline.expectations.size(); ++i) {
    const Expectation &one = pipeline.expectations[i];
    const std::string key = "expect." + one.split + "." + one.metric;
    const auto [held, fresh] = values.try_emplace(key, "", expectSpans[i]);
    std::string &text = held->second.first;
    text += (text.empty() ? "" : ", ") + one.comparison + " " + formatNumber(one.bound);
    if (fresh) {
      order.push_back(key);
    }
  }
  for (const std::string &key : order) {
    resolve(key, values[key].first, Origin::file, values[key].second);
  }
}

void Checker::readConfidence(const Setting &setting) {
  const Choice choice =
      chooseCall(*setting.value, confidences(), "a kind of confidence interval", "evaluate.confidence", top, setting.origin);
  if (!choice.good) {
    return;
  }
  pipeline.confidence.level = doubleOf(choice.attributes, "level", 0.95);
  pipeline.confidence.samples = std::get<std::int64_t>(choice.attributes.at("samples"));
  pipeline.confidence.seed = static_cast<std::uint64_t>(std::get<std::int64_t>(choice.attributes.at("seed")));
}

/// The call that gives a result of that name, of the metric with the fewest results; empty where there is none.
std::string Checker::metricThatGives(const std::string &name) const {
  std::string call;
  std::size_t fewest = 0;
  for (const PluginManifest &metric : manifests) {
    const bool fits = std::any_of(graph.answers.begin(), graph.answers.end(), [&](const Answer &one) { return judges(metric, one); });
    if (metric.kind != PluginKind::metric || (!graph.answers.empty() && !fits)) {
      continue;
    }
    std::vector<PluginValue> values;
    for (const PluginParameter &parameter : metric.parameters) {
      values.push_back(parameter.defaultValue);
    }
    const auto count = [&]() -> std::size_t { // of results, where that one is among them
      const auto results = metric.resultsFor(values);
      const bool has = std::any_of(results.begin(), results.end(), [&](const MetricResult &result) { return result.name == name; });
      return has ? results.size() : 0;
    };
    std::string arguments;
    std::size_t results = count();
    for (std::size_t i = 0; i < metric.parameters.size(); ++i) {
      const std::vector<std::string> &members = metric.parameters[i].members;
      const PluginValue standard = values[i];
      std::vector<std::pair<std::string, std::size_t>> ways;
      for (const std::string &member : members) {
        values[i] = member;
        ways.emplace_back(member, count());
      }
      values[i] = standard;
      std::erase_if(ways, [](const auto &way) { return way.second == 0; });
      if (!ways.empty() && ways.size() < members.size()) { // it decides, and is written though it may be the standard
        arguments = "(" + metric.parameters[i].name + ": " + ways[0].first + ")";
        results = ways[0].second;
      }
    }
    if (results > 0 && (call.empty() || results < fewest)) {
      call = metric.name + arguments;
      fewest = results;
    }
  }
  return call;
}

bool Checker::judges(const PluginManifest &metric, const Answer &answer) const {
  const Column *column = dataBlock.find(answer.target);
  const std::string type = column == nullptr ? "" : column->type;
  // Metrics of classes judge tags word by word.
  return !answer.learner && (type.empty() || metric.takes(type) || (type == "tags" && metric.takes("class")));
}

void Checker::readMetrics(const std::string &split, const Setting &setting) {
  const Expression &list = *setting.value;
  if (list.kind == Expression::Kind::error) {
    return;
  }
  std::vector<std::string> metricNames; // of those that judge some answer
  for (const PluginManifest &manifest : manifests) {
    const auto fits = [&](const Answer &answer) { return judges(manifest, answer); };
    if (manifest.kind == PluginKind::metric && (graph.answers.empty() || std::any_of(graph.answers.begin(), graph.answers.end(), fits))) {
      metricNames.push_back(manifest.name);
    }
  }
  if (list.kind != Expression::Kind::list) {
    // What stands there may be a metric without its list.
    const Expression &callee = list.kind == Expression::Kind::call ? list.children[0] : list;
    const bool isMetric =
        callee.kind == Expression::Kind::name && std::find(metricNames.begin(), metricNames.end(), callee.text) != metricNames.end();
    const std::string example = isMetric ? std::string(list.span.text().substr(0, 60)) : metricNames.empty() ? "" : metricNames[0];
    report("wrong-type", list.span,
           {{"name", split},
            {"expected", "a list of metrics"},
            {"found", "`" + std::string(list.span.text().substr(0, 60)) + "`"},
            {"hint", example.empty() ? "" : "write `[" + example + "]`"}});
    return;
  }
  std::string shown = "[";
  std::map<std::string, SourceRange> seen;
  std::map<std::string, const Answer *> byName;
  for (const Answer &answer : graph.answers) {
    byName.emplace(answer.name, &answer);
  }
  for (const Expression &item : list.children) {
    if (item.kind == Expression::Kind::error || diagnostics.full()) {
      continue;
    }
    const Expression &callee = item.kind == Expression::Kind::call ? item.children[0] : item;
    static const std::vector<Argument> none;
    const std::vector<Argument> &arguments = item.kind == Expression::Kind::call ? item.arguments : none;
    const PluginManifest *manifest = nullptr;
    const PluginManifest *other = nullptr;
    if (callee.kind == Expression::Kind::name) {
      for (const PluginManifest &one : manifests) {
        if (one.name == callee.text) {
          (one.kind == PluginKind::metric ? manifest : other) = &one;
        }
      }
    }
    if (manifest == nullptr) {
      const std::string name = callee.kind == Expression::Kind::name ? callee.text : std::string(callee.span.text().substr(0, 40));
      const bool operation = findBuiltin(name) != nullptr || (program.main().definitions.count(name) > 0);
      if (other != nullptr || operation) {
        report("wrong-plugin-kind", callee.span,
               {{"name", name},
                {"kind", other == nullptr                  ? "operation"
                         : other->kind == PluginKind::head ? "head"
                                                           : "tokenizer"},
                {"wanted", "metric"},
                {"rule", "the list of a split has metrics"}});
      } else {
        const std::string call = metricThatGives(name);
        report("unknown-callable", callee.span,
               {{"name", name},
                {"hint", call.empty() ? hintForWord("metric", name, metricNames) : "`" + name + "` is a result of `" + call + "`"}});
      }
      continue;
    }
    const Signature signature = signatureOf(*manifest);
    // `answer: fails` is a name, not a string.
    std::vector<Argument> rest;
    const Argument *named = nullptr;
    for (const Argument &argument : arguments) {
      if (argument.name == "answer") {
        named = &argument;
      } else {
        rest.push_back(argument);
      }
    }
    Place place;
    BoundCall bound = bindCall(signature, item.span, rest, std::nullopt, {}, top, place, "");
    bound.attributes.erase("answer");
    const Answer *judged = nullptr;
    if (named != nullptr) {
      const std::string name =
          named->value.kind == Expression::Kind::name ? named->value.text : std::string(named->value.span.text().substr(0, 40));
      const auto known = byName.find(name);
      judged = known == byName.end() ? nullptr : known->second;
      if (judged == nullptr && modelGood) {
        std::vector<std::string> fittingAnswers;
        for (const Answer &answer : graph.answers) {
          if (judges(*manifest, answer)) {
            fittingAnswers.push_back(answer.name);
          }
        }
        report("unknown-name", named->value.span, {{"name", name}, {"nearest", nearest(name, fittingAnswers)}});
        continue;
      }
    } else if (graph.answers.size() == 1) {
      judged = &graph.answers[0];
    } else if (graph.answers.size() > 1 && modelGood) {
      const auto fitting =
          std::find_if(graph.answers.begin(), graph.answers.end(), [&](const Answer &answer) { return judges(*manifest, answer); });
      report("answer-needed", item.span, {{"metric", manifest->name}, {"example", fitting == graph.answers.end() ? "" : fitting->name}});
      continue;
    }
    if (judged != nullptr) {
      const Column *column = dataBlock.find(judged->target);
      const std::string type = column == nullptr ? "" : column->type;
      if (!judges(*manifest, *judged)) {
        std::string expected;
        for (const std::string &target : manifest->targets) {
          expected += (expected.empty() ? "" : " or ") + (target == "class" ? "classes" : target == "tags" ? "tags" : target + "s");
        }
        report("metric-not-for-answer", item.span,
               {{"metric", manifest->name},
                {"expected", expected},
                {"answer", judged->name},
                {"found", judged->learner  ? "of a learner, which has no column to be compared with"
                          : type == "tags" ? "tags"
                                           : "a " + type}});
        continue;
      }
    }
    if (!bound.good) {
      continue;
    }
    Measured one;
    one.use.split = split;
    one.use.plugin = manifest->name;
    one.use.parameters = bound.attributes;
    one.use.answer = judged == nullptr ? "" : judged->name;
    one.use.range = item.span.range();
    std::vector<PluginValue> values;
    for (const PluginParameter &parameter : manifest->parameters) {
      const auto found = bound.attributes.find(parameter.name);
      values.push_back(found == bound.attributes.end() ? parameter.defaultValue
                                                       : std::visit(
                                                             [](const auto &held) -> PluginValue {
                                                               using T = std::decay_t<decltype(held)>;
                                                               if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
                                                                 return std::int64_t{0};
                                                               } else {
                                                                 return held;
                                                               }
                                                             },
                                                             found->second));
    }
    one.results = manifest->resultsFor(values);
    // Two uses are one where their results have one name; where a metric has no results, where its parameters agree.
    std::string key = manifest->name + " " + one.use.answer;
    for (const MetricResult &result : one.results) {
      key += " " + result.name;
    }
    for (const auto &[name, attribute] : one.use.parameters) {
      key += one.results.empty() ? " " + name + ": " + formatAttribute(attribute) : "";
    }
    if (const auto [before, fresh] = seen.emplace(key, one.use.range); !fresh) {
      report("duplicate-metric", item.span, {{"name", manifest->name}, {"split", split}}, {{before->second, "measured here"}});
    }
    const std::string written = formatCall(*manifest, one.use.parameters, graph.answers.size() > 1 ? one.use.answer : "");
    shown += (shown.size() > 1 ? ", " : "") + written;
    measured.push_back(std::move(one));
  }
  resolve("evaluate." + split, shown + "]", setting.origin, list.span);
}

void Checker::nameResults() {
  // As the runtime names them: where names repeat, those of later answers get the answer's name before them.
  for (const char *split : {"train", "dev", "test"}) {
    std::map<std::string, bool> &names = resultNames[split];
    const auto add = [&](const Measured &one) {
      for (const MetricResult &result : one.results) {
        const bool taken = names.count(result.name) > 0;
        names[taken && graph.answers.size() > 1 ? one.use.answer + "." + result.name : result.name] = result.higherIsBetter;
      }
    };
    std::map<std::string, std::vector<const Measured *>> byAnswer;
    for (const Measured &one : measured) {
      if (one.use.split == split) {
        byAnswer[one.use.answer].push_back(&one);
      }
    }
    for (const Answer &answer : graph.answers) {
      for (const Measured *one : byAnswer[answer.name]) {
        add(*one);
      }
    }
    for (const Measured *one : byAnswer[""]) {
      add(*one);
    }
  }
  for (const Measured &one : measured) {
    pipeline.metrics.push_back(one.use);
  }
}

namespace {

/// `f1` for `f1_macro`, or the reverse: the metric is meant, its result has a longer or shorter name.
bool isOfOneMetric(const std::string &result, const std::string &written) {
  return !written.empty() && (result.starts_with(written + "_") || written.starts_with(result + "_"));
}

} // namespace

std::optional<std::string> Checker::resultName(const Expression &expression, const std::vector<std::string> &splits, std::string *split,
                                               bool *higher) {
  if (expression.kind == Expression::Kind::error) {
    return std::nullopt;
  }
  std::vector<std::string> parts;
  const Expression *at = &expression;
  while (at->kind == Expression::Kind::member) {
    parts.insert(parts.begin(), at->text);
    at = &at->children[0];
  }
  if (at->kind == Expression::Kind::name) {
    parts.insert(parts.begin(), at->text);
  }
  if (at->kind != Expression::Kind::name || parts.size() < 2) {
    // What is measured under that name, else under one that is near, else anything.
    std::string hint, related;
    const std::string wanted = parts.empty() ? "" : parts[0];
    std::vector<std::string> all;
    for (const std::string &one : splits) {
      hint = hint.empty() && resultNames[one].count(wanted) > 0 ? "write `" + one + "." + wanted + "`" : hint;
      for (const auto &[result, better] : resultNames[one]) {
        all.push_back(one + "." + result);
        related = related.empty() && isOfOneMetric(result, wanted) ? all.back() : related;
      }
    }
    if (const std::string near = nearest(splits[0] + "." + wanted, all); hint.empty() && !wanted.empty() && !near.empty()) {
      hint = "did you mean `" + near + "`?";
    } else if (hint.empty() && !related.empty()) {
      hint = "did you mean `" + related + "`?";
    } else if (hint.empty() && !all.empty()) {
      hint = "write one that `evaluate` measures, such as `" + all[0] + "`";
    }
    report("wrong-type", expression.span,
           {{"name", "a result"},
            {"expected", "a split and the name of a result"},
            {"found", "`" + std::string(expression.span.text().substr(0, 60)) + "`"},
            {"hint", hint}});
    return std::nullopt;
  }
  *split = parts[0];
  const auto known = resultNames.find(parts[0]);
  if (known == resultNames.end()) {
    report("unknown-split", at->span, {{"name", parts[0]}, {"hint", hintForWord("evaluate", parts[0], splits)}});
    return std::nullopt;
  }
  std::string name = parts[1];
  for (std::size_t i = 2; i < parts.size(); ++i) {
    name += "." + parts[i];
  }
  if (std::find(splits.begin(), splits.end(), parts[0]) == splits.end()) {
    return name; // of a split that has no say here
  }
  const auto result = known->second.find(name);
  if (result == known->second.end()) {
    std::string near;
    std::vector<std::string> names;
    for (const auto &[one, better] : known->second) {
      names.push_back(parts[0] + "." + one);
      near = near.empty() && isOfOneMetric(one, name) ? names.back() : near;
    }
    const std::string typed = nearest(parts[0] + "." + name, names), call = metricThatGives(name);
    near = !call.empty() ? "" : typed.empty() ? near : typed; // a name without a fault is none that is near
    report("missing-evaluation", expression.span,
           {{"split", parts[0]},
            {"name", name},
            {"hint", !near.empty()    ? "did you mean `" + near + "`?"
                     : !call.empty()  ? "add `" + call + "` to `evaluate { " + parts[0] + ": [...] }`"
                     : !names.empty() ? "no metric has such a result; write one that is measured, such as `" + names[0] + "`"
                                      : ""}});
    return std::nullopt;
  }
  *higher = result->second;
  return name;
}

void Checker::readExpect(const Entry &entry) {
  Expectation expectation;
  expectation.range = entry.span.range();
  expectation.comparison = entry.comparison;
  bool higher = true;
  const auto name = resultName(entry.value, {"test", "dev", "train"}, &expectation.split, &higher);
  Place place;
  const Value bound = evaluate(entry.bound, top, place);
  bool good = name.has_value() && !entry.comparison.empty();
  if (bound.kind == Value::Kind::integer) {
    expectation.bound = bound.integer == unknownSize ? std::nan("") : static_cast<double>(bound.integer);
  } else if (bound.kind == Value::Kind::floating) {
    expectation.bound = bound.number;
  } else {
    if (bound.kind != Value::Kind::error) {
      report("bad-expect", entry.bound.span, {{"found", describe(bound)}});
    }
    good = false;
  }
  if (good) {
    expectation.metric = *name;
    pipeline.expectations.push_back(std::move(expectation));
    expectSpans.push_back(entry.span);
  }
}

void Checker::readTarget() {
  const Block *block = blockOf("target");
  if (block != nullptr) {
    for (const Entry &entry : block->entries) {
      if (entry.kind != Entry::Kind::setting) {
        report("misplaced-entry", entry.span, {{"entry", "this entry"}, {"block", "`target`"}, {"rule", "`target` has settings"}});
      }
    }
  }
  const auto given = settings("target", block);
  const auto word = [&](const char *name, std::vector<std::string> members, const char *standard) {
    ParameterSpec spec;
    spec.name = name;
    spec.type = Type::enumeration;
    spec.members = std::move(members);
    spec.defaultValue = std::string(standard);
    const auto value = simpleSetting(given, "target", spec);
    return value ? std::get<std::string>(*value) : std::string(standard);
  };
  pipeline.target.device = word("device", {"cpu"}, "cpu");
  const std::string level = word("level", {"auto", "avx2", "avx512", "amx"}, "auto");
  pipeline.target.level = level == "auto" ? "" : level;
  pipeline.target.precision = word("precision", {"fp32", "bf16"}, "fp32");
  if (const auto value = simpleSetting(given, "target", integer("threads", 0, 0, 4096))) {
    pipeline.target.threads = std::get<std::int64_t>(*value);
  }
}

} // namespace penstock::frontend
