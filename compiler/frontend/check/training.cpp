#include "compiler/frontend/check/training.h"

#include "compiler/frontend/check/objective_text.h"
#include "compiler/frontend/check/record_weights.h"
#include "runtime/base/device_names.h"
#include "runtime/base/level_names.h"

namespace penstock::frontend {

namespace {

/// What stands for a setting that is not given.
Expression nameExpression(const char *name) {
  Expression expression;
  expression.kind = Expression::Kind::name;
  expression.text = name;
  return expression;
}

bool isName(const Expression &expression, const char *name) { return expression.kind == Expression::Kind::name && expression.text == name; }

/// A call of that name; bare of its parentheses it is none.
bool isCallOf(const Expression &expression, const char *name) {
  return expression.kind == Expression::Kind::call && isName(expression.children[0], name);
}

} // namespace

Training::Training(const Program &files, const Model &checked, GraphBuilder &building, Scopes &names, Settings &set, Evaluator &evaluating,
                   SettingValues &reading, Reporter &reports)
    : program(files), model(checked), builder(building), scopes(names), settings(set), evaluator(evaluating), values(reading),
      reporter(reports) {}

void Training::reportWrong(const char *name, const char *expected, const Span &span) {
  reporter.report("wrong-type", span, {{"name", name}, {"expected", expected}, {"found", "`" + excerpt(span) + "`"}});
}

void Training::read(bool hasDev) {
  const Block *block = program.block("train");
  if (block == nullptr && !settings.overridesBlock("train")) {
    return;
  }
  if (block != nullptr) {
    readEntries(*block);
  }
  given = settings.of("train");
  const std::vector<ObjectiveBlock> blocks = objectiveBlocks();
  train.objectives.resize(blocks.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    train.objectives[i].name = blocks[i].name;
    readOptimizer(blocks[i], train.objectives[i]);
    readSchedule(blocks[i], train.objectives[i]);
  }
  readLength();
  for (const SettingSpec &setting : trainSettings()) {
    for (std::size_t i = 0; i < blocks.size() && setting.plain && setting.ofObjective; ++i) {
      if (const auto value = values.simple(blocks[i].given, blocks[i].key, *setting.plain)) {
        setField(train.objectives[i], setting.name, *value);
      }
    }
    if (setting.plain && !setting.ofObjective && !(setting.quiet && find(given, setting.name.c_str()) == nullptr)) {
      if (const auto value = values.simple(given, "train", *setting.plain)) {
        setField(train, setting.name, *value);
      }
    }
  }
  readValidate(find(given, "validate"), hasDev);
  Weights weights(model, builder, scopes, settings, evaluator, reporter);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    readLoss(blocks[i], train.objectives[i]);
  }
  readFrom(find(given, "from"));
  if (const Setting *const setting = find(given, "weights")) {
    train.weights = readRecordWeights(*setting, builder, scopes, values, given, reporter);
  }
  // The losses of objectives may have made weights, so what they move is read when all stand.
  bool named = false;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Setting *const moves = find(blocks[i].given, "moves");
    named = !blocks[i].name.empty();
    if (moves != nullptr) {
      weights.readMoves(*moves, blocks[i].key, static_cast<int>(i), train.objectives[i]);
    } else if (named) {
      reporter.report("objective-incomplete", blocks[i].span,
                      {{"name", blocks[i].name}, {"setting", "moves"}, {"example", exampleOfMoves(blocks[i].name)}});
    }
  }
  weights.readFreeze(find(given, "freeze"));
  weights.readRates(find(given, "rates"));
  if (named) {
    weights.finishMoves(blocks.front().span, train.objectives);
  }
}

/// A binding with weights: of the objective's name where there is one, else an answer.
std::string Training::exampleOfMoves(const std::string &name) const {
  const ModelGraph &graph = builder.graph;
  const bool owns = std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const GraphNode &node) {
    return hasWeights(node) && (node.path == name || node.path.starts_with(name + "."));
  });
  return owns || graph.answers.empty() ? name : graph.answers[0].name;
}

/// Of the answer of that name, else of the first one that has a loss.
std::string Training::exampleOfLoss(const std::string &name) const {
  const Answer *example = nullptr;
  for (const Answer &answer : builder.graph.answers) {
    if (answer.loss >= 0 && (example == nullptr || answer.name == name)) {
      example = &answer;
    }
  }
  return example == nullptr ? "answer.loss" : example->name + ".loss";
}

