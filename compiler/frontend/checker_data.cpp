// The blocks `data` and `features`: where records come from and how texts become ids.
#include "compiler/frontend/checker.h"

#include <algorithm>
#include <cmath>

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;

const Column *DataBlock::find(const std::string &name) const {
  const auto found = byName.find(name);
  return found == byName.end() ? nullptr : &columns[found->second];
}

void Checker::readData() {
  const Block *block = blockOf("data");
  if (block != nullptr) {
    for (const Entry &entry : block->entries) {
      switch (entry.kind) {
      case Entry::Kind::column:
        readColumn(entry);
        break;
      case Entry::Kind::setting:
        break;
      case Entry::Kind::columns:
        report("not-in-edition", entry.span, {{"what", "`columns`"}});
        break;
      default:
        report("misplaced-entry", entry.span,
               {{"entry", entry.kind == Entry::Kind::binding  ? "a binding"
                          : entry.kind == Entry::Kind::expect ? "`expect`"
                                                              : "this entry"},
                {"block", "`data`"},
                {"rule", "`data` has a `source` and columns"},
                {"hint", entry.kind == Entry::Kind::binding ? "write `column " + entry.name + " = ...`" : ""}});
      }
    }
  }
  const auto found = settings("data", block);
  const auto source = found.find("source");
  if (source == found.end()) {
    if (block != nullptr) {
      report("missing-source", block->keywordSpan);
    }
  } else {
    readSource(*source->second.value, source->second.origin);
  }
  if (block != nullptr && dataBlock.columns.empty()) {
    report("no-columns", block->keywordSpan);
  }
}

std::string Checker::captureCheckedPath(const std::string &path, const Span &span) {
  for (std::size_t at = 0; (at = path.find('{', at)) != std::string::npos;) {
    const std::size_t close = path.find('}', at);
    if (close == std::string::npos) {
      break;
    }
    const std::string capture = path.substr(at, close - at + 1);
    if (capture != "{split}") {
      report("unknown-capture", span, {{"capture", capture.substr(0, 40)}});
    }
    at = close;
  }
  return path;
}

void Checker::readSource(const Expression &expression, Origin origin) {
  if (expression.kind == Expression::Kind::error) {
    return;
  }
  dataBlock.sourceSpan = expression.span;
  const Expression *call = &expression;
  const Expression *split = nullptr;
  if (expression.kind == Expression::Kind::flow) {
    call = &expression.children[0];
    split = &expression.children[1];
    if (expression.children.size() > 2) {
      report("too-many-arguments", expression.children[2].span, {{"callable", "split"}});
    }
  }
  const Choice choice = chooseCall(*call, sources(), "a source", "data.source", top, origin);
  if (split != nullptr && split->kind != Expression::Kind::error) {
    const Choice how = chooseCall(*split, {splitSignature()}, "what a source flows into", "data.split", top, origin);
    if (how.good) {
      dataBlock.splitBy = std::get<std::string>(how.attributes.at("by"));
      double sum = 0;
      const char *names[3] = {"train", "dev", "test"};
      for (int i = 0; i < 3; ++i) {
        dataBlock.shares[i] = std::get<double>(how.attributes.at(names[i]));
        sum += dataBlock.shares[i];
      }
      if (std::abs(sum - 1) > 1e-9 || dataBlock.shares[0] <= 0) {
        report("bad-shares", split->span, {{"sum", formatNumber(std::round(sum * 1e6) / 1e4) + "%"}});
      }
      std::vector<std::string> names2;
      for (const Column &column : dataBlock.columns) {
        names2.push_back(column.name);
      }
      if (dataBlock.find(dataBlock.splitBy) == nullptr) {
        report("unknown-name", split->span, {{"name", dataBlock.splitBy}, {"nearest", nearest(dataBlock.splitBy, names2)}});
        return;
      }
    } else {
      return;
    }
  }
  if (!choice.good) {
    return;
  }
  dataBlock.source = choice.name;
  dataBlock.path = captureCheckedPath(std::get<std::string>(choice.attributes.at("path")), call->span);
  if (const auto delimiter = choice.attributes.find("delimiter"); delimiter != choice.attributes.end()) {
    dataBlock.delimiter = std::get<std::string>(delimiter->second);
    const std::string &sign = dataBlock.delimiter;
    if (sign.size() != 1 || static_cast<unsigned char>(sign[0]) >= 0x80 || sign == "\"" || sign == "\n" || sign == "\r") {
      report(
          "out-of-range", call->span,
          {{"name", "delimiter"}, {"value", quote(sign.substr(0, 20))}, {"rule", "one ASCII character, neither a quote nor a line end"}});
      return;
    }
  }
  if (choice.name == "csv") {
    dataBlock.quote = std::get<std::string>(choice.attributes.at("quote"));
  }
  if (choice.name == "conll") {
    dataBlock.lineColumns = std::get<std::vector<std::string>>(choice.attributes.at("columns"));
    dataBlock.comment = std::get<std::string>(choice.attributes.at("comment"));
    std::string problem = dataBlock.lineColumns.empty() ? "is empty" : "";
    for (std::size_t i = 0; i < dataBlock.lineColumns.size(); ++i) {
      const auto begin = dataBlock.lineColumns.begin();
      if (std::find(begin, begin + static_cast<std::ptrdiff_t>(i), dataBlock.lineColumns[i]) != begin + static_cast<std::ptrdiff_t>(i)) {
        problem = "names " + quote(dataBlock.lineColumns[i]) + " twice";
      }
    }
    if (!problem.empty()) {
      report("bad-line-columns", call->span, {{"problem", problem}});
      return;
    }
    for (const Column &column : dataBlock.columns) {
      if (!column.type.empty() && column.type != "words" && column.type != "tags") {
        report("column-not-list", column.span, {{"name", column.name}, {"type", column.type}});
      }
    }
  }
  const bool byFile = dataBlock.path.find("{split}") != std::string::npos;
  if (!byFile && split == nullptr) {
    report("missing-split", call->span);
    return;
  }
  if (byFile && split != nullptr) {
    report("redundant-split", split->span);
    return;
  }
  dataBlock.good = true;
}

