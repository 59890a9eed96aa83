#include "compiler/frontend/check/records.h"

#include "compiler/frontend/check/cell_steps.h"
#include "compiler/frontend/check/source_steps.h"
#include "runtime/base/splits.h"

#include <charconv>

namespace penstock::frontend {

using diagnostics::nearest;

Records::Records(const Program &files, const Facts *known, Scopes &names, Settings &set, Evaluator &evaluating, SettingValues &reading,
                 Reporter &reports)
    : program(files), facts(known), scopes(names), settings(set), evaluator(evaluating), values(reading), reporter(reports) {}

const Column *Records::findColumn(const std::string &name) const {
  const auto found = scopes.top.values.find(name);
  const Column *const column = found == scopes.top.values.end() ? nullptr : found->second.value.column.get();
  return column != nullptr && column->name == name ? column : nullptr; // another name may be bound to the same column
}

bool Records::hasRecords(const std::string &split) const {
  const auto *const place = std::find_if(std::begin(splitNames), std::end(splitNames), [&](const char *one) { return split == one; });
  if (dataBlock.files.size() > 1 && place != std::end(splitNames)) {
    return !dataBlock.files[static_cast<std::size_t>(place - std::begin(splitNames))].empty();
  }
  const SplitSpec &spec = dataBlock.split;
  const bool hasDev = spec.folds > 0 ? spec.fold < spec.folds : spec.shares.dev > 0;
  return spec.by == "file" || (split == "train" && spec.shares.train > 0) || (split == "dev" && hasDev) ||
         (split == "test" && spec.shares.test > 0);
}

std::string Records::typeOf(const std::string &column) const {
  const Column *const found = findColumn(column);
  return found == nullptr ? "" : found->type;
}

void Records::readData() {
  const Block *block = program.block("data");
  if (block != nullptr) {
    scopes.top.values.reserve(scopes.top.values.size() + block->entries.size());
    dataBlock.columns.reserve(block->entries.size());
    for (const Entry &entry : block->entries) {
      switch (entry.kind) {
      case Entry::Kind::column:
        readColumn(entry);
        break;
      case Entry::Kind::setting:
        break;
      case Entry::Kind::columns:
        readColumns(entry);
        break;
      default:
        reporter.report("misplaced-entry", entry.span,
                        {{"entry", entry.kind == Entry::Kind::binding  ? "a binding"
                                   : entry.kind == Entry::Kind::expect ? "`expect`"
                                                                       : "this entry"},
                         {"block", "`data`"},
                         {"rule", "`data` has a `source` and columns"},
                         {"hint", entry.kind != Entry::Kind::binding ? ""
                                  : entry.name == "source"           ? "write `source: ...`"
                                                                     : "write `column " + entry.name + " = ...`"}});
      }
    }
  }
  const BlockSettings given = settings.of("data");
  if (const Setting *source = find(given, "source")) {
    readSource(*source->value, source->origin);
  } else if (block != nullptr) {
    reporter.report("missing-source", block->keywordSpan);
  }
  if (block != nullptr && dataBlock.columns.empty()) {
    reporter.report("no-columns", block->keywordSpan);
  }
}

/// `{split}` is all that a path may capture.
void Records::checkCaptures(const std::string &path, const Span &span) {
  for (std::size_t at = 0; (at = path.find('{', at)) != std::string::npos;) {
    const std::size_t close = path.find('}', at);
    if (close == std::string::npos) {
      break;
    }
    const std::string capture = path.substr(at, close - at + 1);
    if (capture != splitMark) {
      reporter.report("unknown-capture", span, {{"capture", capture.substr(0, 40)}});
    }
    at = close;
  }
}

void Records::readSource(const Expression &expression, Origin origin) {
  if (expression.kind == Expression::Kind::error) {
    return;
  }
  dataBlock.sourceSpan = expression.span;
  const Expression *call = &expression;
  const Expression *split = nullptr;
  SourceSteps steps(*this, dataBlock, {scopes, settings, evaluator, values, reporter});
  if (expression.kind == Expression::Kind::flow) {
    call = &expression.children[0];
    for (std::size_t i = 1; i < expression.children.size(); ++i) {
      const Expression &step = expression.children[i];
      const Expression &callee = calleeOf(step);
      if (split != nullptr) {
        reporter.report("too-many-arguments", step.span, {{"callable", "split"}});
      } else if (const RowOperator *row = callee.kind == Expression::Kind::name ? findRowOperator(callee.text) : nullptr) {
        steps.readOperator(*row, step, origin);
      } else {
        split = &step;
      }
    }
  }
  const Choice choice = values.choose(*call, sources(scopes.plugins()), "a source", "data.source", origin);
  if (split != nullptr && split->kind != Expression::Kind::error && !steps.readSplit(*split, origin)) {
    return;
  }
  if (!choice.good || !readFormat(choice, call->span)) {
    return;
  }
  const bool byFile = isFileASplit(dataBlock.path) || dataBlock.files.size() > 1;
  if (!byFile && split == nullptr) {
    reporter.report("missing-split", call->span);
  } else if (byFile && split != nullptr) {
    reporter.report("redundant-split", split->span);
  } else {
    dataBlock.good = true;
  }
}

bool Records::isColumn(const std::string &name, const Span &span) const {
  if (findColumn(name) != nullptr) {
    return true;
  }
  std::vector<std::string> columns;
  for (const auto &column : dataBlock.columns) {
    columns.push_back(column->name);
  }
  reporter.report("unknown-name", span, {{"name", name}, {"nearest", nearest(name, columns)}});
  return false;
}

bool Records::checkOrder(const std::string &column, const Span &span) const {
  const Column &order = *findColumn(column);
  if (order.type.empty()) {
    return false;
  }
  if (order.holds != Flow::number && order.holds != Flow::time) {
    reporter.report(
        "no-order", span,
        {{"detail", "rows cannot stand in the order of `" + column + "`, which is " + std::string(penstock::describe(order.holds))},
         {"hint", "name a column of numbers or times"}});
    return false;
  }
  if (!order.missing.empty()) {
    reporter.report("no-order", span,
                    {{"detail", "cells of `" + column + "` may be missing, and every row has its place"}, {"hint", "leave `missing` out"}});
    return false;
  }
  return true;
}

/// A home that the shell would know, an address or a drive: looked for below the file's folder they would only seem to be missing.
static bool checkLocal(const std::string &path, const Span &span, Reporter &reporter) {
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    const std::string part = path.substr(from, end - from);
    const bool drive = part.size() > 1 && part[1] == ':' && (part.size() == 2 || part[2] == '\\');
    const bool home = part == "~", place = part.size() > 1 && part.back() == ':';
    if (home || drive || place) {
      reporter.report("path-not-local", span,
                      {{"part", part.substr(0, 40)},
                       {"rule", home    ? "`~` is not expanded"
                                : drive ? "there are no drives"
                                        : "nothing is downloaded from an address"},
                       {"hint", home ? "write the full path of the folder" : "copy the files here, and write their path"}});
      return false;
    }
    from = end + 1;
  }
  return true;
}

