#include "compiler/frontend/check/cell_steps.h"

#include "compiler/frontend/check/conversion.h"

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;

void CellSteps::read(const Expression &step, Column &column) {
  if (step.kind == Expression::Kind::error || column.type.empty()) {
    return;
  }
  const Expression &callee = calleeOf(step);
  const std::string name = callee.kind == Expression::Kind::name ? callee.text : excerpt(callee.span, 40);
  const CellOperator *const row = findCellOperator(name);
  if (row == nullptr) {
    std::vector<std::string> names;
    for (const CellOperator &one : cellOperators()) {
      names.emplace_back(one.name);
    }
    tools.reporter.report(
        "unknown-choice", callee.span,
        {{"value", name}, {"what", "what a column flows into"}, {"choices", quotedList(names)}, {"nearest", nearest(name, names)}});
    return;
  }
  const auto wrong = [&](const std::string &detail, const std::string &hint) {
    tools.reporter.report("bad-cell-operator", step.span,
                          {{"detail", detail}, {"rule", std::string("`") + row->name + "`: " + row->help}, {"hint", hint}});
  };
  if (std::find(row->takes.begin(), row->takes.end(), column.holds) == row->takes.end()) {
    wrong(std::string("`") + row->name + "` does not take " + std::string(penstock::describe(column.holds)) + ", which `" + column.name +
              "` is",
          "leave it out");
    return;
  }
  if (row->ofClasses && column.declared) {
    wrong("`" + column.name + "` lists its classes, so none is merged", "leave the list or `" + std::string(row->name) + "` out");
    return;
  }
  const bool again = std::any_of(column.steps.begin(), column.steps.end(), [&](const StepSpec &one) { return one.op == row->name; });
  if (row->ofClasses && again) {
    wrong(std::string("`") + row->name + "` stands twice", "leave one of them out");
    return;
  }
  StepSpec spec;
  spec.op = row->name;
  const std::string key = "data." + column.name + "." + row->name;
  if (row->pairs) {
    if (!readPairs(step, key, spec.parameters)) {
      return;
    }
  } else {
    Choice choice = tools.values.choose(step, {signatureOf(*row)}, "what a column flows into", key, Origin::file);
    if (!choice.good) {
      return;
    }
    spec.parameters = std::move(choice.attributes);
  }
  column.steps.push_back(std::move(spec));
}

/// `map([["old", "new"], ...])`, or `map("names.csv")`, whose text the records have.
bool CellSteps::readPairs(const Expression &step, const std::string &key, NamedValues &parameters) {
  const std::vector<Argument> &arguments = argumentsOf(step);
  const auto wrong = [&](const Span &span, const std::string &found) {
    tools.reporter.report("bad-cell-operator", span,
                          {{"detail", "`map` does not take " + found},
                           {"rule", "`map` takes a list of pairs of an old and a new text, or a csv file of them"},
                           {"hint", "write `map([[\"old\", \"new\"]])`"}});
    return false;
  };
  if (arguments.size() != 1 || !arguments[0].name.empty()) {
    return wrong(step.span, arguments.empty() ? "nothing" : excerpt(step.span, 40));
  }
  Place place;
  Origin origin = Origin::file;
  const Expression &given = arguments[0].value;
  if (given.kind == Expression::Kind::list) {
    std::vector<std::string> pairs;
    std::string text; // in the one way in which it is printed
    std::set<std::string> seen;
    ParameterSpec pair;
    pair.name = "map";
    pair.type = PluginParameter::Type::strings;
    for (const Expression &one : given.children) {
      if (one.kind == Expression::Kind::error) {
        return false;
      }
      if (one.kind != Expression::Kind::list || one.children.size() != 2) {
        return wrong(one.span, excerpt(one.span, 40));
      }
      const auto texts = tools.evaluator.parameter(one, pair, tools.scopes.top, place, &origin);
      if (!texts) {
        return false;
      }
      const auto &both = std::get<std::vector<std::string>>(*texts);
      if (!seen.insert(both[0]).second) {
        return wrong(one.span, quote(both[0]) + " twice");
      }
      pairs.insert(pairs.end(), both.begin(), both.end());
      text += (text.empty() ? "[" : ", ") + formatAttribute(both);
    }
    if (pairs.empty()) {
      return wrong(given.span, "an empty list");
    }
    tools.settings.resolve(key, text + "]", origin, step.span);
    parameters["pairs"] = std::move(pairs);
    return true;
  }
  ParameterSpec path;
  path.name = "map";
  path.type = PluginParameter::Type::path;
  const auto file = tools.evaluator.parameter(given, path, tools.scopes.top, place, &origin);
  if (!file) {
    return false;
  }
  const auto &name = std::get<std::string>(*file);
  const Result<std::string> table = program.table(name);
  if (!table.ok()) {
    tools.reporter.report("missing-table", given.span, {{"detail", table.status().message()}});
    return false;
  }
  tools.settings.resolve(key, quote(name), origin, step.span);
  parameters["table"] = *table;
  return true;
}

} // namespace penstock::frontend
