#include "compiler/frontend/check/measures.h"

#include "compiler/frontend/check/conversion.h"
#include "compiler/frontend/other_tools.h"
#include "runtime/base/splits.h"

namespace penstock::frontend {

using diagnostics::nearest;

Measures::Measures(const Program &files, const Model &checked, const GraphBuilder &building, const Records &data, Scopes &names,
                   Settings &set, Evaluator &evaluating, SettingValues &reading, Reporter &reports)
    : program(files), model(checked), builder(building), records(data), scopes(names), settings(set), evaluator(evaluating),
      values(reading), reporter(reports) {}

bool Measures::has(const std::string &split, const std::string &result) const {
  const auto known = results.find(split);
  return known != results.end() && known->second.count(result) > 0;
}

std::vector<MetricSpec> Measures::metrics() const {
  std::vector<MetricSpec> uses;
  for (const Measured &one : measured) {
    uses.push_back(one.use);
  }
  return uses;
}

void Measures::read(const std::vector<ObjectiveSpec> &objectives) {
  const Block *block = program.block("evaluate");
  const BlockSettings given = settings.of("evaluate");
  for (std::size_t i = 0; i < builder.graph.answers.size(); ++i) {
    answerByName.emplace(builder.graph.answers[i].name, i);
  }
  for (const char *split : splitNames) {
    if (const Setting *setting = find(given, split)) {
      const bool asks = setting->value->kind != Expression::Kind::list || !setting->value->children.empty();
      if (asks && !records.hasRecords(split)) {
        reporter.report("split-without-share", setting->nameSpan, {{"result", split}, {"split", split}});
      }
      readMetrics(split, *setting);
    }
  }
  nameResults(objectives);
  if (const Setting *setting = find(given, "confidence")) {
    readConfidence(*setting);
  }
  if (const Setting *setting = find(given, "last")) {
    readLast(*setting);
  }
  if (block == nullptr) {
    return;
  }
  for (const Entry &entry : block->entries) {
    if (entry.kind != Entry::Kind::expect && entry.kind != Entry::Kind::setting) {
      reporter.report(
          "misplaced-entry", entry.span,
          {{"entry", entry.kind == Entry::Kind::binding ? "a binding" : "this entry"},
           {"block", "`evaluate`"},
           {"rule", "`evaluate` has lists of metrics and `expect`s"},
           {"hint", entry.kind == Entry::Kind::binding && isSetting("evaluate", entry.name) ? "write `" + entry.name + ": [...]`" : ""}});
    }
  }
}

/// `last: [test]`.
void Measures::readLast(const Setting &setting) {
  const Expression &value = *setting.value;
  const bool isList = value.kind == Expression::Kind::list;
  const std::vector<Expression> alone(isList ? 0 : 1, value);
  for (const Expression &one : isList ? value.children : alone) {
    const bool isSplit = (one.kind == Expression::Kind::name || one.kind == Expression::Kind::string) &&
                         std::find(splitNames.begin(), splitNames.end(), one.text) != splitNames.end();
    if (one.kind == Expression::Kind::error) {
      return;
    }
    if (!isSplit) {
      reporter.report(
          "wrong-type", one.span,
          {{"name", "last"}, {"expected", "a list of splits"}, {"found", excerpt(one.span, 40)}, {"hint", "write `last: [test]`"}});
      return;
    }
    lastSplits.push_back(one.text);
  }
  std::sort(lastSplits.begin(), lastSplits.end());
  if (!records.series().any()) {
    reporter.report("bad-series", setting.nameSpan,
                    {{"detail", "`last` asks for the last record of each unit, and records here are rows"},
                     {"hint", "leave `last` out, or make records with `series`"}});
  }
  settings.resolve("evaluate.last", formatAttribute(lastSplits), setting.origin, value.span);
}

void Measures::readConfidence(const Setting &setting) {
  const Choice choice =
      values.choose(*setting.value, confidences(), "a kind of confidence interval", "evaluate.confidence", setting.origin);
  if (!choice.good) {
    return;
  }
  intervals.level = std::get<double>(choice.attributes.at("level"));
  intervals.samples = std::get<std::int64_t>(choice.attributes.at("samples"));
  intervals.seed = static_cast<std::uint64_t>(std::get<std::int64_t>(choice.attributes.at("seed")));
}

/// The call that gives a result of that name, of the metric with the fewest results; empty where there is none.
std::string Measures::metricThatGives(const std::string &name) const {
  std::string call;
  std::size_t fewest = 0;
  for (const PluginManifest &metric : scopes.plugins()) {
    if (rowOf(metric.kind).place != PluginPlace::evaluate || !judgesAny(metric)) {
      continue;
    }
    std::vector<PluginValue> given;
    for (const PluginParameter &parameter : metric.parameters) {
      given.push_back(parameter.defaultValue);
    }
    const auto count = [&]() -> std::size_t { // of results, where that one is among them
      const auto all = metric.resultsFor(given);
      const bool is = std::any_of(all.begin(), all.end(), [&](const MetricResult &result) { return result.name == name; });
      return is ? all.size() : 0;
    };
    std::string arguments;
    std::size_t number = count();
    for (std::size_t i = 0; i < metric.parameters.size(); ++i) {
      const std::vector<std::string> &members = metric.parameters[i].members;
      const PluginValue standard = given[i];
      std::vector<std::pair<std::string, std::size_t>> ways;
      for (const std::string &member : members) {
        given[i] = member;
        ways.emplace_back(member, count());
      }
      given[i] = standard;
      std::erase_if(ways, [](const auto &way) { return way.second == 0; });
      if (!ways.empty() && ways.size() < members.size()) { // it decides, and is written though it may be the standard
        arguments = "(" + metric.parameters[i].name + ": " + ways[0].first + ")";
        number = ways[0].second;
      }
    }
    if (number > 0 && (call.empty() || number < fewest)) {
      call = metric.name + arguments;
      fewest = number;
    }
  }
  return call;
}

bool Measures::judges(const PluginManifest &metric, const Answer &answer) const {
  const std::string type = records.typeOf(answer.target);
  // Metrics of classes judge tags word by word.
  return !(answer.learner && answer.target.empty()) && (type.empty() || metric.takes(type) || (type == "tags" && metric.takes("class")));
}

bool Measures::judgesAny(const PluginManifest &metric) const {
  const std::vector<Answer> &answers = builder.graph.answers;
  return answers.empty() || std::any_of(answers.begin(), answers.end(), [&](const Answer &answer) { return judges(metric, answer); });
}

/// Of those that judge some answer.
std::vector<std::string> Measures::metricNames() const {
  std::vector<std::string> names;
  for (const PluginManifest &manifest : scopes.plugins()) {
    if (rowOf(manifest.kind).place == PluginPlace::evaluate && judgesAny(manifest)) {
      names.push_back(manifest.name);
    }
  }
  return names;
}

void Measures::readMetrics(const std::string &split, const Setting &setting) {
  const Expression &list = *setting.value;
  if (list.kind == Expression::Kind::error) {
    return;
  }
  if (list.kind != Expression::Kind::list) {
    reportNoList(split, list);
    return;
  }
  std::string shown;
  std::map<std::string, SourceRange> seen;
  for (const Expression &item : list.children) {
    Measured one;
    if (item.kind == Expression::Kind::error || reporter.full() || !readMetric(item, one)) {
      continue;
    }
    one.use.split = split;
    // Two uses are one where their results have one name; where a metric has no results, where its parameters agree.
    std::string key = one.use.plugin + " " + one.use.answer;
    for (const MetricResult &result : one.results) {
      key += " " + result.name;
    }
    for (const auto &[name, attribute] : one.use.parameters) {
      key += one.results.empty() ? " " + name + ": " + formatAttribute(attribute) : "";
    }
    if (const auto [before, fresh] = seen.emplace(key, one.range); !fresh) {
      reporter.report("duplicate-metric", item.span, {{"name", one.use.plugin}, {"split", split}}, {{before->second, "measured here"}});
    }
    shown += (shown.empty() ? "" : ", ") + one.written;
    measured.push_back(std::move(one));
  }
  settings.resolve("evaluate." + split, "[" + shown + "]", setting.origin, list.span);
}

void Measures::reportNoList(const std::string &split, const Expression &list) {
  // What stands there may be a metric without its list.
  const std::vector<std::string> names = metricNames();
  const Expression &callee = calleeOf(list);
  const bool isMetric = callee.kind == Expression::Kind::name && std::find(names.begin(), names.end(), callee.text) != names.end();
  const std::string example = isMetric ? excerpt(list.span) : names.empty() ? "" : names[0];
  reporter.report("wrong-type", list.span,
                  {{"name", split},
                   {"expected", "a list of metrics"},
                   {"found", "`" + excerpt(list.span) + "`"},
                   {"hint", example.empty() ? "" : "write `[" + example + "]`"}});
}

/// nullptr after a report.
const PluginManifest *Measures::findMetric(const Expression &callee) {
  const bool isName = callee.kind == Expression::Kind::name;
  const std::string name = isName ? callee.text : excerpt(callee.span, 40);
  const PluginManifest *other = nullptr;
  const PluginManifest *metric = nullptr;
  for (const PluginManifest &one : scopes.plugins()) {
    if (isName && one.name == name) {
      (rowOf(one.kind).place == PluginPlace::evaluate ? metric : other) = &one;
    }
  }
  if (metric != nullptr) {
    return metric;
  }
  if (other != nullptr || findBuiltin(name) != nullptr || program.main().definitions.count(name) > 0) {
    reporter.report("wrong-plugin-kind", callee.span,
                    {{"name", name},
                     {"kind", other == nullptr ? "operation" : kindName(other->kind)},
                     {"wanted", "metric"},
                     {"rule", "the list of a split has metrics"}});
  } else {
    const std::string call = metricThatGives(name);
    reporter.report("unknown-callable", callee.span,
                    {{"name", name},
                     {"hint", call.empty() ? hintForWord("metric", name, metricNames()) : "`" + name + "` is a result of `" + call + "`"}});
  }
  return nullptr;
}

/// The answer that a metric judges: `named`, or the only one; nullptr where the model is not known. False after a report.
bool Measures::chooseAnswer(const PluginManifest &metric, const Span &span, const Argument *named, const Answer *&judged) {
  const std::vector<Answer> &answers = builder.graph.answers;
  const auto fitting = [&] {
    std::vector<std::string> names;
    for (const Answer &answer : answers) {
      if (judges(metric, answer)) {
        names.push_back(answer.name);
      }
    }
    return names;
  };
  if (named != nullptr) {
    const std::string name = named->value.kind == Expression::Kind::name ? named->value.text : excerpt(named->value.span, 40);
    const auto known = answerByName.find(name);
    judged = known == answerByName.end() ? nullptr : &answers[known->second];
    if (judged == nullptr && model.good()) {
      reporter.report("unknown-name", named->value.span, {{"name", name}, {"nearest", nearest(name, fitting())}});
      return false;
    }
  } else if (answers.size() == 1) {
    judged = &answers[0];
  } else if (answers.size() > 1 && model.good()) {
    const std::vector<std::string> names = fitting();
    reporter.report("answer-needed", span, {{"metric", metric.name}, {"example", names.empty() ? "" : names[0]}});
    return false;
  }
  if (judged == nullptr || judges(metric, *judged)) {
    return true;
  }
  std::string takes;
  for (const std::string &target : metric.targets) {
    takes += (takes.empty() ? "" : " or ") + (target == "class" ? "classes" : target == "tags" ? "tags" : target + "s");
  }
  const std::string type = records.typeOf(judged->target);
  reporter.report("metric-not-for-answer", span,
                  {{"metric", metric.name},
                   {"expected", takes},
                   {"answer", judged->name},
                   {"found", judged->target.empty() ? "of a learner, which has no column to be compared with"
                             : type == "tags"       ? "tags"
                                                    : "a " + type}});
  return false;
}

/// Whether the classes that are named are those of the target, as far as the data are known; false after a report.
bool Measures::checkClassNames(const PluginManifest &metric, const BoundCall &bound, const Answer &judged, const Span &span) const {
  const std::vector<std::string> *const classes = records.classesOf(judged.target);
  for (const PluginParameter &parameter : metric.parameters) {
    const auto found = parameter.className ? bound.attributes.find(parameter.name) : bound.attributes.end();
    if (classes == nullptr || found == bound.attributes.end()) {
      continue;
    }
    const auto &name = std::get<std::string>(found->second);
    if (std::find(classes->begin(), classes->end(), name) == classes->end()) {
      const auto at = bound.spans.find(parameter.name);
      reporter.report("no-such-class", at == bound.spans.end() ? span : at->second,
                      {{"class", name},
                       {"name", judged.target},
                       {"nearest", nearest(name, *classes)},
                       {"example", classes->empty() ? "" : (*classes)[0]}});
      return false;
    }
  }
  return true;
}

/// One item of the list of a split. False after a report.
bool Measures::readMetric(const Expression &item, Measured &one) {
  const PluginManifest *const metric = findMetric(calleeOf(item));
  if (metric == nullptr) {
    return false;
  }
  // `answer: fails` is a name, not a string.
  std::vector<Argument> rest;
  const Argument *named = nullptr;
  for (const Argument &argument : argumentsOf(item)) {
    if (argument.name == "answer") {
      named = &argument;
    } else {
      rest.push_back(argument);
    }
  }
  Place place;
  BoundCall bound = evaluator.bind(signatureOf(*metric), item.span, rest, std::nullopt, {}, scopes.top, place, "");
  bound.attributes.erase("answer");
  const Answer *judged = nullptr;
  if (!chooseAnswer(*metric, item.span, named, judged) || !bound.good) {
    return false;
  }
  if (judged != nullptr && !checkClassNames(*metric, bound, *judged, item.span)) {
    return false;
  }
  std::vector<PluginValue> given;
  for (const PluginParameter &parameter : metric->parameters) {
    const auto found = bound.attributes.find(parameter.name);
    given.push_back(found == bound.attributes.end() ? parameter.defaultValue : pluginValue(found->second));
  }
  one.results = metric->resultsFor(given);
  one.use.plugin = metric->name;
  one.use.parameters = std::move(bound.attributes);
  one.use.answer = judged == nullptr ? "" : judged->name;
  one.range = item.span.range();
  one.written = formatCall(*metric, one.use.parameters, builder.graph.answers.size() > 1 ? one.use.answer : "");
  return true;
}

void Measures::nameResults(const std::vector<ObjectiveSpec> &objectives) {
  // As the runtime names them: where names repeat, those of later answers get the answer's name before them.
  for (const char *split : splitNames) {
    std::map<std::string, MetricResult> &names = results[split];
    for (const ObjectiveSpec &objective : objectives) {
      names[objective.lossName()] = {objective.lossName(), false};
    }
    const auto add = [&](const Measured &one) {
      for (const MetricResult &result : one.results) {
        const bool taken = names.count(result.name) > 0;
        names[taken && builder.graph.answers.size() > 1 ? one.use.answer + "." + result.name : result.name] = result;
      }
    };
    std::map<std::string, std::vector<const Measured *>> byAnswer;
    for (const Measured &one : measured) {
      if (one.use.split == split) {
        byAnswer[one.use.answer].push_back(&one);
      }
    }
    for (const Answer &answer : builder.graph.answers) {
      for (const Measured *one : byAnswer[answer.name]) {
        add(*one);
      }
    }
    for (const Measured *one : byAnswer[""]) {
      add(*one);
    }
  }
}

namespace {

/// `f1` for `f1_macro`, or the reverse: the metric is meant, its result has a longer or shorter name.
bool isOfOneMetric(const std::string &result, const std::string &written) {
  return !written.empty() && (result.starts_with(written + "_") || written.starts_with(result + "_"));
}

} // namespace

std::vector<std::string> Measures::resultsOf(const std::string &split) const {
  std::vector<std::string> names;
  if (const auto known = results.find(split); known != results.end()) {
    for (const auto &[name, higher] : known->second) {
      names.push_back(name);
    }
  }
  return names;
}

/// What is measured under that name, else under one that is near, else anything.
void Measures::reportNoResult(const Expression &expression, const std::string &written, const std::vector<std::string> &splits) const {
  std::string hint, related;
  std::vector<std::string> all;
  for (const std::string &split : splits) {
    hint = hint.empty() && has(split, written) ? "write `" + split + "." + written + "`" : hint;
    for (const std::string &result : resultsOf(split)) {
      all.push_back(split + "." + result);
      related = related.empty() && isOfOneMetric(result, written) ? all.back() : related;
    }
  }
  if (const std::string near = nearest(splits[0] + "." + written, all); hint.empty() && !written.empty() && !near.empty()) {
    hint = "did you mean `" + near + "`?";
  } else if (hint.empty() && !related.empty()) {
    hint = "did you mean `" + related + "`?";
  } else if (hint.empty() && !all.empty()) {
    hint = "write one that `evaluate` measures, such as `" + all[0] + "`";
  }
  reporter.report("wrong-type", expression.span,
                  {{"name", "a result"},
                   {"expected", "a split and the name of a result"},
                   {"found", "`" + excerpt(expression.span) + "`"},
                   {"hint", hint}});
}

void Measures::reportNotMeasured(const Expression &expression, const std::string &split, const std::string &name) const {
  std::string near;
  std::vector<std::string> names;
  for (const std::string &one : resultsOf(split)) {
    names.push_back(split + "." + one);
    near = near.empty() && isOfOneMetric(one, name) ? names.back() : near;
  }
  const std::string typed = nearest(split + "." + name, names), call = metricThatGives(name);
  near = !call.empty() ? "" : typed.empty() ? near : typed; // a name without a fault is none that is near
  reporter.report("missing-evaluation", expression.span,
                  {{"split", split},
                   {"name", name},
                   {"hint", !near.empty()    ? "did you mean `" + near + "`?"
                            : !call.empty()  ? "add `" + call + "` to `evaluate { " + split + ": [...] }`"
                            : !names.empty() ? "no metric has such a result; write one that is measured, such as `" + names[0] + "`"
                                             : ""}});
}

std::optional<std::string> Measures::resultName(const Expression &expression, const std::vector<std::string> &splits, std::string *split,
                                                bool *higher) const {
  if (expression.kind == Expression::Kind::error) {
    return std::nullopt;
  }
  std::vector<std::string> parts;
  const Expression *at = &expression;
  std::string ofClass; // `test.recall(class: "failure")` is the result `recall[failure]`
  if (at->kind == Expression::Kind::call && at->children[0].kind == Expression::Kind::member && at->arguments.size() == 1 &&
      at->arguments[0].name == "class" && at->arguments[0].value.kind == Expression::Kind::string) {
    ofClass = "[" + at->arguments[0].value.text + "]";
    at = &at->children[0];
  }
  while (at->kind == Expression::Kind::member) {
    parts.insert(parts.begin(), at->text);
    at = &at->children[0];
  }
  if (at->kind == Expression::Kind::name) {
    parts.insert(parts.begin(), at->text);
  }
  if (at->kind != Expression::Kind::name || parts.size() < 2) {
    reportNoResult(expression, parts.empty() ? "" : parts[0], splits);
    return std::nullopt;
  }
  *split = parts[0];
  const auto known = results.find(parts[0]);
  if (known == results.end()) {
    reporter.report("unknown-split", at->span, {{"name", parts[0]}, {"hint", hintForWord("evaluate", parts[0], splits)}});
    return std::nullopt;
  }
  std::string name = parts[1];
  for (std::size_t i = 2; i < parts.size(); ++i) {
    name += "." + parts[i];
  }
  name += ofClass;
  if (std::find(splits.begin(), splits.end(), parts[0]) == splits.end()) {
    return name; // of a split that has no say here
  }
  if (!records.hasRecords(parts[0])) {
    reporter.report("split-without-share", expression.span, {{"result", parts[0] + "." + name}, {"split", parts[0]}});
    return std::nullopt;
  }
  const auto result = known->second.find(name);
  if (result == known->second.end()) {
    reportNotMeasured(expression, parts[0], name);
    return std::nullopt;
  }
  *higher = result->second.higherIsBetter;
  return name;
}

/// A bound that a result cannot reach is a slip: a percentage for a share, most often.
void Measures::checkBound(const Span &span, const std::string &split, const std::string &name, double bound) const {
  if (!has(split, name)) {
    return;
  }
  const MetricResult &result = results.at(split).at(name);
  const auto leaves = [&](double value) {
    return (result.hasMinimum && value < result.minimum) || (result.hasMaximum && value > result.maximum);
  };
  if (!leaves(bound)) { // nor does one that is not known yet, NaN
    return;
  }
  const auto shown = [](double value) { return formatAttribute(Attribute(value)); };
  const std::string least = result.hasMinimum ? shown(result.minimum) : "", most = result.hasMaximum ? shown(result.maximum) : "";
  const bool share = result.hasMaximum && result.maximum == 1 && bound > 1 && !leaves(bound / 100);
  reporter.report("bound-out-of-range", span,
                  {{"result", split + "." + name},
                   {"bound", shown(bound)},
                   {"range", least.empty()  ? "at most at " + most
                             : most.empty() ? "at least at " + least
                                            : "between " + least + " and " + most},
                   {"hint", share ? "did you mean `" + shown(bound / 100) + "`?" : ""}});
}

} // namespace penstock::frontend