/// `csv("a.csv")`, `csv(["a.csv", "b.csv"])`, or `csv(train: "a.csv", dev: ...)`.
bool Records::readFiles(Attributes given, const Span &span) {
  const auto wrong = [&](const std::string &detail) {
    reporter.report("source-files", span, {{"detail", detail}, {"callable", dataBlock.source}});
    return false;
  };
  const auto listOf = [&](const char *name) {
    const auto found = given.find(name);
    if (found == given.end()) {
      return std::vector<std::string>();
    }
    const auto *const one = std::get_if<std::string>(&found->second);
    return one != nullptr ? std::vector<std::string>{*one} : std::get<std::vector<std::string>>(found->second);
  };
  const std::vector<std::string> all = listOf("path");
  std::vector<std::vector<std::string>> ofSplits;
  bool bySplit = false;
  for (const char *split : splitNames) {
    ofSplits.push_back(listOf(split));
    bySplit = bySplit || !ofSplits.back().empty();
  }
  if (all.empty() && !bySplit) {
    reporter.report("missing-argument", span, {{"callable", dataBlock.source}, {"name", "path"}});
    return false;
  }
  const auto marked =
      static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const std::string &path) { return isFileASplit(path); }));
  if (bySplit && !all.empty()) {
    return wrong("the source has a path and files of splits");
  }
  if (bySplit && ofSplits[0].empty()) {
    return wrong("the source has files of other splits, and none of train");
  }
  if (marked > 0 && marked < all.size()) {
    return wrong("some of the paths have `{split}`, and others do not");
  }
  std::vector<std::string> every = all;
  for (const std::vector<std::string> &some : ofSplits) {
    every.insert(every.end(), some.begin(), some.end());
  }
  for (const std::string &path : every) {
    checkCaptures(path, span);
    if (!checkLocal(path, span, reporter)) {
      return false;
    }
    if (bySplit && isFileASplit(path)) {
      return wrong("a path of `" + std::string(splitNames[0]) + "` and the like has `{split}`, which is known there");
    }
  }
  if (all.size() == 1) {
    dataBlock.path = all.front();
  } else if (marked > 0) {
    for (const char *split : splitNames) {
      std::vector<std::string> &files = dataBlock.files.emplace_back();
      for (const std::string &path : all) {
        files.push_back(fileOfSplit(path, split));
      }
    }
  } else {
    dataBlock.files = bySplit ? std::move(ofSplits) : std::vector<std::vector<std::string>>{all};
  }
  return true;
}