void Checker::readColumn(const Entry &entry) {
  Column column;
  column.name = entry.name;
  column.from = entry.name;
  column.span = entry.span;
  const Expression &expression = entry.value;
  const Expression *type = &expression;
  // class["a", "b"](from: ...): the list stands between the type and its arguments.
  const Expression *list = nullptr;
  Expression without = expression;
  if (expression.kind == Expression::Kind::index) {
    list = &expression;
  } else if (expression.kind == Expression::Kind::call && expression.children[0].kind == Expression::Kind::index) {
    list = &expression.children[0];
  }
  if (list != nullptr) {
    const Expression &base = list->children[0];
    if (base.kind != Expression::Kind::name || (base.text != "class" && base.text != "set" && base.text != "tags")) {
      report("misplaced-entry", list->span,
             {{"entry", "a list of classes"},
              {"block", "this type"},
              {"rule", "`class[...]` lists classes, `set[...]` labels and `tags[...]` tags, no other type does"}});
    } else {
      column.declared = true;
      std::string problem;
      Place place;
      for (const Argument &argument : list->arguments) {
        const Value value = evaluate(argument.value, top, place);
        if (value.kind == Value::Kind::error) {
          continue;
        }
        if (value.kind != Value::Kind::string || !argument.name.empty()) {
          problem = "a class is a string, not " + describe(value);
        } else if (std::find(column.classes.begin(), column.classes.end(), value.text) != column.classes.end()) {
          problem = "the class " + quote(value.text) + " stands twice in the list";
        } else {
          column.classes.push_back(value.text);
        }
      }
      if (problem.empty() && list->arguments.size() < 2) {
        problem = "the list has " + std::to_string(list->arguments.size()) + " classes";
      }
      if (!problem.empty()) {
        report("bad-class-list", list->span, {{"detail", problem}});
        column.declared = false;
        column.classes.clear();
      }
    }
    if (expression.kind == Expression::Kind::index) {
      without = base;
    } else {
      without.children[0] = base;
    }
    type = &without;
  }
  static const std::vector<std::string> later = {"image", "series", "time", "vector"};
  const Expression &callee = type->kind == Expression::Kind::call ? type->children[0] : *type;
  if (callee.kind == Expression::Kind::name && std::find(later.begin(), later.end(), callee.text) != later.end()) {
    report("not-in-edition", callee.span, {{"what", "the column type `" + callee.text + "`"}});
  } else {
    const std::string key = "data." + entry.name;
    const Choice choice = chooseCall(*type, columnTypes(), "a column type", key, top, Origin::file);
    if (choice.good) {
      column.type = choice.name;
      const std::string from = std::get<std::string>(choice.attributes.at("from"));
      column.from = from.empty() ? entry.name : from;
      if (choice.name == "set") {
        column.separator = std::get<std::string>(choice.attributes.at("separator"));
        if (column.separator.empty()) {
          report("out-of-range", type->span, {{"name", "separator"}, {"value", "\"\""}, {"rule", "at least one character"}});
        }
      }
      if (choice.name == "tags") {
        column.scheme = std::get<std::string>(choice.attributes.at("scheme"));
      }
      if (choice.name == "number") {
        column.missing = std::get<std::vector<std::string>>(choice.attributes.at("missing"));
        column.fill = std::get<std::string>(choice.attributes.at("fill"));
        if (column.fill == "none" && !column.missing.empty()) {
          report("missing-argument", type->span, {{"callable", "number"}, {"name", "fill"}});
        }
      }
      if (column.declared) {
        resolve(key + ".classes", formatAttribute(column.classes), Origin::file, expression.span);
      }
    }
  }
  Value value;
  value.kind = Value::Kind::column;
  value.text = entry.name;
  if (declareValue(top, entry.name, entry.nameSpan, std::move(value))) {
    dataBlock.byName.emplace(column.name, dataBlock.columns.size());
    dataBlock.columns.push_back(std::move(column));
  }
}