/// One a block `objective`, or the settings of `train` itself.
std::vector<Training::ObjectiveBlock> Training::objectiveBlocks() {
  std::vector<ObjectiveBlock> blocks;
  const Block *const block = program.block("train");
  for (std::size_t i = 0; block != nullptr && i < block->entries.size(); ++i) {
    const Entry &entry = block->entries[i];
    if (entry.kind != Entry::Kind::block || entry.name != "objective") {
      continue;
    }
    if (entry.label.empty()) {
      reporter.report("objective-without-name", entry.nameSpan);
      continue;
    }
    const auto same = std::find_if(blocks.begin(), blocks.end(), [&](const ObjectiveBlock &one) { return one.name == entry.label; });
    if (same != blocks.end()) {
      reporter.report("duplicate-objective", entry.labelSpan, {{"name", entry.label}}, {{same->span.range(), "the first one"}});
      continue;
    }
    if (isSetting("train", entry.label)) {
      reporter.report("objective-named-as-setting", entry.labelSpan, {{"name", entry.label}});
      continue;
    }
    for (const Entry &inner : entry.entries) {
      if (inner.kind != Entry::Kind::setting) {
        reporter.report("misplaced-entry", inner.span,
                        {{"entry", "this entry"}, {"block", "`objective`"}, {"rule", "`objective` has settings"}});
      }
    }
    const std::string key = "train." + entry.label;
    blocks.push_back({key, entry.label, settings.of(key, "objective", entry.entries), entry.labelSpan});
  }
  if (blocks.empty()) {
    return {{"train", "", given, block == nullptr ? Span{} : block->keywordSpan}};
  }
  for (const SettingSpec &setting : trainSettings()) {
    if (const Setting *const one = find(given, setting.name.c_str()); one != nullptr && setting.ofObjective) {
      const std::string name = settings.settingOfObjective(setting.name);
      reporter.report("setting-of-objectives", one->nameSpan,
                      {{"name", setting.name}, {"hint", one->origin == Origin::commandLine ? "write `--set " + name + "=...`" : ""}},
                      {{blocks.front().span.range(), "an objective"}});
    }
  }
  return blocks;
}

void Training::readEntries(const Block &block) {
  for (const Entry &entry : block.entries) {
    const bool isBinding = entry.kind == Entry::Kind::binding;
    if (entry.kind == Entry::Kind::block) {
      if (entry.name != "objective") {
        reporter.report("not-in-edition", entry.nameSpan, {{"what", "`" + entry.name + " { ... }` in `train`"}});
      }
    } else if (entry.kind != Entry::Kind::setting) {
      reporter.report("misplaced-entry", entry.span,
                      {{"entry", isBinding ? "a binding" : "this entry"},
                       {"block", "`train`"},
                       {"rule", "`train` has settings, and blocks `objective`"},
                       {"hint", isBinding && isSetting("train", entry.name) ? "write `" + entry.name + ": ...`" : ""}});
    }
  }
}

void Training::readLength() {
  const Setting *epochs = find(given, "epochs"), *steps = find(given, "steps");
  if (epochs != nullptr && steps != nullptr) {
    reporter.report("epochs-and-steps", steps->nameSpan, {}, {{epochs->nameSpan.range(), "set here"}});
  }
  if (steps != nullptr) {
    if (const auto value = values.simple(given, "train", integerSetting("steps", 1, 1, 1e15))) {
      train.steps = std::get<std::int64_t>(*value);
    }
  } else if (const auto value = values.simple(given, "train", numberSetting("epochs", 1, 0, true))) {
    train.epochs = std::get<double>(*value);
    if (train.epochs > 1e9) { // NaN: not known yet
      reporter.report("out-of-range", epochs->value->span,
                      {{"name", "epochs"}, {"value", formatNumber(train.epochs)}, {"rule", "at most 1,000,000,000"}});
    }
  }
}

void Training::readOptimizer(const ObjectiveBlock &block, ObjectiveSpec &objective) {
  const Setting *const setting = find(block.given, "optimizer");
  static const Expression standard = nameExpression("adam");
  const Choice choice = values.choose(setting == nullptr ? standard : *setting->value, optimizers(), "an optimizer",
                                      block.key + ".optimizer", setting == nullptr ? Origin::standard : setting->origin);
  if (!choice.good) {
    return;
  }
  OptimizerSpec &optimizer = objective.optimizer;
  optimizer.kind = choice.name;
  for (const auto &[name, value] : choice.attributes) {
    setField(optimizer, name, value);
  }
}

