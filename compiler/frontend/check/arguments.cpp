// How the arguments of a call meet the operands and parameters of its signature.
#include "compiler/frontend/check/evaluator.h"

#include <unordered_map>

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;
using Type = PluginParameter::Type;

class Evaluator::Binding {
public:
  Binding(Evaluator &evaluating, const Signature &wanted, Scope &names, Place &where)
      : evaluator(evaluating), reporter(evaluating.reporter), signature(wanted), scope(names), place(where),
        variadic(!wanted.operands.empty() && wanted.operands[0].accepts == Accepts::variadic), operands(wanted.operands.size()),
        operandSpans(wanted.operands.size()) {}

  void flow(Value value, const Span &span) {
    if (operands.empty()) {
      reporter.report("too-many-arguments", span, {{"callable", signature.name}});
      bound.good = false;
    } else {
      operands[0] = std::move(value);
      operandSpans[0] = span;
    }
  }

  void arguments(const std::vector<Argument> &list) {
    // A signature of thousands of parameters is searched as often.
    if (std::any_of(list.begin(), list.end(), [](const Argument &argument) { return !argument.name.empty(); })) {
      for (std::size_t i = 0; i < operands.size(); ++i) {
        operandByName.emplace(signature.operands[i].name, i);
      }
      for (std::size_t i = 0; i < signature.parameters.size(); ++i) {
        parameterByName.emplace(signature.parameters[i].name, i);
      }
    }
    if (variadic) {
      rest.reserve(list.size());
      restSpans.reserve(list.size());
    }
    bool anyNamed = false;
    for (const Argument &argument : list) {
      if (!argument.name.empty()) {
        anyNamed = true;
        named(argument);
      } else if (anyNamed) {
        reporter.report("positional-after-named", argument.value.span);
        bound.good = false;
        misread = true;
      } else {
        positional(argument.value);
      }
    }
  }

  /// `--set block.setting.argument=...`
  void overrides(const Evaluator::KeyOf &keyOf) {
    const bool hasInput = signature.operands.empty() || (!operands.empty() && operands[0].has_value()) || !rest.empty();
    if (const std::string key = keyOf(hasInput); !key.empty()) {
      evaluator.override(signature, key, scope, place, bound);
      for (const auto &[name, span] : bound.spans) {
        given.insert(name);
      }
    }
  }

  BoundCall finish(const Span &span) {
    fillDefaults(span);
    while (!operands.empty() && !operands.back().has_value()) {
      operands.pop_back();
    }
    bound.operands.reserve(operands.size() + rest.size());
    bound.operandSpans.reserve(operands.size() + rest.size());
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (!operands[i].has_value()) {
        evaluator.reportMissingInput(signature, i, span);
        bound.good = false;
        operands[i] = Value{};
      }
      bound.operands.push_back(std::move(*operands[i]));
      bound.operandSpans.push_back(operandSpans[i]);
    }
    for (std::size_t i = 0; i < rest.size(); ++i) {
      bound.operands.push_back(std::move(rest[i]));
      bound.operandSpans.push_back(restSpans[i]);
    }
    return std::move(bound);
  }