bool Records::readFormat(const Choice &source, const Span &span) {
  const Attributes &given = source.attributes;
  dataBlock.source = source.name;
  if (!readFiles(given, span)) {
    return false;
  }
  dataBlock.parameters = given;
  dataBlock.parameters.erase("path");
  for (const char *split : splitNames) {
    dataBlock.parameters.erase(split);
  }
  if (!SourceSpec::isBuiltIn(source.name)) {
    return true;
  }
  if (const auto delimiter = given.find("delimiter"); delimiter != given.end()) {
    const std::string &sign = std::get<std::string>(delimiter->second);
    if (sign.size() != 1 || static_cast<unsigned char>(sign[0]) >= 0x80 || sign == "\"" || sign == "\n" || sign == "\r") {
      reporter.report(
          "out-of-range", span,
          {{"name", "delimiter"}, {"value", quote(sign.substr(0, 20))}, {"rule", "one ASCII character, neither a quote nor a line end"}});
      return false;
    }
  }
  if (const auto decimal = given.find("decimal"); decimal != given.end()) {
    const std::string &sign = std::get<std::string>(decimal->second);
    if ((sign != "." && sign != ",") || sign == std::get<std::string>(given.at("delimiter"))) {
      reporter.report(
          "out-of-range", span,
          {{"name", "decimal"}, {"value", quote(sign.substr(0, 20))}, {"rule", "`.` or `,`, and another sign than `delimiter`"}});
      return false;
    }
  }
  for (const Signature &known : sources({})) { // what is at its default is left out, so that keys of caches stay what they were
    for (const ParameterSpec &parameter : known.parameters) {
      const auto found = dataBlock.parameters.find(parameter.name);
      if (known.name == source.name && !parameter.required && found != dataBlock.parameters.end() &&
          found->second == defaultOf(parameter)) {
        dataBlock.parameters.erase(found);
      }
    }
  }
  return source.name != "conll" || readLines(given, span);
}

bool Records::readLines(const Attributes &attributes, const Span &span) {
  const auto &names = std::get<std::vector<std::string>>(attributes.at("columns"));
  std::string problem = names.empty() ? "is empty" : "";
  std::set<std::string> seen;
  for (const std::string &name : names) {
    if (!seen.insert(name).second) {
      problem = "names " + quote(name) + " twice";
    }
  }
  if (!problem.empty()) {
    reporter.report("bad-line-columns", span, {{"problem", problem}});
    return false;
  }
  for (const auto &column : dataBlock.columns) {
    if (!column->type.empty() && column->type != "words" && column->type != "tags") {
      reporter.report("column-not-list", column->span, {{"name", column->name}, {"type", column->type}});
    }
  }
  return true;
}

/// `columns s_1..s_21 = number()`: a column each.
void Records::readColumns(const Entry &entry) {
  const Expression &range = entry.value;
  const bool isRange = range.kind == Expression::Kind::range && range.children[0].kind == Expression::Kind::name &&
                       range.children[1].kind == Expression::Kind::name;
  const auto names = isRange ? namesFrom(range.children[0].text, range.children[1].text) : std::nullopt;
  if (!names || entry.bound.kind == Expression::Kind::error) {
    if (range.kind != Expression::Kind::error) {
      reporter.report(
          "bad-name-range", range.span,
          {{"first", isRange ? range.children[0].text : excerpt(range.span, 40)}, {"last", isRange ? range.children[1].text : ""}});
    }
    return;
  }
  const bool flows = entry.bound.kind == Expression::Kind::flow;
  for (const Argument &argument : argumentsOf(flows ? entry.bound.children[0] : entry.bound)) {
    if (argument.name == "from") {
      reporter.report("from-of-columns", argument.value.span, {});
      return;
    }
  }
  for (const std::string &name : *names) {
    Entry one = entry;
    one.kind = Entry::Kind::column;
    one.name = name;
    one.nameSpan = range.span;
    one.value = entry.bound;
    readColumn(one);
  }
}