void Training::readSchedule(const ObjectiveBlock &block, ObjectiveSpec &objective) {
  const Setting *const setting = find(block.given, "schedule");
  static const Expression standard = nameExpression("constant");
  const Choice choice = values.choose(setting == nullptr ? standard : *setting->value, schedules(), "a schedule", block.key + ".schedule",
                                      setting == nullptr ? Origin::standard : setting->origin);
  if (!choice.good) {
    return;
  }
  const auto &warmup = std::get<std::vector<double>>(choice.attributes.at("warmup"));
  ScheduleSpec &schedule = objective.schedule;
  schedule.kind = choice.name;
  schedule.warmupFraction = std::max(0.0, warmup[0]);
  schedule.warmupSteps = warmup[1] >= 0 ? static_cast<std::int64_t>(warmup[1]) : -1;
}

void Training::readValidate(const Setting *setting, bool hasDev) {
  if (setting == nullptr) {
    train.validateEpochs = hasDev ? train.validateEpochs : 0;
    settings.resolve("train.validate", hasDev ? "every(1 epoch)" : "never", Origin::standard);
    return;
  }
  if (!readPeriod(*setting->value)) {
    return;
  }
  if (!hasDev && (train.validateSteps > 0 || train.validateEpochs > 0)) {
    reporter.report("split-without-share", setting->value->span, {{"result", "validate"}, {"split", "dev"}});
    return;
  }
  const double period = train.validateSteps > 0 ? static_cast<double>(train.validateSteps) : train.validateEpochs;
  const std::string unit = std::string(train.validateSteps > 0 ? " step" : " epoch") + (period == 1 ? "" : "s");
  settings.resolve("train.validate", period > 0 ? "every(" + formatNumber(period) + unit + ")" : "never", setting->origin,
                   setting->value->span);
}

bool Training::readPeriod(const Expression &value) {
  constexpr const char *expected = "`every(1 epoch)`, `every(100 steps)` or `never`";
  if (value.kind == Expression::Kind::error) {
    return false;
  }
  if (isName(value, "never")) {
    train.validateEpochs = 0;
    return true;
  }
  if (!isCallOf(value, "every") || value.arguments.size() != 1 || !value.arguments[0].name.empty()) {
    reportWrong("validate", expected, value.span);
    return false;
  }
  const Expression &period = value.arguments[0].value;
  const bool epochs = period.kind == Expression::Kind::quantity && (period.text == "epoch" || period.text == "epochs");
  const bool steps = period.kind == Expression::Kind::quantity && (period.text == "step" || period.text == "steps");
  if (period.kind == Expression::Kind::error) {
    return false;
  }
  if (!epochs && !steps) {
    reportWrong("validate", expected, period.span);
    return false;
  }
  if (!(period.number > 0) || period.number > 1e15 || (steps && period.number != std::floor(period.number))) {
    reporter.report("out-of-range", period.span,
                    {{"name", "every"}, {"value", formatNumber(period.number)}, {"rule", "greater than 0, and whole for steps"}});
    return false;
  }
  train.validateEpochs = epochs ? period.number : 0;
  train.validateSteps = steps ? static_cast<std::int64_t>(period.number) : -1;
  return true;
}

void Training::readKeep(const Measures &measures) {
  const Setting *setting = find(given, "keep");
  Override *patience = settings.find("train.keep.patience");
  if (setting == nullptr || isName(*setting->value, "last")) {
    if (patience != nullptr) {
      patience->used = false; // reported as an argument of what is no call
    }
    settings.resolve("train.keep", "last", setting == nullptr ? Origin::standard : setting->origin,
                     setting == nullptr ? Span{} : setting->value->span);
    return;
  }
  const Expression &value = *setting->value;
  if (value.kind == Expression::Kind::error) {
    return;
  }
  const bool best = isCallOf(value, "best") && !value.arguments.empty() && value.arguments.size() <= 2 && value.arguments[0].name.empty() &&
                    (value.arguments.size() == 1 || value.arguments[1].name == "patience");
  if (!best) {
    reportWrong("keep", "`best(dev.RESULT)`, `best(dev.RESULT, patience: 3)` or `last`", value.span);
    return;
  }
  readBest(value, setting->origin, measures);
}

