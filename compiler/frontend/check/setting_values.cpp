#include "compiler/frontend/check/setting_values.h"

#include "compiler/frontend/check/conversion.h"

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;
using Type = PluginParameter::Type;

SettingValues::SettingValues(const Program &files, Scopes &names, Settings &set, Evaluator &evaluating, Reporter &reports)
    : program(files), scopes(names), settings(set), evaluator(evaluating), reporter(reports) {}

namespace {

/// The type that a param is declared with. `one_of(a, b)` is an enumeration.
std::optional<ParameterSpec> readType(const Parameter &param, std::string *unknown) {
  ParameterSpec spec;
  spec.name = param.name;
  const Expression &type = *param.type;
  const std::string name = type.kind == Expression::Kind::name                                                      ? type.text
                           : type.kind == Expression::Kind::call && type.children[0].kind == Expression::Kind::name ? type.children[0].text
                                                                                                                    : "";
  if (type.kind == Expression::Kind::name) {
    static const std::map<std::string, Type> types = {
        {"path", Type::path}, {"string", Type::string}, {"int", Type::integer}, {"float", Type::number}, {"bool", Type::boolean}};
    if (const auto found = types.find(name); found != types.end()) {
      spec.type = found->second;
      return spec;
    }
  } else if (name == "one_of") {
    spec.type = Type::enumeration;
    for (const Argument &argument : type.arguments) {
      if (argument.value.kind == Expression::Kind::name) {
        spec.members.push_back(argument.value.text);
      }
    }
    if (!spec.members.empty()) {
      return spec;
    }
  }
  *unknown = name.empty() ? excerpt(type.span, 40) : name;
  return std::nullopt;
}

} // namespace

void SettingValues::readParams() {
  for (const Parameter &param : program.main().ast.params) {
    Value value;
    if (!param.type.has_value() || param.type->kind == Expression::Kind::error) {
      settings.find(param.name);
      scopes.declare(scopes.top, param.name, param.nameSpan, value);
      continue;
    }
    std::string unknown;
    const auto spec = readType(param, &unknown);
    if (!spec) {
      reporter.report(
          "unknown-type", param.type->span,
          {{"name", unknown},
           {"rule", "a param is `path`, `string`, `int`, `float`, `bool` or `one_of(a, b)`"},
           {"nearest", param.type->kind == Expression::Kind::call ? nearest(unknown, {"one_of"})
                                                                  : nearest(unknown, {"path", "string", "int", "float", "bool"})}});
      settings.find(param.name);
    } else {
      value = paramValue(param, *spec);
    }
    scopes.declare(scopes.top, param.name, param.nameSpan, std::move(value));
  }
}

Value SettingValues::paramValue(const Parameter &param, const ParameterSpec &spec) {
  Value value;
  std::optional<Attribute> attribute;
  Origin origin = Origin::file;
  Span span;
  Scope empty;
  empty.unit = &program.main();
  Place place;
  if (Override *set = settings.find(param.name)) {
    origin = Origin::commandLine;
    span = set->valueSpan();
    // Strings need no quotes: the text is the value, unless it is quoted.
    if (spec.type == Type::string || spec.type == Type::path) {
      std::string text = set->text;
      if (set->problems.empty() && set->value.kind == Expression::Kind::string) {
        text = set->value.text;
      }
      if (spec.type == Type::path) {
        text = joinPath(set->folder, text);
      }
      attribute = text;
    } else if (set->problems.empty()) {
      attribute = evaluator.parameter(set->value, spec, empty, place, &origin);
    } else {
      reporter.report("wrong-type", span,
                      {{"name", param.name}, {"expected", describeParameterType(spec)}, {"found", "`" + set->text.substr(0, 40) + "`"}});
    }
  } else if (param.defaultValue.has_value()) {
    span = param.defaultValue->span;
    attribute = evaluator.parameter(*param.defaultValue, spec, empty, place, &origin);
  } else {
    reporter.report("param-without-value", param.nameSpan, {{"name", param.name}});
  }
  if (!attribute) {
    return value;
  }
  settings.resolve(param.name, formatAttribute(*attribute, &spec), origin, span);
  value = valueOf(*attribute);
  value.origin = origin == Origin::commandLine || origin == Origin::search ? origin : Origin::file;
  value.kind = spec.type == Type::path ? Value::Kind::path : spec.type == Type::enumeration ? Value::Kind::word : value.kind;
  return value;
}

std::optional<Attribute> SettingValues::simple(const BlockSettings &given, const std::string &block, const ParameterSpec &spec) {
  const auto found = given.find(spec.name);
  const std::string key = block + "." + spec.name;
  if (found == given.end()) {
    const Attribute value = defaultOf(spec);
    settings.resolve(key, formatAttribute(value, &spec), Origin::standard);
    return value;
  }
  Place place;
  Origin origin = found->second.origin;
  const auto value = evaluator.parameter(*found->second.value, spec, scopes.top, place, &origin);
  if (value) {
    settings.resolve(key, formatAttribute(*value, &spec), origin, found->second.value->span);
  }
  return value;
}

Choice SettingValues::choose(const Expression &expression, const std::vector<Signature> &choices, const std::string &what,
                             const std::string &key, Origin origin) {
  Choice choice;
  if (expression.kind == Expression::Kind::error) {
    return choice;
  }
  const Expression &callee = calleeOf(expression);
  const bool isName = callee.kind == Expression::Kind::name;
  const auto chosen = std::find_if(choices.begin(), choices.end(), [&](const Signature &one) { return isName && callee.text == one.name; });
  if (chosen == choices.end()) {
    std::vector<std::string> names;
    for (const Signature &signature : choices) {
      names.push_back(signature.name);
    }
    const std::string shown = isName ? callee.text : excerpt(callee.span, 40);
    reporter.report("unknown-choice", callee.span,
                    {{"value", shown}, {"what", what}, {"choices", quotedList(names)}, {"nearest", nearest(shown, names)}});
    return choice;
  }
  choice.name = chosen->name;
  Place place;
  BoundCall bound = evaluator.bind(*chosen, expression.span, argumentsOf(expression), std::nullopt, {}, scopes.top, place, key);
  const bool ofData = key.compare(0, 5, "data.") == 0;
  choice.good = bound.good && (!ofData || checkKnown(bound.attributes, choice.name, bound.spans, expression.span, reporter));
  settings.resolve(key, choice.name, origin, expression.span);
  settings.resolveParameters(key, *chosen, bound.attributes, [&](const std::string &name) {
    const auto [from, span] = bound.written(name);
    return std::pair(from == Origin::file && origin == Origin::commandLine ? Origin::commandLine : from, span);
  });
  choice.attributes = std::move(bound.attributes);
  return choice;
}

ParameterSpec numberSetting(const char *name, double value, double minimum, bool open) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::number;
  spec.defaultValue = value;
  spec.hasMinimum = true;
  spec.minimum = minimum;
  spec.openMinimum = open;
  return spec;
}

ParameterSpec integerSetting(const char *name, std::int64_t value, std::int64_t minimum, double maximum) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::integer;
  spec.defaultValue = value;
  spec.hasMinimum = spec.hasMaximum = true;
  spec.minimum = static_cast<double>(minimum);
  spec.maximum = maximum;
  return spec;
}

} // namespace penstock::frontend
