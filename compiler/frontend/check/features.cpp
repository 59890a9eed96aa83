// The block `features`, and the flows of texts that the model writes itself.
#include "compiler/frontend/check/conversion.h"
#include "compiler/frontend/check/records.h"

namespace penstock::frontend {

namespace {

/// The same for equal features.
std::string flowText(const FeatureDraft &draft) {
  std::string text = draft.column + " " + draft.second;
  for (const FeatureDraft::Step &step : draft.steps) {
    text += " |> " + step.op + " " + step.plugin + " " + std::to_string(step.maxLength) + " " + step.truncate;
    for (const auto &[name, attribute] : step.attributes) {
      text += " " + name + ": " + formatAttribute(attribute);
    }
  }
  return text;
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
    if (!feature.used) {
      reporter.report("unused-feature", feature.nameSpan, {{"name", feature.name}});
    }
  }
}

void Records::resolveFeature(const Feature &feature) {
  const FeatureDraft &draft = feature.draft;
  const std::string key = "features." + feature.name;
  std::string flow = draft.second.empty() ? draft.column : "[" + draft.column + ", " + draft.second + "]";
  for (const FeatureDraft::Step &step : draft.steps) {
    flow += " |> " + (step.op == "clean" ? step.op : step.plugin);
  }
  settings.resolve(key, flow, Origin::file, feature.span);
  std::map<std::string, int> before; // steps of that name
  for (const FeatureDraft::Step &step : draft.steps) {
    const std::string &name = step.op == "clean" ? step.op : step.plugin;
    const int ordinal = before[name]++;
    const std::string stepKey = key + "." + name + (ordinal == 0 ? "" : "_" + std::to_string(ordinal));
    const auto origin = [&](const std::string &parameter) {
      const auto found = step.origins.find(parameter);
      return found == step.origins.end() ? Origin::standard : found->second;
    };
    const Callable tokenizer = scopes.find(step.plugin, scopes.top);
    const Signature signature = step.op == "clean" || tokenizer.manifest == nullptr ? cleanSignature() : signatureOf(*tokenizer.manifest);
    for (const auto &[parameter, attribute] : step.attributes) {
      const auto spec = std::find_if(signature.parameters.begin(), signature.parameters.end(),
                                     [&, wanted = parameter](const ParameterSpec &one) { return one.name == wanted; });
      settings.resolve(stepKey + "." + parameter, formatAttribute(attribute, spec == signature.parameters.end() ? nullptr : &*spec),
                       origin(parameter), step.span);
    }
    if (step.op != "clean") {
      settings.resolve(stepKey + ".max_length", std::to_string(step.maxLength), origin("max_length"), step.span);
      if (!draft.second.empty()) {
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
  if (const auto known = featureByFlow.find(flowText(*draft.draft)); known != featureByFlow.end()) {
    value.text = known->second;
    return value;
  }
  const std::string base =
      draft.draft->column + "_" + (draft.draft->second.empty() ? "" : draft.draft->second + "_") + draft.draft->steps.back().plugin;
  std::string name;
  do {
    const int ordinal = ++inlineFeatures[base];
    name = ordinal == 1 ? base : base + "_" + std::to_string(ordinal);
  } while (scopes.top.values.count(name) > 0 || scopes.top.bindings.count(name) > 0 || featureByName.count(name) > 0);
  Feature feature;
  feature.name = name;
  feature.draft = *draft.draft;
  feature.span = feature.nameSpan = span;
  feature.used = true;
  addFeature(std::move(feature));
  value.text = name;
  return value;
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
    Value bound;
    if (value.kind == Value::Kind::draft && value.draft->tokenized) {
      Feature feature;
      feature.name = entry.name;
      feature.draft = *value.draft;
      feature.span = entry.span;
      feature.nameSpan = entry.nameSpan;
      bound.kind = Value::Kind::feature;
      bound.text = entry.name;
      if (scopes.top.values.count(entry.name) == 0) {
        addFeature(std::move(feature));
      }
    } else if (value.kind == Value::Kind::draft || value.kind == Value::Kind::column) {
      reporter.report("feature-without-tokenizer", entry.value.span, {{"name", entry.name}});
    } else if (value.kind != Value::Kind::error && value.kind != Value::Kind::unknown) {
      reporter.report("feature-not-text", entry.value.span, {{"found", describe(value)}});
    }
    scopes.declare(scopes.top, entry.name, entry.nameSpan, bound);
  }
}

/// What the step stands on. False after a report.
bool Records::draftOf(const Callable &callable, const BoundCall &bound, const Span &span, FeatureDraft &draft) {
  const Value &input = bound.operands[0];
  const Span &at = bound.operandSpans[0].file != nullptr ? bound.operandSpans[0] : span;
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
    draft.column = input.text;
  } else if (isList) {
    draft.column = input.items[0].text;
    draft.second = input.items[1].text;
  } else if (input.kind == Value::Kind::draft && !input.draft->tokenized) {
    draft = *input.draft;
  } else {
    const bool late = callable.kind == Callable::Kind::clean && input.kind == Value::Kind::draft;
    reporter.report("feature-not-text", at,
                    {{"found", late ? "what the tokenizer made" : describe(input)},
                     {"hint", late ? "write `clean(...)` before the tokenizer: `" + input.draft->column + " |> clean(...) |> " +
                                         input.draft->steps.back().plugin + "(...)`"
                                   : ""}});
    return false;
  }
  return true;
}

Value Records::textStep(const Callable &callable, BoundCall bound, const Span &span) {
  const Value &input = bound.operands[0];
  if (input.kind == Value::Kind::error || input.kind == Value::Kind::unknown) {
    return input;
  }
  FeatureDraft draft;
  if (!draftOf(callable, bound, span, draft) || !bound.good || !checkKnown(bound.attributes, callable.name, bound.spans, span, reporter)) {
    return {};
  }
  FeatureDraft::Step step;
  step.attributes = std::move(bound.attributes);
  step.origins = std::move(bound.origins);
  step.spans = bound.spans;
  step.span = span;
  step.op = callable.kind == Callable::Kind::clean ? "clean" : "tokenize";
  if (callable.kind == Callable::Kind::tokenizer) {
    step.plugin = callable.name;
    step.maxLength = std::get<std::int64_t>(step.attributes["max_length"]);
    step.attributes.erase("max_length");
    if (const auto at = bound.spans.find("max_length"); at != bound.spans.end()) {
      draft.maxLengthSpan = at->second;
    }
    step.truncate = std::get<std::string>(step.attributes["truncate"]);
    step.attributes.erase("truncate");
    if (const auto at = bound.spans.find("truncate"); at != bound.spans.end() && draft.second.empty()) {
      reporter.report("truncate-without-pair", at->second);
      return {};
    }
    draft.tokenized = true;
  }
  draft.steps.push_back(std::move(step));
  Value value(Value::Kind::draft);
  value.draft = std::make_shared<FeatureDraft>(std::move(draft));
  return value;
}

} // namespace penstock::frontend