void Training::readBest(const Expression &value, Origin origin, const Measures &measures) {
  const Expression &result = value.arguments[0].value;
  std::string split;
  bool higher = true;
  const auto name = measures.resultName(result, {"dev"}, &split, &higher);
  if (!name) {
    return;
  }
  if (split != "dev") {
    reporter.report("out-of-range", result.span,
                    {{"name", "keep"},
                     {"value", split + "." + *name},
                     {"rule", "a result on `dev`, the split that training validates on"},
                     {"hint", measures.has("dev", *name) ? "write `dev." + *name + "`"
                                                         : "measure it in `evaluate { dev: [...] }`, and write `dev." + *name + "`"}});
    return;
  }
  if (train.validateEpochs <= 0 && train.validateSteps <= 0) {
    reporter.report("keep-without-validation", value.span, {{"result", split + "." + *name}});
    return;
  }
  train.keepMetric = split + "." + *name;
  train.keepHigher = higher;
  settings.resolve("train.keep", "best(" + train.keepMetric + ")", origin, value.span);
  readPatience(value, origin);
}

void Training::readPatience(const Expression &best, Origin origin) {
  const Override *set = settings.find("train.keep.patience");
  if (set == nullptr && best.arguments.size() < 2) {
    // `--set train.keep=best(dev.f1_macro)` of a file that says the same leaves its patience.
    const Expression *const written = find(given, "keep")->written;
    const bool same = written != nullptr && isCallOf(*written, "best") && written->arguments.size() == 2 &&
                      excerpt(written->arguments[0].value.span) == excerpt(best.arguments[0].value.span);
    if (same) {
      readPatience(*written, Origin::file);
      return;
    }
    settings.resolve("train.keep.patience", "0", Origin::standard);
    return;
  }
  if (set != nullptr) {
    reporter.add(set->problems);
    origin = Origin::commandLine;
  }
  const Expression &written = set != nullptr ? set->value : best.arguments[1].value;
  Place place;
  if (const auto count = evaluator.parameter(written, integerSetting("patience", 0, 0, 1e9), scopes.top, place, &origin)) {
    train.patience = std::get<std::int64_t>(*count);
    settings.resolve("train.keep.patience", std::to_string(train.patience), origin, written.span);
  }
}

/// `--set train.from=FOLDER`, without `run(...)`.
static bool isBarePath(const Override &set) {
  const bool isForm = set.problems.empty() && (isName(set.value, "none") || set.value.kind == Expression::Kind::call);
  return !set.text.empty() && !isForm;
}

void Training::readFrom(const Setting *setting) {
  if (setting == nullptr) {
    settings.resolve("train.from", "none", Origin::standard);
    return;
  }
  const Expression &value = *setting->value;
  if (const Override *set = settings.find("train.from"); set != nullptr && isBarePath(*set)) {
    const bool quoted = set->problems.empty() && set->value.kind == Expression::Kind::string;
    train.from = joinPath(set->folder, quoted ? set->value.text : set->text);
    fromAt = set->valueSpan();
    settings.resolve("train.from", "run(" + quote(train.from) + ")", Origin::commandLine, fromAt);
    return;
  }
  if (value.kind == Expression::Kind::error) {
    return;
  }
  if (isName(value, "none")) {
    settings.resolve("train.from", "none", setting->origin, value.span);
    return;
  }
  if (!isCallOf(value, "run") || value.arguments.size() != 1 || !value.arguments[0].name.empty()) {
    reportWrong("from", "`run(FOLDER)` or `none`", value.span);
    return;
  }
  ParameterSpec spec;
  spec.name = "run";
  spec.type = PluginParameter::Type::path;
  Place place;
  Origin origin = setting->origin;
  if (const auto path = evaluator.parameter(value.arguments[0].value, spec, scopes.top, place, &origin)) {
    train.from = std::get<std::string>(*path);
    fromAt = value.span;
    settings.resolve("train.from", "run(" + quote(train.from) + ")", origin, value.span);
  }
}

// ---- what is minimized

/// Whether `--set` says what the file says already, as the resolved form prints it: which has names of instances that no expression takes.
bool Training::repeatsWritten(const Setting &setting, const Place &where) {
  const GraphBuilder::Undone undone(builder);
  const bool forgot = settings.forgetResolved(true);
  Place place = where;
  const Value value = evaluator.evaluate(*setting.written, scopes.top, place);
  const std::string text = value.isScalarNode() ? formatObjective(builder.graph, value.node, where.path, scopes.top) : "";
  settings.forgetResolved(forgot);
  const Override *const set = settings.find(std::string(setting.nameSpan.text()));
  return set != nullptr && !text.empty() && set->text == text;
}

