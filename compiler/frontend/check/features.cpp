// The block `features`, and the flows of columns through operators that the model writes itself.
#include "compiler/frontend/check/conversion.h"
#include "compiler/frontend/check/records.h"

namespace penstock::frontend {

namespace {

/// The same for equal features.
std::string flowText(const FeatureDraft &draft) {
  std::string text;
  for (const auto &column : draft.columns) {
    text += column->name + " ";
  }
  for (const FeatureDraft::Step &step : draft.steps) {
    text += " |> " + std::string(step.row != nullptr ? "" : "tokenize ") + step.name() + " " + std::to_string(step.maxLength) + " " +
            step.truncate;
    for (const auto &[name, attribute] : step.attributes) {
      text += " " + name + ": " + formatAttribute(attribute);
    }
  }
  return text;
}

/// What messages call the columns: `a`, `[a, b]`.
std::string columnsText(const FeatureDraft &draft) {
  std::string text;
  for (const auto &column : draft.columns) {
    text += (text.empty() ? "" : ", ") + column->name;
  }
  return draft.columns.size() == 1 ? text : "[" + text + "]";
}

} // namespace

const Feature *Records::findFeature(const std::string &name) const {
  const auto found = featureByName.find(name);
  return found == featureByName.end() ? nullptr : &featureList[found->second];
}

void Records::use(const std::string &feature) {
  if (const auto found = featureByName.find(feature); found != featureByName.end()) {
    featureList[found->second].used = true;
  }
}

void Records::reportUnused() {
  for (const Feature &feature : featureList) {
    if (!feature.used && !feature.extended) {
      reporter.report("unused-feature", feature.nameSpan, {{"name", feature.name}});
    }
  }
}

void Records::resolveFeature(const Feature &feature) {
  const FeatureDraft &draft = feature.draft;
  const std::string key = "features." + feature.name;
  std::string flow = columnsText(draft);
  for (const FeatureDraft::Step &step : draft.steps) {
    flow += " |> " + step.name();
  }
  settings.resolve(key, flow, Origin::file, feature.span);
  std::map<std::string, int> before; // steps of that name
  for (const FeatureDraft::Step &step : draft.steps) {
    const int ordinal = before[step.name()]++;
    const std::string stepKey = key + "." + step.name() + (ordinal == 0 ? "" : "_" + std::to_string(ordinal));
    const auto origin = [&](const std::string &parameter) {
      const auto found = step.origins.find(parameter);
      return found == step.origins.end() ? Origin::standard : found->second;
    };
    const Callable tokenizer = step.row != nullptr ? Callable{} : scopes.find(step.plugin, scopes.top);
    const Signature signature = step.row != nullptr             ? signatureOf(*step.row)
                                : tokenizer.manifest != nullptr ? signatureOf(*tokenizer.manifest)
                                                                : Signature{};
    for (const auto &[parameter, attribute] : step.attributes) {
      const auto spec = std::find_if(signature.parameters.begin(), signature.parameters.end(),
                                     [&, wanted = parameter](const ParameterSpec &one) { return one.name == wanted; });
      settings.resolve(stepKey + "." + parameter, formatAttribute(attribute, spec == signature.parameters.end() ? nullptr : &*spec),
                       origin(parameter), step.span);
    }
    if (step.row == nullptr) {
      settings.resolve(stepKey + ".max_length", std::to_string(step.maxLength), origin("max_length"), step.span);
      if (draft.isPair()) {
        settings.resolve(stepKey + ".truncate", step.truncate, origin("truncate"), step.span);
      }
    }
  }
}

void Records::addFeature(Feature feature) {
  resolveFeature(feature);
  featureByName.emplace(feature.name, featureList.size());
  featureByFlow.emplace(flowText(feature.draft), feature.name);
  featureList.push_back(std::move(feature));
}

Value Records::featureOf(const Value &draft, const Span &span) {
  Value value(Value::Kind::feature);
  value.draft = draft.draft;
  if (const auto known = featureByFlow.find(flowText(*draft.draft)); known != featureByFlow.end()) {
    value.text = known->second;
    return value;
  }
  const std::vector<FeatureDraft::Step> &steps = draft.draft->steps;
  const std::vector<std::shared_ptr<const Column>> &columns = draft.draft->columns;
  const std::string base =
      columns.front()->name + (columns.size() > 1 ? "_" + columns.back()->name : "") + (steps.empty() ? "" : "_" + steps.back().name());
  std::string name;
  do {
    const int ordinal = ++inlineFeatures[base];
    name = ordinal == 1 ? base : base + "_" + std::to_string(ordinal);
  } while (scopes.top.values.count(name) > 0 || scopes.top.bindings.count(name) > 0 || featureByName.count(name) > 0);
  const Value set = overridden(draft, "features." + name);
  if (set.kind == Value::Kind::error) {
    return {};
  }
  Feature feature;
  feature.name = name;
  feature.draft = *set.draft;
  feature.span = feature.nameSpan = span;
  feature.used = true;
  addFeature(std::move(feature));
  featureByFlow.emplace(flowText(*draft.draft), name); // as it is written
  value.draft = set.draft;
  value.text = name;
  return value;
}

Value Records::overridden(const Value &draft, const std::string &key) {
  if (!settings.overridesBelow(key)) {
    return draft;
  }
  const FeatureDraft written = *draft.draft;
  Value made(written.columns.size() == 1 ? Value::Kind::column : Value::Kind::list);
  for (const auto &column : written.columns) {
    Value item(Value::Kind::column);
    item.text = column->name;
    item.column = column;
    if (written.columns.size() == 1) {
      made = item;
    } else {
      made.items.push_back(std::move(item));
    }
  }
  const bool isOnlySeries = std::none_of(featureList.begin(), featureList.end(), [](const Feature &one) { return one.draft.ofSeries; });
  std::map<std::string, int> before; // steps of that name
  for (const FeatureDraft::Step &step : written.steps) {
    Callable callable = step.row != nullptr ? Callable{} : scopes.find(step.plugin, scopes.top);
    if (step.row != nullptr) {
      callable.kind = Callable::Kind::step;
      callable.name = step.row->name;
      callable.row = step.row;
      seriesSpec = step.row->ofRows && isOnlySeries ? SeriesSpec() : seriesSpec; // of the flow as it is written
    }
    BoundCall bound;
    bound.attributes = step.attributes;
    bound.origins = step.origins;
    bound.spans = step.spans;
    if (step.row == nullptr) {
      bound.attributes["max_length"] = step.maxLength;
      bound.attributes["truncate"] = step.truncate;
    }
    const int ordinal = before[step.name()]++;
    Place place;
    evaluator.override(step.row != nullptr ? signatureOf(*step.row) : signatureOf(*callable.manifest),
                       key + "." + step.name() + (ordinal == 0 ? "" : "_" + std::to_string(ordinal)), scopes.top, place, bound);
    bound.operands.push_back(std::move(made));
    bound.operandSpans.push_back(step.span);
    made = this->step(callable, std::move(bound), step.span);
    if (made.kind != Value::Kind::draft) {
      return {};
    }
  }
  return made.kind == Value::Kind::draft ? made : draft;
}

void Records::readFeatures() {
  const Block *block = program.block("features");
  if (block == nullptr) {
    return;
  }
  for (const Entry &entry : block->entries) {
    if (entry.kind != Entry::Kind::binding) {
      reporter.report("misplaced-entry", entry.span,
                      {{"entry", entry.kind == Entry::Kind::setting ? "a setting" : "this entry"},
                       {"block", "`features`"},
                       {"rule", "`features` has bindings"},
                       {"hint", entry.kind == Entry::Kind::setting ? "write `" + entry.name + " = ...`" : ""}});
      continue;
    }
    Place place;
    place.path = entry.name;
    const Value value = evaluator.evaluate(entry.value, scopes.top, place);
    scopes.declare(scopes.top, entry.name, entry.nameSpan, bindFeature(entry, value));
  }
}

/// The value of a binding of `features`: a feature, or what operations of the model make of some.
Value Records::bindFeature(const Entry &entry, const Value &value) {
  if (value.kind == Value::Kind::error || value.kind == Value::Kind::unknown) {
    return {};
  }
  const Value draft = value.kind == Value::Kind::list ? numbersOf(value) : value;
  const bool plain = value.kind == Value::Kind::column && (value.column->holds == Flow::number || value.column->holds == Flow::index);
  if (draft.kind == Value::Kind::draft && draft.draft->complete()) {
    const Value set = overridden(draft, "features." + entry.name);
    if (set.kind == Value::Kind::error) {
      return {};
    }
    Feature feature;
    feature.name = entry.name;
    feature.draft = *set.draft;
    feature.span = entry.span;
    feature.nameSpan = entry.nameSpan;
    if (scopes.top.values.count(entry.name) == 0) {
      addFeature(std::move(feature));
    }
    Value bound(Value::Kind::feature);
    bound.text = entry.name;
    bound.draft = set.draft;
    return bound;
  }
  if (value.kind == Value::Kind::node || value.kind == Value::Kind::feature || plain) {
    return value;
  }
  const Flow flow = value.kind == Value::Kind::column  ? value.column->holds
                    : draft.kind == Value::Kind::draft ? draft.draft->flow
                                                       : Flow::name;
  if (flow == Flow::text || flow == Flow::words || value.kind == Value::Kind::column) {
    reporter.report("feature-without-tokenizer", entry.value.span, {{"name", entry.name}});
  } else {
    reporter.report("feature-not-text", entry.value.span, {{"found", describe(value)}});
  }
  return {};
}

/// A list of columns of numbers as a draft of all of them; the list itself where it is none.
Value Records::numbersOf(const Value &list) const {
  const bool numbers = !list.items.empty() && std::all_of(list.items.begin(), list.items.end(), [](const Value &item) {
    return item.kind == Value::Kind::column && item.column->holds == Flow::number && !item.column->type.empty();
  });
  if (!numbers) {
    return list;
  }
  FeatureDraft draft;
  draft.flow = Flow::number;
  draft.width = static_cast<std::int64_t>(list.items.size());
  for (const Value &item : list.items) {
    draft.columns.push_back(item.column);
    draft.mayMiss = draft.mayMiss || !item.column->missing.empty();
  }
  Value value(Value::Kind::draft);
  value.draft = std::make_shared<FeatureDraft>(std::move(draft));
  return value;
}

/// What a step of texts stands on. False after a report.
bool Records::textDraft(const Callable &callable, const Value &input, const Span &at, FeatureDraft &draft) {
  const auto isColumn = [](const Value &value, std::string_view type) {
    return value.column != nullptr && (value.column->type == type || value.column->type.empty());
  };
  const bool isList = input.kind == Value::Kind::list &&
                      std::all_of(input.items.begin(), input.items.end(), [&](const Value &value) { return isColumn(value, "text"); });
  if (isList && input.items.size() != 2) {
    reporter.report("not-a-pair", at, {{"count", std::to_string(input.items.size())}});
    return false;
  }
  if (isColumn(input, "text") || isColumn(input, "words")) {
    draft.columns = {input.column};
  } else if (isList) {
    draft.columns = {input.items[0].column, input.items[1].column};
  } else if (input.kind == Value::Kind::draft && input.draft->flow == Flow::text) {
    draft = *input.draft;
  } else {
    const bool late = callable.row != nullptr && input.kind == Value::Kind::draft && input.draft->flow == Flow::ids;
    reporter.report("feature-not-text", at,
                    {{"found", late ? "what the tokenizer made" : describe(input)},
                     {"hint", late ? "write `clean(...)` before the tokenizer: `" + input.draft->column() + " |> clean(...) |> " +
                                         input.draft->steps.back().plugin + "(...)`"
                                   : ""}});
    return false;
  }
  return true;
}

/// What an operator of numbers stands on. False after a report.
bool Records::numberDraft(const FeatureOperator &row, const Value &input, const Span &at, FeatureDraft &draft) {
  const Value value = input.kind == Value::Kind::list ? numbersOf(input) : input;
  if (value.kind == Value::Kind::column) {
    draft.columns = {value.column};
    draft.flow = value.column->holds;
    draft.mayMiss = draft.flow == Flow::number && !value.column->missing.empty();
  } else if (value.kind == Value::Kind::draft || value.kind == Value::Kind::feature) {
    draft = *value.draft;
    if (const auto known = featureByName.find(value.text); value.kind == Value::Kind::feature && known != featureByName.end()) {
      featureList[known->second].extended = true;
    }
  }
  if (draft.columns.empty() || draft.flow != row.takes) {
    reporter.report("type-mismatch", at,
                    {{"op", row.name},
                     {"expected", std::string(penstock::describe(row.takes)) + (row.takes == Flow::number ? ", or a list of them" : "")},
                     {"found", describe(value)},
                     {"rule", "each operator says what may flow into it"}});
    return false;
  }
  if (row.single && draft.width > 1) {
    reporter.report("not-one-number", at, {{"op", row.name}, {"count", std::to_string(draft.width)}});
    return false;
  }
  if (row.fills && !draft.mayMiss) {
    reporter.report("nothing-missing", at, {{"op", row.name}, {"name", columnsText(draft)}});
    return false;
  }
  return row.fills || checkFilled(draft, at);
}

bool Records::checkFilled(const FeatureDraft &draft, const Span &at) {
  for (const auto &column : draft.columns) {
    if (draft.mayMiss && !column->missing.empty()) {
      reporter.report("missing-not-filled", at, {{"name", column->name}}, {{column->span.range(), "declared here"}});
      return false;
    }
  }
  return true;
}

Value Records::step(const Callable &callable, BoundCall bound, const Span &span) {
  const Value &input = bound.operands[0];
  const Span at = bound.operandSpans[0].file != nullptr ? bound.operandSpans[0] : span;
  const bool unreadColumn = input.kind == Value::Kind::column && input.column->type.empty();
  if (input.kind == Value::Kind::error || input.kind == Value::Kind::unknown || unreadColumn) {
    return unreadColumn ? Value(Value::Kind::unknown) : input;
  }
  if (callable.row == nullptr || callable.row->takes == Flow::text) {
    return stepOfText(callable, std::move(bound), at, span);
  }
  const FeatureOperator &row = *callable.row;
  FeatureDraft draft;
  if (!numberDraft(row, input, at, draft) || !bound.good || !checkKnown(bound.attributes, callable.name, bound.spans, span, reporter)) {
    return {};
  }
  if (row.ofRows ? !readSeries(bound, span) : draft.ofSeries && row.gives != Flow::number) {
    if (!row.ofRows) {
      reporter.report("bad-series", span,
                      {{"detail", "`" + callable.name + "` makes a class of a number, and a sequence has none"},
                       {"hint", "write it on a flow of its own"}});
    }
    return {};
  }
  draft.ofSeries = draft.ofSeries || row.ofRows;
  draft.flow = row.gives;
  draft.width = row.gives == Flow::number ? draft.width * row.each(bound.attributes) : 1;
  draft.values = row.values != nullptr ? row.values(bound.attributes) : 0;
  draft.mayMiss = false;
  addStep(callable, std::move(bound), span, draft);
  Value value(Value::Kind::draft);
  value.draft = std::make_shared<FeatureDraft>(std::move(draft));
  return value;
}

Value Records::scaledTarget(const Value &target, const FeatureOperator &scale, const Span &span) {
  FeatureDraft draft;
  if (target.kind == Value::Kind::column && target.column->holds == Flow::number && target.column->missing.empty()) {
    draft.columns = {target.column};
    draft.flow = Flow::number;
  } else if ((target.kind == Value::Kind::draft || target.kind == Value::Kind::feature) && target.draft->flow == Flow::number) {
    draft = *target.draft;
  }
  const bool isNumber = draft.columns.size() == 1 && draft.columns[0]->type == "number" && !draft.ofSeries && !draft.mayMiss &&
                        std::all_of(draft.steps.begin(), draft.steps.end(), [](const auto &step) { return step.row->inverts; });
  if (!isNumber || unscaled.count(draft.column()) > 0 || (!draft.steps.empty() && draft.steps.back().row->fits)) {
    return target;
  }
  if (const auto known = featureByName.find(target.text); target.kind == Value::Kind::feature && known != featureByName.end()) {
    featureList[known->second].extended = true;
  }
  FeatureDraft::Step &step = draft.steps.emplace_back();
  step.row = &scale;
  step.attributes = scale.onTarget;
  step.span = span;
  Value value(Value::Kind::draft);
  value.draft = std::make_shared<FeatureDraft>(std::move(draft));
  return value;
}

/// What `series(...)` asks of the data. All of a pipeline ask for the same, since a pipeline has one kind of record.
bool Records::readSeries(const BoundCall &bound, const Span &span) {
  const Attributes &given = bound.attributes;
  const auto wrong = [&](const std::string &detail, const std::string &hint) {
    reporter.report("bad-series", span, {{"detail", detail}, {"hint", hint}});
    return false;
  };
  SeriesSpec spec;
  spec.by = std::get<std::string>(given.at("by"));
  spec.order = std::get<std::string>(given.at("order"));
  spec.length = std::get<std::int64_t>(given.at("length"));
  spec.stride = std::get<std::int64_t>(given.at("stride"));
  spec.shortUnits = std::get<std::string>(given.at("short")) == "drop" ? SeriesSpec::Short::drop : SeriesSpec::Short::repeatFirst;
  spec.take = std::get<std::string>(given.at("take")) == "all" ? SeriesSpec::Take::all : SeriesSpec::Take::last;
  if (!isColumn(spec.by, span) || !isColumn(spec.order, span)) {
    return false;
  }
  if (findColumn(spec.by)->type.empty() || !checkOrder(spec.order, span)) {
    return false;
  }
  for (const auto &column : dataBlock.columns) {
    if (column->type == "words" || column->type == "tags" || column->type == "set") {
      return wrong("`" + column->name + "` holds lists, which records of several rows do not have", "leave the column out");
    }
  }
  const SplitSpec &split = dataBlock.split;
  if (!split.stratify.empty()) {
    return wrong("`split` has `stratify`, and a unit has no class", "leave it out");
  }
  if (split.by == "hash" && split.column != spec.by) {
    return wrong("`split` cuts units: rows of one `" + spec.by + "` would lie in several splits",
                 "write `split(by: " + spec.by + ")`, or `split(order: " + spec.order + ")`");
  }
  if (split.by == "order" && split.column != spec.order) {
    return wrong("`split` follows the order of `" + split.column + "`, and rows of a unit that of `" + spec.order + "`",
                 "give both the same `order`");
  }
  if (seriesSpec.any()) {
    return seriesSpec == spec || wrong("another `series` of the file makes other records", "give both the same arguments");
  }
  seriesSpec = spec;
  seriesAt = span;
  return true;
}

FeatureDraft::Step &Records::addStep(const Callable &callable, BoundCall bound, const Span &span, FeatureDraft &draft) {
  FeatureDraft::Step &step = draft.steps.emplace_back();
  step.row = callable.row;
  step.plugin = callable.row == nullptr ? callable.name : "";
  step.attributes = std::move(bound.attributes);
  step.origins = std::move(bound.origins);
  step.spans = std::move(bound.spans);
  step.span = span;
  return step;
}

Value Records::stepOfText(const Callable &callable, BoundCall bound, const Span &at, const Span &span) {
  const Value &input = bound.operands[0];
  FeatureDraft draft;
  if (!textDraft(callable, input, at, draft) || !bound.good || !checkKnown(bound.attributes, callable.name, bound.spans, span, reporter)) {
    return {};
  }
  FeatureDraft::Step &step = addStep(callable, std::move(bound), span, draft);
  if (callable.row == nullptr) {
    step.maxLength = std::get<std::int64_t>(step.attributes["max_length"]);
    step.attributes.erase("max_length");
    if (const auto limit = step.spans.find("max_length"); limit != step.spans.end()) {
      draft.maxLengthSpan = limit->second;
    }
    for (const PluginParameter &parameter : callable.manifest->parameters) {
      const auto given = step.spans.find(parameter.name);
      if (parameter.wholeText && given != step.spans.end() && draft.columns[0]->type == "words") {
        reporter.report("whole-text-of-words", given->second,
                        {{"name", parameter.name}, {"plugin", callable.name}, {"column", draft.column()}});
        return {};
      }
    }
    step.truncate = std::get<std::string>(step.attributes["truncate"]);
    step.attributes.erase("truncate");
    if (const auto cut = step.spans.find("truncate"); cut != step.spans.end() && draft.columns.size() == 1) {
      reporter.report("truncate-without-pair", cut->second);
      return {};
    }
    draft.flow = Flow::ids;
  }
  Value value(Value::Kind::draft);
  value.draft = std::make_shared<FeatureDraft>(std::move(draft));
  return value;
}

} // namespace penstock::frontend