void Records::readColumn(const Entry &entry) {
  auto column = std::make_shared<Column>();
  column->name = entry.name;
  column->from = entry.name;
  column->span = entry.span;
  const bool flows = entry.value.kind == Expression::Kind::flow;
  const Expression &type = flows ? entry.value.children[0] : entry.value;
  // class["a", "b"](from: ...): the list stands between the type and its arguments.
  const Expression &callee = calleeOf(type);
  if (callee.kind == Expression::Kind::index) {
    const Expression &base = callee.children[0];
    readClasses(callee, *column);
    Expression without = base;
    if (type.kind == Expression::Kind::call) {
      without = {};
      without.kind = Expression::Kind::call;
      without.span = type.span;
      without.arguments = type.arguments;
      without.children.push_back(base);
    }
    readType(without, type.span, *column);
  } else {
    readType(type, type.span, *column);
  }
  for (std::size_t i = 1; flows && i < entry.value.children.size(); ++i) {
    CellSteps(program, {scopes, settings, evaluator, values, reporter}).read(entry.value.children[i], *column);
  }
  Value value(Value::Kind::column);
  value.text = entry.name;
  value.column = column;
  if (scopes.declare(scopes.top, entry.name, entry.nameSpan, std::move(value))) {
    dataBlock.columns.push_back(std::move(column));
  }
}

void Records::readClasses(const Expression &list, Column &column) {
  const Expression &base = list.children[0];
  if (base.kind != Expression::Kind::name || (base.text != "class" && base.text != "set" && base.text != "tags")) {
    reporter.report("misplaced-entry", list.span,
                    {{"entry", "a list of classes"},
                     {"block", "this type"},
                     {"rule", "`class[...]` lists classes, `set[...]` labels and `tags[...]` tags, no other type does"}});
    return;
  }
  std::string problem;
  std::set<std::string> seen;
  Place place;
  for (const Argument &argument : list.arguments) {
    const Value value = evaluator.evaluate(argument.value, scopes.top, place);
    if (value.kind == Value::Kind::error) {
      continue;
    }
    if (value.kind != Value::Kind::string || !argument.name.empty()) {
      problem = "a class is a string, not " + describe(value);
    } else if (!seen.insert(value.text).second) {
      problem = "the class " + quote(value.text) + " stands twice in the list";
    } else {
      column.classes.push_back(value.text);
    }
  }
  if (problem.empty() && list.arguments.size() < 2) {
    problem = "the list has " + std::to_string(list.arguments.size()) + " classes";
  }
  column.declared = problem.empty();
  if (!problem.empty()) {
    reporter.report("bad-class-list", list.span, {{"detail", problem}});
    column.classes.clear();
  }
}

/// `span`: of the type with its list of classes.
void Records::readType(const Expression &type, const Span &span, Column &column) {
  static const std::vector<std::string> later = {"image", "series", "vector"};
  const Expression &callee = calleeOf(type);
  if (callee.kind == Expression::Kind::name && std::find(later.begin(), later.end(), callee.text) != later.end()) {
    reporter.report("not-in-edition", callee.span, {{"what", "the column type `" + callee.text + "`"}});
    return;
  }
  const std::string key = "data." + column.name;
  for (const Argument &argument : argumentsOf(type)) {
    if (argument.name == "fill" && callee.kind == Expression::Kind::name && callee.text == "number") {
      reporter.report("fill-of-column", argument.nameSpan, {{"name", column.name}, {"by", excerpt(argument.value.span, 20)}});
      return;
    }
  }
  // `from: 3` is the third column, whatever its name.
  Expression numbered;
  const Expression *given = &type;
  for (std::size_t i = 0; i < argumentsOf(type).size(); ++i) {
    if (const Argument &argument = argumentsOf(type)[i]; argument.name == "from" && argument.value.kind == Expression::Kind::integer) {
      numbered = type;
      Expression &name = numbered.arguments[i].value;
      name.kind = Expression::Kind::string;
      name.text = "#" + std::to_string(argument.value.integer);
      given = &numbered;
    }
  }
  const Choice choice = values.choose(*given, columnTypes(), "a column type", key, Origin::file);
  if (!choice.good) {
    return;
  }
  column.type = choice.name;
  column.holds = findColumnType(choice.name)->holds;
  column.parameters = choice.attributes;
  const auto taken = [&](const char *name) {
    auto node = column.parameters.extract(name);
    return node.empty() ? Attribute() : std::move(node.mapped());
  };
  const auto textOf = [&](const char *name) {
    const Attribute value = taken(name);
    const auto *held = std::get_if<std::string>(&value);
    return held == nullptr ? std::string() : *held;
  };
  const std::string from = textOf("from");
  column.from = from.empty() ? column.name : from;
  column.separator = textOf("separator");
  column.scheme = textOf("scheme");
  if (const Attribute missing = taken("missing"); const auto *cells = std::get_if<std::vector<std::string>>(&missing)) {
    column.missing = *cells;
  }
  if (choice.name == "set" && column.separator.empty()) {
    reporter.report("out-of-range", type.span, {{"name", "separator"}, {"value", "\"\""}, {"rule", "at least one character"}});
  }
  if (column.declared) {
    settings.resolve(key + ".classes", formatAttribute(column.classes), Origin::file, span);
  }
}