void Training::readLoss(const ObjectiveBlock &block, ObjectiveSpec &objective) {
  const ModelGraph &graph = builder.graph;
  const Setting *const setting = find(block.given, "minimize");
  if (setting == nullptr && !block.name.empty()) {
    reporter.report("objective-incomplete", block.span,
                    {{"name", block.name}, {"setting", "minimize"}, {"example", exampleOfLoss(block.name)}});
    return;
  }
  if (setting == nullptr) {
    chooseLoss(objective);
  } else {
    Place place;
    place.path = block.name.empty() ? "minimize" : "minimize." + block.name;
    const bool repeats = setting->written != nullptr && repeatsWritten(*setting, place);
    const Expression &expression = repeats ? *setting->written : *setting->value;
    const Value value = evaluator.evaluate(expression, scopes.top, place);
    if (value.kind == Value::Kind::error || value.kind == Value::Kind::unknown) {
      return;
    }
    if (!value.isScalarNode()) {
      const Expression &written = *setting->value;
      const std::string name = written.kind == Expression::Kind::member ? written.children[0].text : written.text;
      reporter.report("objective-not-scalar", written.span, {{"found", describe(value)}, {"example", exampleOfLoss(name)}});
      return;
    }
    objective.loss = value.node;
    settings.resolve(block.key + ".minimize", formatObjective(graph, objective.loss, place.path, scopes.top), setting->origin,
                     setting->value->span);
  }
  if (objective.loss >= 0 && model.good() && std::none_of(graph.nodes.begin(), graph.nodes.end(), hasWeights)) {
    reporter.report("nothing-to-train", block.span);
  }
}

/// The loss of the one answer.
void Training::chooseLoss(ObjectiveSpec &objective) {
  const ModelGraph &graph = builder.graph;
  if (graph.answers.size() == 1) {
    const Answer &answer = graph.answers[0];
    if (answer.loss < 0) {
      reporter.report("answer-without-loss", scopes.top.values.at(answer.name).span, {{"name", answer.name}});
      return;
    }
    objective.loss = answer.loss;
    settings.resolve("train.minimize", formatObjective(graph, answer.loss, "minimize", scopes.top), Origin::standard);
  } else if (graph.answers.size() > 1 && model.good()) {
    std::string example;
    for (const Answer &answer : graph.answers) {
      if (answer.loss >= 0) {
        example += (example.empty() ? "" : " + ") + answer.name + ".loss";
      }
    }
    const Block *block = program.block("train");
    reporter.report("objective-needed", block != nullptr ? block->keywordSpan : settings.firstOverride(),
                    {{"count", std::to_string(graph.answers.size())}, {"example", example}});
  }
}

// ---- target

void Training::readTarget() {
  if (const Block *block = program.block("target")) {
    for (const Entry &entry : block->entries) {
      if (entry.kind != Entry::Kind::setting) {
        reporter.report("misplaced-entry", entry.span, {{"entry", "this entry"}, {"block", "`target`"}, {"rule", "`target` has settings"}});
      }
    }
  }
  const BlockSettings set = settings.of("target");
  const auto plain = [&](const char *name) { return values.simple(set, "target", *plainSetting("target", name)); };
  const auto word = [&](const char *name) {
    const auto value = plain(name);
    return std::get<std::string>(value ? *value : defaultOf(*plainSetting("target", name)));
  };
  const Setting *const device = find(set, "device");
  static const Expression standard = nameExpression("cpu");
  const Choice choice = values.choose(device == nullptr ? standard : *device->value, devices(), "a device", "target.device",
                                      device == nullptr ? Origin::standard : device->origin);
  if (choice.good) {
    const auto card = choice.attributes.find("card");
    target.device = deviceText({choice.name, card == choice.attributes.end() ? 0 : static_cast<int>(std::get<std::int64_t>(card->second))});
  }
  const std::string level = word("level");
  target.level = level == "auto" ? "" : level;
  target.precision = word("precision");
  target.kernels = word("kernels");
  if (const auto value = plain("threads")) {
    target.threads = std::get<std::int64_t>(*value);
  }
}

} // namespace penstock::frontend