private:
  void setParameter(const ParameterSpec &parameter, const Expression &value, Origin origin) {
    given.insert(parameter.name);
    bound.spans[parameter.name] = value.span;
    if (auto attribute = evaluator.parameter(value, parameter, scope, place, &origin)) {
      bound.attributes[parameter.name] = std::move(*attribute);
      bound.origins[parameter.name] = origin;
    } else {
      bound.good = false;
    }
  }

  void addWord(const ParameterSpec &parameter, const Expression &value) {
    auto before = given.count(parameter.name) > 0 ? bound.attributes.extract(parameter.name) : Attributes::node_type();
    setParameter(parameter, value, Origin::file);
    auto *words = bound.good && !before.empty() ? std::get_if<std::vector<std::string>>(&bound.attributes[parameter.name]) : nullptr;
    if (words == nullptr) {
      return;
    }
    auto &all = std::get<std::vector<std::string>>(before.mapped());
    if (std::find(all.begin(), all.end(), words->front()) != all.end()) {
      reporter.report("duplicate-argument", value.span, {{"name", words->front()}});
      bound.good = false;
    }
    all.push_back(words->front());
    *words = std::move(all);
  }

  /// The first operand without a value; the number of operands where all have one.
  std::size_t freeOperand() const {
    const auto free = std::find_if(operands.begin(), operands.end(), [](const auto &operand) { return !operand.has_value(); });
    return static_cast<std::size_t>(free - operands.begin());
  }

  void setOperand(std::size_t index, Value value, const Span &span) {
    if (index < operands.size()) {
      operandSpans[index] = span;
      operands[index] = std::move(value);
    } else {
      rest.push_back(std::move(value));
      restSpans.push_back(span);
    }
  }

  void positional(const Expression &value) {
    const std::size_t free = freeOperand();
    const bool inputMissing = free < operands.size() || variadic;
    if (inputMissing && evaluator.looksLikeModelValue(value, scope)) {
      setOperand(free, evaluator.evaluate(value, scope, place), value.span);
      return;
    }
    // A name that nothing has was more likely meant for the input that is missing than for a parameter.
    const bool nameless = inputMissing && value.kind == Expression::Kind::name && value.text != "true" && value.text != "false" &&
                          scope.values.count(value.text) == 0 &&
                          (nextParameter >= signature.parameters.size() || signature.parameters[nextParameter].members.empty());
    // The files of splits, which stand behind all others, are given by their names.
    const bool byName = nextParameter > 0 && nextParameter < signature.parameters.size() && signature.parameters[nextParameter].several;
    if (!nameless && !byName && nextParameter < signature.parameters.size()) {
      const ParameterSpec &next = signature.parameters[nextParameter];
      const bool several = next.type == Type::strings && !next.members.empty(); // every word is one of them
      nextParameter += several ? 0 : 1;
      several ? addWord(next, value) : setParameter(next, value, Origin::file);
      return;
    }
    bound.good = false;
    if (value.kind == Expression::Kind::error) {
      return;
    }
    if (!inputMissing) {
      reporter.report("too-many-arguments", value.span, {{"callable", signature.name}});
      return;
    }
    evaluator.reportNoInput(signature, free < operands.size() ? free : 0, value, scope, place);
    setOperand(free, Value{}, value.span);
  }

  void named(const Argument &argument) {
    const auto operand = operandByName.find(argument.name);
    const auto parameter = parameterByName.find(argument.name);
    const bool taken = operand != operandByName.end() ? operands[operand->second].has_value() : given.count(argument.name) > 0;
    if (operand == operandByName.end() && parameter == parameterByName.end()) {
      reportUnknown(argument);
    } else if (taken) {
      reporter.report("duplicate-argument", argument.nameSpan, {{"name", argument.name}});
      bound.good = false;
    } else if (operand != operandByName.end()) {
      const Accepts accepts = signature.operands[operand->second].accepts;
      setOperand(operand->second, evaluator.evaluateAs({nullptr, accepts}, argument.value, scope, place), argument.value.span);
    } else {
      setParameter(signature.parameters[parameter->second], argument.value, Origin::file);
    }
  }

  void reportUnknown(const Argument &argument) {
    std::vector<std::string> names, free; // free: what may still be given
    for (std::size_t i = 0; i < operands.size(); ++i) {
      names.push_back(signature.operands[i].name);
      if (!operands[i].has_value()) {
        free.push_back(signature.operands[i].name);
      }
    }
    for (const ParameterSpec &one : signature.parameters) {
      names.push_back(one.name);
      if (given.count(one.name) == 0) {
        free.push_back(one.name);
      }
    }
    reporter.report("unknown-argument", argument.nameSpan,
                    {{"callable", signature.name},
                     {"name", argument.name},
                     {"parameters", names.empty() ? "no parameters" : quotedList(names)},
                     {"nearest", nearest(argument.name, free)}});
    bound.good = false;
    misread = true;
  }

  void fillDefaults(const Span &span) {
    for (const ParameterSpec &parameter : signature.parameters) {
      if (given.count(parameter.name) > 0 || parameter.absent) {
        continue;
      }
      if (!parameter.required) {
        bound.attributes[parameter.name] = defaultOf(parameter);
        continue;
      }
      bound.good = false;
      if (!misread) {
        reporter.report("missing-argument", span, {{"callable", signature.name}, {"name", parameter.name}});
      }
    }
  }

  Evaluator &evaluator;
  Reporter &reporter;
  const Signature &signature;
  Scope &scope;
  Place &place;
  const bool variadic;
  BoundCall bound;
  std::vector<std::optional<Value>> operands;
  std::vector<Span> operandSpans;
  std::vector<Value> rest; // of a variadic call
  std::vector<Span> restSpans;
  std::unordered_map<std::string_view, std::size_t> operandByName, parameterByName;
  std::set<std::string> given;
  std::size_t nextParameter = 0;
  bool misread = false; // an argument may have been meant for a missing parameter
};