std::int64_t Records::classCount(const std::string &column) const {
  if (const Column *found = findColumn(column); found != nullptr && found->declared) {
    return static_cast<std::int64_t>(found->classes.size());
  }
  if (facts != nullptr) {
    if (const auto classes = facts->classes.find(column); classes != facts->classes.end()) {
      return static_cast<std::int64_t>(classes->second.size());
    }
  }
  return unknownSize;
}

void Records::weighClasses(const std::vector<ParameterSpec> &parameters, Attributes &attributes, const std::string &column,
                           const Span &span) const {
  for (const ParameterSpec &parameter : parameters) {
    const auto found = parameter.eachClass ? attributes.find(parameter.name) : attributes.end();
    if (found == attributes.end()) {
      continue;
    }
    const auto *word = std::get_if<std::string>(&found->second);
    if (word != nullptr && std::find(parameter.members.begin(), parameter.members.end(), *word) != parameter.members.end()) {
      found->second = balancedWeights(column);
    } else if (const auto *named = std::get_if<std::vector<std::string>>(&found->second)) {
      found->second = namedWeights(*named, column, span);
    }
  }
}

/// Of names with a number behind each, as `formatAttribute` prints them.
std::vector<double> Records::namedWeights(const std::vector<std::string> &named, const std::string &column, const Span &span) const {
  const std::vector<std::string> *const classes = classesOf(column);
  if (classes == nullptr) {
    return {};
  }
  std::vector<double> weights(classes->size(), 1);
  for (std::size_t i = 0; i + 1 < named.size(); i += 2) {
    const auto found = std::find(classes->begin(), classes->end(), named[i]);
    if (found == classes->end()) {
      reporter.report("no-such-class", span,
                      {{"class", named[i]},
                       {"name", column},
                       {"nearest", diagnostics::nearest(named[i], *classes)},
                       {"example", classes->empty() ? "" : (*classes)[0]}});
      continue;
    }
    std::from_chars(named[i + 1].data(), named[i + 1].data() + named[i + 1].size(),
                    weights[static_cast<std::size_t>(found - classes->begin())]);
  }
  return weights;
}

const std::vector<std::string> *Records::classesOf(const std::string &name) const {
  const Column *const column = findColumn(name);
  if (column != nullptr && column->declared) {
    return &column->classes;
  }
  const auto known = facts == nullptr ? std::map<std::string, std::vector<std::string>>::const_iterator() : facts->classes.find(name);
  return facts == nullptr || known == facts->classes.end() ? nullptr : &known->second;
}

/// As scikit-learn's `balanced`: a class weighs records / (classes * its records), of train. A class without any has no records to
/// weigh.
std::vector<double> Records::balancedWeights(const std::string &column) const {
  std::vector<double> weights;
  if (facts != nullptr) {
    if (const auto counts = facts->trainCounts.find(column); counts != facts->trainCounts.end()) {
      std::int64_t records = 0;
      for (const std::int64_t count : counts->second) {
        records += count;
      }
      for (const std::int64_t count : counts->second) {
        const double share = static_cast<double>(counts->second.size()) * static_cast<double>(count);
        weights.push_back(count > 0 ? static_cast<double>(records) / share : 0);
      }
    }
  }
  return weights;
}

std::int64_t Records::vocabularySize(const std::string &feature) const {
  if (facts != nullptr) {
    if (const auto found = facts->vocabularies.find(feature); found != facts->vocabularies.end() && found->second.size > 0) {
      return found->second.size;
    }
  }
  return unknownSize;
}

} // namespace penstock::frontend