std::string Checker::flowText(const FeatureDraft &draft) {
  std::string text = draft.column + " " + draft.second;
  for (const FeatureDraft::Step &step : draft.steps) {
    text += " |> " + step.op + " " + step.plugin + " " + std::to_string(step.maxLength) + " " + step.truncate;
    for (const auto &[name, attribute] : step.attributes) {
      text += " " + name + ": " + formatAttribute(attribute);
    }
  }
  return text;
}

void Checker::resolveFeature(const Feature &feature) {
  const FeatureDraft &draft = feature.draft;
  const std::string key = "features." + feature.name;
  std::string flow = draft.second.empty() ? draft.column : "[" + draft.column + ", " + draft.second + "]";
  for (const FeatureDraft::Step &step : draft.steps) {
    flow += " |> " + (step.op == "clean" ? step.op : step.plugin);
  }
  resolve(key, flow, Origin::file, feature.span);
  std::map<std::string, int> before; // steps of that name
  for (const FeatureDraft::Step &step : draft.steps) {
    const std::string &name = step.op == "clean" ? step.op : step.plugin;
    const int ordinal = before[name]++;
    const std::string stepKey = key + "." + name + (ordinal == 0 ? "" : "_" + std::to_string(ordinal));
    const auto origin = [&](const std::string &parameter) {
      const auto found = step.origins.find(parameter);
      return found == step.origins.end() ? Origin::standard : found->second;
    };
    const Callable tokenizer = findCallable(step.plugin, top);
    const Signature signature = step.op == "clean" || tokenizer.manifest == nullptr ? cleanSignature() : signatureOf(*tokenizer.manifest);
    for (const auto &[parameter, attribute] : step.attributes) {
      const auto spec = std::find_if(signature.parameters.begin(), signature.parameters.end(),
                                     [&, wanted = parameter](const ParameterSpec &one) { return one.name == wanted; });
      resolve(stepKey + "." + parameter, formatAttribute(attribute, spec == signature.parameters.end() ? nullptr : &*spec),
              origin(parameter), step.span);
    }
    if (step.op != "clean") {
      resolve(stepKey + ".max_length", std::to_string(step.maxLength), origin("max_length"), step.span);
      if (!draft.second.empty()) {
        resolve(stepKey + ".truncate", step.truncate, origin("truncate"), step.span);
      }
    }
  }
}

void Checker::addFeature(Feature feature) {
  resolveFeature(feature);
  featureByName.emplace(feature.name, featureList.size());
  featureByFlow.emplace(flowText(feature.draft), feature.name);
  featureList.push_back(std::move(feature));
}

Value Checker::featureOf(const Value &draft, const Span &span) {
  // A feature written within the model: equal ones are one.
  Value value;
  value.kind = Value::Kind::feature;
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
  } while (top.values.count(name) > 0 || top.bindings.count(name) > 0 || featureByName.count(name) > 0);
  Feature feature;
  feature.name = name;
  feature.draft = *draft.draft;
  feature.span = feature.nameSpan = span;
  feature.used = true;
  addFeature(std::move(feature));
  value.text = name;
  return value;
}

void Checker::readFeatures() {
  const Block *block = blockOf("features");
  if (block == nullptr) {
    return;
  }
  for (const Entry &entry : block->entries) {
    if (entry.kind != Entry::Kind::binding) {
      report("misplaced-entry", entry.span,
             {{"entry", entry.kind == Entry::Kind::setting ? "a setting" : "this entry"},
              {"block", "`features`"},
              {"rule", "`features` has bindings"},
              {"hint", entry.kind == Entry::Kind::setting ? "write `" + entry.name + " = ...`" : ""}});
      continue;
    }
    Place place;
    place.path = entry.name;
    const Value value = evaluate(entry.value, top, place);
    Value bound;
    if (value.kind == Value::Kind::draft && value.draft->tokenized) {
      Feature feature;
      feature.name = entry.name;
      feature.draft = *value.draft;
      feature.span = entry.span;
      feature.nameSpan = entry.nameSpan;
      bound.kind = Value::Kind::feature;
      bound.text = entry.name;
      if (top.values.count(entry.name) == 0) {
        addFeature(std::move(feature));
      }
    } else if (value.kind == Value::Kind::draft || value.kind == Value::Kind::column) {
      report("feature-without-tokenizer", entry.value.span, {{"name", entry.name}});
    } else if (value.kind != Value::Kind::error && value.kind != Value::Kind::unknown) {
      report("feature-not-text", entry.value.span, {{"found", describe(value)}});
    }
    declareValue(top, entry.name, entry.nameSpan, bound);
  }
}

} // namespace penstock::frontend