BoundCall Evaluator::bind(const Signature &signature, const Span &span, const std::vector<Argument> &arguments, std::optional<Value> flow,
                          const Span &flowSpan, Scope &scope, Place &place, const KeyOf &keyOf) {
  Binding binding(*this, signature, scope, place);
  if (flow.has_value()) {
    binding.flow(std::move(*flow), flowSpan);
  }
  binding.arguments(arguments);
  binding.overrides(keyOf);
  return binding.finish(span);
}

void Evaluator::override(const Signature &signature, const std::string &key, Scope &scope, Place &place, BoundCall &bound) {
  for (const Override *one : settings.ofCall(key, signature)) {
    const std::string name = one->name.substr(key.size() + 1);
    const auto spec = std::find_if(signature.parameters.begin(), signature.parameters.end(),
                                   [&](const ParameterSpec &candidate) { return candidate.name == name; });
    const bool isText = spec->type == Type::string || spec->type == Type::path;
    bound.spans[name] = one->valueSpan();
    bound.origins[name] = Origin::commandLine;
    const bool isFiles =
        spec->several && one->problems.empty() && (one->value.kind == Expression::Kind::list || one->value.kind == Expression::Kind::call);
    if (isText && !isFiles && !(one->problems.empty() && one->value.kind == Expression::Kind::string)) {
      bound.attributes[name] = spec->type == Type::path ? joinPath(one->folder, one->text) : one->text;
      continue;
    }
    reporter.add(one->problems);
    Origin origin = Origin::commandLine;
    auto attribute = one->problems.empty() ? parameter(one->value, *spec, scope, place, &origin) : std::nullopt;
    bound.good = bound.good && attribute.has_value();
    if (attribute) {
      bound.attributes[name] = std::move(*attribute);
      bound.origins[name] = origin;
    }
  }
}

void Evaluator::reportMissingInput(const Signature &signature, std::size_t index, const Span &span) {
  const std::string &name = signature.operands[index].name;
  const std::string example = index == 0 ? "x |> " + signature.name : signature.name + "(" + name + ")";
  reporter.report("missing-input", span, {{"callable", signature.name}, {"name", name}, {"example", example}});
}

void Evaluator::reportNoInput(const Signature &signature, std::size_t index, const Expression &given, Scope &scope, Place &place) {
  const Accepts accepts = signature.operands[index].accepts;
  const std::size_t before = reporter.errors();
  const Value value = evaluateAs({nullptr, accepts}, given, scope, place);
  if (reporter.errors() == before && value.kind != Value::Kind::error) {
    reporter.report("type-mismatch", given.span,
                    {{"op", signature.name}, {"expected", describeAccepts(accepts)}, {"found", describe(value)}});
  }
}

} // namespace penstock::frontend
