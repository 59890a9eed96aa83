#include "compiler/frontend/check/source_steps.h"

#include "runtime/base/splits.h"

namespace penstock::frontend {

/// `drop(text: empty)`, `keep(site: ["A", "B"])`, `dedupe(text)`: which rows are records.
void SourceSteps::readOperator(const RowOperator &row, const Expression &step, Origin origin) {
  StepSpec spec;
  spec.op = row.name;
  bool good = true;
  std::vector<std::string> columns;
  const auto wrong = [&](const Span &span, const std::string &found) {
    tools.reporter.report("bad-row-operator", span, {{"op", row.name}, {"found", found}, {"rule", row.help}, {"form", row.form}});
    good = false;
  };
  const std::vector<Argument> &arguments = argumentsOf(step);
  if (arguments.empty()) {
    wrong(step.span, "nothing");
  }
  ParameterSpec cells;
  cells.type = PluginParameter::Type::strings;
  for (const Argument &argument : arguments) {
    if (row.takes == RowOperator::Takes::columns) {
      const bool isPlain = argument.name.empty() && argument.value.kind == Expression::Kind::name;
      if (!isPlain) {
        wrong(argument.value.span, excerpt(argument.value.span, 40));
      } else if (records.isColumn(argument.value.text, argument.value.span)) {
        columns.push_back(argument.value.text);
      } else {
        good = false;
      }
      continue;
    }
    if (argument.name.empty()) {
      wrong(argument.value.span, excerpt(argument.value.span, 40));
      continue;
    }
    if (!records.isColumn(argument.name, argument.nameSpan)) {
      good = false;
      continue;
    }
    const bool isEmpty = row.takesEmpty && argument.value.kind == Expression::Kind::name && argument.value.text == emptyCell;
    if (isEmpty) {
      spec.parameters[argument.name] = std::string(emptyCell);
    } else if (argument.value.kind != Expression::Kind::list) {
      wrong(argument.value.span, excerpt(argument.value.span, 40));
    } else {
      Place place;
      cells.name = argument.name;
      const auto list = tools.evaluator.parameter(argument.value, cells, tools.scopes.top, place, &origin);
      good = good && list.has_value();
      if (list) {
        spec.parameters[argument.name] = *list;
      }
    }
  }
  if (!good) {
    return;
  }
  if (row.takes == RowOperator::Takes::columns) {
    spec.parameters["columns"] = columns;
  }
  data.rowSteps.push_back(spec);
  std::string shown; // of all operators of that name
  for (const StepSpec &one : data.rowSteps) {
    for (const auto &[name, value] : one.parameters) {
      const bool isEmpty = value == NamedValue(std::string(emptyCell));
      if (one.op == spec.op && row.takes == RowOperator::Takes::cells) {
        shown += (shown.empty() ? "" : ", ") + name + ": " + (isEmpty ? std::string(emptyCell) : formatAttribute(value));
      }
    }
  }
  for (const std::string &column : columns) {
    shown += (shown.empty() ? "" : ", ") + column;
  }
  tools.settings.resolve(std::string("data.source.") + row.name, shown, origin, step.span);
}

bool SourceSteps::readSplit(const Expression &split, Origin origin) {
  std::vector<Signature> choices = {splitSignature()};
  for (const RowOperator &row : rowOperators()) { // which were read: only their names are shown
    choices.push_back({row.name, {}, {}});
  }
  const Choice how = tools.values.choose(split, choices, "what a source flows into", "data.split", origin);
  if (!how.good) {
    return false;
  }
  data.splitSpan = split.span;
  SplitSpec &spec = data.split;
  const bool byHash = how.attributes.count("by") > 0, byOrder = how.attributes.count("order") > 0;
  if (byHash && byOrder) {
    tools.reporter.report("split-by-one", split.span, {{"detail", "`split` has `by` and `order`"}});
    return false;
  }
  spec.by = byOrder ? "order" : "hash";
  for (const auto &[name, value] : how.attributes) {
    if (name != "by" && name != "order") {
      setField(spec, name, value);
    }
  }
  if (byHash || byOrder) {
    spec.column = std::get<std::string>(how.attributes.at(byHash ? "by" : "order"));
  }
  if (!readShares(how, split.span, origin) || !checkSplit(how, split.span)) {
    return false;
  }
  if (!spec.stratify.empty() && !records.isColumn(spec.stratify, split.span)) {
    return false;
  }
  return !byOrder || (records.isColumn(spec.column, split.span) && records.checkOrder(spec.column, split.span));
}

/// The shares of `split`; that of train is the rest, and with folds there is one of test alone.
bool SourceSteps::readShares(const Choice &how, const Span &span, Origin origin) {
  const auto given = [&](const char *name) {
    const auto found = how.attributes.find(name);
    return found == how.attributes.end() ? std::optional<double>() : std::get<double>(found->second);
  };
  SharesSpec &shares = data.split.shares;
  const bool folds = data.split.folds > 0;
  const std::optional<double> train = given("train"), dev = given("dev");
  shares.test = given("test").value_or(0.1);
  shares.dev = folds ? 0 : dev.value_or(0.1);
  shares.train = train.value_or(std::max(0.0, 1 - shares.test - shares.dev));
  constexpr double rounding = 1e-9;
  const double sum = shares.test + shares.dev + shares.train;
  if (folds && (train || dev)) {
    tools.reporter.report("bad-split", span,
                          {{"detail", std::string("`split` has `folds` and `") + (train ? "train" : "dev") + "`"},
                           {"hint", "leave it out: of what is not test each fold is dev once, and train otherwise"}});
    return false;
  }
  if (std::abs(sum - 1) > rounding || shares.train <= rounding) {
    tools.reporter.report("bad-shares", span, {{"sum", formatNumber(std::round(sum * 1e6) / 1e4) + "%"}});
  }
  if (!train && !folds) {
    tools.settings.resolve("data.split.train", formatNumber(std::round(shares.train * 1e9) / 1e9), origin, span);
  }
  if (!dev && !folds) {
    tools.settings.resolve("data.split.dev", formatNumber(shares.dev), origin, span);
  }
  return true;
}

/// Whether what `split` says goes together; false after a report.
bool SourceSteps::checkSplit(const Choice &how, const Span &span) {
  const SplitSpec &spec = data.split;
  const auto wrong = [&](const std::string &detail, const std::string &hint) {
    tools.reporter.report("bad-split", span, {{"detail", detail}, {"hint", hint}});
    return false;
  };
  for (const char *name : {"stratify", "folds", "fold", "refit"}) {
    if (spec.by == "order" && how.attributes.count(name) > 0) {
      return wrong(std::string("`split` has `order` and `") + name + "`", "leave one of them out");
    }
  }
  for (const char *name : {"fold", "refit"}) {
    if (spec.folds == 0 && how.attributes.count(name) > 0) {
      return wrong(std::string("`split` has `") + name + "` and no `folds`", "write `folds: 5`, or leave it out");
    }
  }
  const std::int64_t last = spec.folds - (spec.refit ? 0 : 1); // of all folds together none is dev
  if (spec.folds > 0 && spec.fold > last) {
    return wrong("there is no fold " + std::to_string(spec.fold) + " of " + std::to_string(spec.folds),
                 "folds count from 0 to " + std::to_string(spec.folds - 1) + ", and behind them is the run of all with `refit: true`");
  }
  const Column *const classes = records.findColumn(spec.stratify);
  if (classes != nullptr && !classes->type.empty() && classes->type != "class") {
    return wrong("`" + spec.stratify + "` is a " + classes->type + " column", "name a `class` column");
  }
  return true;
}

} // namespace penstock::frontend
