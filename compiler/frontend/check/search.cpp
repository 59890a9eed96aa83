// `search(...)`: a value, and the space in which a better one may lie.
#include "compiler/frontend/check/evaluator.h"
#include "compiler/frontend/other_tools.h"

namespace penstock::frontend {

using diagnostics::nearest;
using Type = PluginParameter::Type;

class Evaluator::Search {
public:
  Search(Evaluator &evaluating, const ParameterSpec *parameter, Scope &names, Place &where)
      : evaluator(evaluating), reporter(evaluating.reporter), spec(parameter), scope(names), place(where) {}

  Value run(const Expression &expression) {
    readArguments(expression);
    if (space == nullptr) {
      reporter.report("missing-argument", expression.span, {{"callable", "search"}, {"name", "a range or a list"}});
      return {};
    }
    readScale();
    isRange = space->kind == Expression::Kind::range;
    if (!isRange && space->kind != Expression::Kind::list) {
      if (space->kind != Expression::Kind::error) {
        reporter.report("wrong-type", space->span,
                        {{"name", "search"}, {"expected", "a range or a list"}, {"found", "`" + excerpt(space->span, 40) + "`"}});
      }
      return {};
    }
    readSpace();
    if (fallback == nullptr) {
      reporter.report("search-without-default", expression.span);
      return {};
    }
    Value value = member(*fallback);
    if (!good) {
      return {};
    }
    if (!contains(value)) {
      reporter.report("search-default-outside", fallback->span, {{"value", excerpt(fallback->span, 40)}});
      return {};
    }
    value.origin = stronger(value.origin, Origin::search);
    return value;
  }

private:
  void readArguments(const Expression &expression) {
    for (const Argument &argument : expression.arguments) {
      const Expression **slot = argument.name.empty()        ? &space
                                : argument.name == "default" ? &fallback
                                : argument.name == "scale"   ? &scale
                                                             : nullptr;
      if (slot == nullptr) {
        reporter.report("unknown-argument", argument.nameSpan,
                        {{"callable", "search"},
                         {"name", argument.name},
                         {"parameters", "a range or a list, `scale` and `default`"},
                         {"nearest", nearest(argument.name, {"default", "scale"})}});
        good = false;
      } else if (*slot != nullptr) {
        reporter.report(argument.name.empty() ? "too-many-arguments" : "duplicate-argument", argument.value.span,
                        {{"callable", "search"}, {"name", argument.name}});
        good = false;
      } else {
        *slot = &argument.value;
      }
    }
  }

  void readScale() {
    if (scale == nullptr) {
      return;
    }
    if (scale->kind == Expression::Kind::name && (scale->text == "log" || scale->text == "linear")) {
      log = scale->text == "log";
    } else if (scale->kind != Expression::Kind::error) {
      reporter.report("not-a-member", scale->span,
                      {{"value", excerpt(scale->span, 40)},
                       {"name", "scale"},
                       {"members", "`linear` or `log`"},
                       {"hint", hintForWord("member", scale->text, {"linear", "log"})}});
      good = false;
    }
  }

  void readSpace() {
    for (const Expression &one : space->children) {
      ends.push_back(member(one));
    }
    const auto empty = [&] {
      const double low = ends[0].asDouble(), high = ends[1].asDouble();
      return !ends[0].isNumber() || !ends[1].isNumber() || low > high || (log && low <= 0);
    };
    if ((good && isRange && empty()) || ends.empty()) {
      reporter.report("empty-range", space->span);
      good = false;
    }
  }

  /// The members of the space have the type of the parameter, like the default.
  Value member(const Expression &expression) {
    Value value;
    if (spec != nullptr && spec->type == Type::enumeration && expression.kind == Expression::Kind::name) {
      value.kind = Value::Kind::word;
      value.text = expression.text;
    } else {
      value = evaluator.evaluate(expression, scope, place);
    }
    if (value.kind == Value::Kind::error || (spec != nullptr && !evaluator.convertOrReport(value, *spec, expression.span))) {
      good = false;
    }
    return value;
  }

  bool contains(const Value &value) const {
    if (isRange) {
      return !(value.asDouble() < ends[0].asDouble() || value.asDouble() > ends[1].asDouble());
    }
    return std::any_of(ends.begin(), ends.end(), [&](const Value &one) {
      if (!one.isNumber() || !value.isNumber()) {
        return one.kind == value.kind && one.text == value.text && one.flag == value.flag;
      }
      const double a = one.asDouble(), b = value.asDouble();
      return std::isnan(a) || std::isnan(b) || a == b; // NaN: not known yet
    });
  }

  Evaluator &evaluator;
  Reporter &reporter;
  const ParameterSpec *spec;
  Scope &scope;
  Place &place;
  const Expression *space = nullptr, *fallback = nullptr, *scale = nullptr;
  bool good = true, isRange = false, log = false;
  std::vector<Value> ends;
};

Value Evaluator::search(const Expression &expression, const ParameterSpec *spec, Scope &scope, Place &place) {
  return Search(*this, spec, scope, place).run(expression);
}

} // namespace penstock::frontend
