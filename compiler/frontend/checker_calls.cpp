// Callables: what a name means at a call, how arguments meet inputs and parameters, and what the operations ask of theirs.
#include "compiler/frontend/checker.h"
#include "compiler/frontend/other_tools.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;
using Type = PluginParameter::Type;

std::string Checker::nextPath(Place &place, const std::string &name) {
  std::string local;
  do {
    local = name + "_" + std::to_string(place.ordinals[name]++);
  } while (place.reserved != nullptr && place.reserved->count(local) > 0);
  return place.path.empty() ? local : place.path + "." + local;
}

Callable Checker::findCallable(const std::string &name, const Scope &scope) const {
  Callable callable;
  callable.name = name;
  if (const auto bound = scope.instances.find(name); bound != scope.instances.end()) {
    callable.kind = Callable::Kind::instance;
    callable.instance = bound->second.first;
    return callable;
  }
  if (scope.unit != nullptr) {
    if (const auto found = scope.unit->definitions.find(name); found != scope.unit->definitions.end()) {
      callable.kind = Callable::Kind::definition;
      callable.definition = found->second.definition;
      callable.unit = found->second.unit;
      return callable;
    }
  }
  if (const BuiltinOp *op = findBuiltin(name)) {
    callable.kind = Callable::Kind::builtin;
    callable.op = op;
    return callable;
  }
  using Kind = Callable::Kind;
  static const std::map<std::string, Kind> own = {
      {"repeat", Kind::repeat}, {"width", Kind::width}, {"count", Kind::count}, {"l2", Kind::l2}, {"clean", Kind::clean}};
  if (const auto found = own.find(name); found != own.end()) {
    callable.kind = found->second;
    return callable;
  }
  for (const PluginManifest &manifest : manifests) {
    if (manifest.name == name && manifest.kind != PluginKind::metric) {
      callable.kind = manifest.kind == PluginKind::tokenizer ? Kind::tokenizer : Kind::head;
      callable.manifest = &manifest;
      return callable;
    }
  }
  for (const PluginManifest &manifest : manifests) {
    if (manifest.name == name) {
      callable.kind = Kind::metric;
      callable.manifest = &manifest;
      return callable;
    }
  }
  return callable;
}

std::vector<std::string> Checker::callableNames(const Scope &scope, const Value *flow) const {
  std::vector<std::string> names;
  if (diagnostics.full()) {
    return names;
  }
  const Column *column = flow != nullptr && flow->kind == Value::Kind::column ? dataBlock.find(flow->text) : nullptr;
  const bool text = flow != nullptr && (flow->kind == Value::Kind::list || (flow->kind == Value::Kind::draft && !flow->draft->tokenized) ||
                                        (column != nullptr && (column->type == "text" || column->type == "words")));
  const bool texts = flow == nullptr || text || flow->kind == Value::Kind::error, rows = flow == nullptr || !text;
  if (flow == nullptr) {
    names = {"width", "count", "l2"};
  }
  if (texts) {
    names.push_back("clean");
  }
  if (rows) {
    names.push_back("repeat");
  }
  for (const auto &[name, instance] : scope.instances) {
    names.push_back(name);
  }
  if (scope.unit != nullptr) {
    for (const auto &[name, definition] : scope.unit->definitions) {
      names.push_back(name);
    }
  }
  for (const BuiltinOp &op : builtinOps()) {
    if (rows) {
      names.push_back(op.signature.name);
    }
  }
  for (const PluginManifest &manifest : manifests) {
    if (manifest.kind != PluginKind::metric && (manifest.kind == PluginKind::tokenizer ? texts : rows)) {
      names.push_back(manifest.name);
    }
  }
  return names;
}

Callable Checker::resolveCallable(const Expression &callee, const Scope &scope, const Value *flow) {
  if (callee.kind != Expression::Kind::name) {
    if (callee.kind != Expression::Kind::error) {
      report("unknown-callable", callee.span, {{"name", std::string(callee.span.text().substr(0, 60))}});
    }
    return {};
  }
  Callable callable = findCallable(callee.text, scope);
  if (callable.kind == Callable::Kind::none) {
    if (const auto value = scope.values.find(callee.text); value != scope.values.end()) {
      if (value->second.value.kind != Value::Kind::error) { // which may have been meant to be an instance
        report("value-called", callee.span, {{"name", callee.text}});
      }
    } else {
      report("unknown-callable", callee.span,
             {{"name", callee.text}, {"hint", hintForWord("call", callee.text, callableNames(scope, flow))}});
    }
  } else if (callable.kind == Callable::Kind::metric) {
    report("wrong-plugin-kind", callee.span,
           {{"name", callee.text}, {"kind", "metric"}, {"wanted", "tokenizer or head"}, {"rule", "metrics stand in `evaluate`"}});
    callable.kind = Callable::Kind::none;
  } else if (callable.kind == Callable::Kind::definition && callable.definition == nullptr) {
    callable.kind = Callable::Kind::none; // an import that failed
  }
  return callable;
}

void Checker::reportMissingInput(const Signature &signature, std::size_t index, const Span &span) {
  const std::string &name = signature.operands[index].name;
  const std::string example = index == 0 ? "x |> " + signature.name : signature.name + "(" + name + ")";
  report("missing-input", span, {{"callable", signature.name}, {"name", name}, {"example", example}});
}

void Checker::reportNoInput(const Signature &signature, std::size_t index, const Expression &given, Scope &scope, Place &place) {
  const Accepts accepts = signature.operands[index].accepts;
  const std::size_t before = diagnostics.errors();
  const Wanted around = std::exchange(wanted, {nullptr, accepts});
  const Value value = evaluate(given, scope, place);
  wanted = around;
  if (diagnostics.errors() == before && value.kind != Value::Kind::error) {
    report("type-mismatch", given.span, {{"op", signature.name}, {"expected", describeAccepts(accepts)}, {"found", describe(value)}});
  }
}

BoundCall Checker::bindCall(const Signature &signature, const Span &span, const std::vector<Argument> &arguments, std::optional<Value> flow,
                            const Span &flowSpan, Scope &scope, Place &place, const std::string &key) {
  BoundCall bound;
  const std::size_t operandCount = signature.operands.size();
  const bool variadic = operandCount > 0 && signature.operands[0].accepts == Accepts::variadic;
  std::vector<std::optional<Value>> operands(operandCount);
  std::vector<Span> operandSpans(operandCount);
  std::vector<Value> rest;
  std::vector<Span> restSpans;
  if (flow.has_value()) {
    if (operandCount == 0) {
      report("too-many-arguments", flowSpan, {{"callable", signature.name}});
      bound.good = false;
    } else {
      operands[0] = std::move(flow);
      operandSpans[0] = flowSpan;
    }
  }
  // A signature of thousands of parameters is searched as often.
  std::unordered_map<std::string_view, std::size_t> operandByName, parameterByName;
  if (std::any_of(arguments.begin(), arguments.end(), [](const Argument &argument) { return !argument.name.empty(); })) {
    for (std::size_t i = 0; i < operandCount; ++i) {
      operandByName.emplace(signature.operands[i].name, i);
    }
    for (std::size_t i = 0; i < signature.parameters.size(); ++i) {
      parameterByName.emplace(signature.parameters[i].name, i);
    }
  }
  std::set<std::string> given;
  const auto setParameter = [&](const ParameterSpec &parameter, const Expression &value, Origin origin) {
    given.insert(parameter.name);
    bound.spans[parameter.name] = value.span;
    if (auto attribute = evaluateParameter(value, parameter, signature.name, scope, place, &origin)) {
      bound.attributes[parameter.name] = std::move(*attribute);
      bound.origins[parameter.name] = origin;
    } else {
      bound.good = false;
    }
  };
  std::size_t nextParameter = 0;
  bool named = false, misread = false; // misread: an argument that may have been meant for a missing parameter
  for (const Argument &argument : arguments) {
    if (argument.name.empty()) {
      if (named) {
        report("positional-after-named", argument.value.span);
        bound.good = false;
        misread = true;
        continue;
      }
      const auto free = std::find_if(operands.begin(), operands.end(), [](const auto &operand) { return !operand.has_value(); });
      if ((free != operands.end() || variadic) && looksLikeModelValue(argument.value, scope)) {
        Value value = evaluate(argument.value, scope, place);
        if (free != operands.end()) {
          operandSpans[static_cast<std::size_t>(free - operands.begin())] = argument.value.span;
          *free = std::move(value);
        } else {
          rest.push_back(std::move(value));
          restSpans.push_back(argument.value.span);
        }
        continue;
      }
      // A name that nothing has was more likely meant for the input that is missing than for a parameter.
      const bool inputMissing = free != operands.end() || variadic;
      const bool nameless = inputMissing && argument.value.kind == Expression::Kind::name && argument.value.text != "true" &&
                            argument.value.text != "false" && scope.values.count(argument.value.text) == 0 &&
                            (nextParameter >= signature.parameters.size() || signature.parameters[nextParameter].members.empty());
      if (nameless || nextParameter >= signature.parameters.size()) {
        bound.good = false;
        if (argument.value.kind == Expression::Kind::error) {
          continue;
        }
        if (!inputMissing) {
          report("too-many-arguments", argument.value.span, {{"callable", signature.name}});
          continue;
        }
        const std::size_t index = free != operands.end() ? static_cast<std::size_t>(free - operands.begin()) : 0;
        reportNoInput(signature, index, argument.value, scope, place);
        if (free != operands.end()) {
          operandSpans[index] = argument.value.span;
          *free = Value{};
        } else {
          rest.emplace_back();
          restSpans.push_back(argument.value.span);
        }
        continue;
      }
      setParameter(signature.parameters[nextParameter++], argument.value, Origin::file);
      continue;
    }
    named = true;
    const auto operand = operandByName.find(argument.name);
    const auto parameter = parameterByName.find(argument.name);
    if (operand != operandByName.end()) {
      const std::size_t index = operand->second;
      if (operands[index].has_value()) {
        report("duplicate-argument", argument.nameSpan, {{"name", argument.name}});
        bound.good = false;
        continue;
      }
      operandSpans[index] = argument.value.span;
      const Wanted around = std::exchange(wanted, {nullptr, signature.operands[index].accepts});
      operands[index] = evaluate(argument.value, scope, place);
      wanted = around;
    } else if (parameter != parameterByName.end()) {
      if (given.count(argument.name) > 0) {
        report("duplicate-argument", argument.nameSpan, {{"name", argument.name}});
        bound.good = false;
        continue;
      }
      setParameter(signature.parameters[parameter->second], argument.value, Origin::file);
    } else {
      std::vector<std::string> parameterNames;
      std::vector<std::string> free; // what may still be given
      for (std::size_t i = 0; i < operandCount; ++i) {
        parameterNames.push_back(signature.operands[i].name);
        if (!operands[i].has_value()) {
          free.push_back(signature.operands[i].name);
        }
      }
      for (const ParameterSpec &one : signature.parameters) {
        parameterNames.push_back(one.name);
        if (given.count(one.name) == 0) {
          free.push_back(one.name);
        }
      }
      report("unknown-argument", argument.nameSpan,
             {{"callable", signature.name},
              {"name", argument.name},
              {"parameters", parameterNames.empty() ? "no parameters" : quotedList(parameterNames)},
              {"nearest", nearest(argument.name, free)}});
      bound.good = false;
      misread = true;
    }
  }
  // `--set block.setting.argument=...`
  if (!key.empty()) {
    for (std::size_t i = 0; i < signature.parameters.size() && !overrides.empty(); ++i) {
      settable.insert(key + "." + signature.parameters[i].name);
    }
    for (Override &one : overrides) {
      if (one.name.size() <= key.size() || one.name.compare(0, key.size(), key) != 0 || one.name[key.size()] != '.') {
        continue;
      }
      const std::string name = one.name.substr(key.size() + 1);
      const auto parameter = std::find_if(signature.parameters.begin(), signature.parameters.end(),
                                          [&](const ParameterSpec &candidate) { return candidate.name == name; });
      if (parameter == signature.parameters.end()) {
        continue;
      }
      one.used = true;
      const bool isText = parameter->type == Type::string || parameter->type == Type::path;
      if (isText && !(one.problems.empty() && one.value.kind == Expression::Kind::string)) {
        bound.attributes[name] = parameter->type == Type::path ? joinPath(one.folder, one.text) : one.text;
        bound.origins[name] = Origin::commandLine;
        bound.spans[name] = one.valueSpan();
        given.insert(name);
        continue;
      }
      for (const diagnostics::Diagnostic &problem : one.problems) {
        diagnostics.add(problem);
        bound.good = false;
      }
      setParameter(*parameter, one.value, Origin::commandLine);
    }
  }
  for (const ParameterSpec &parameter : signature.parameters) {
    if (given.count(parameter.name) > 0 || parameter.absent) {
      continue;
    }
    if (parameter.required) {
      bound.good = false;
      if (misread) {
        continue;
      }
      report("missing-argument", span, {{"callable", signature.name}, {"name", parameter.name}});
      continue;
    }
    bound.attributes[parameter.name] = parameter.stepsOrShare
                                           ? Attribute(std::vector<double>{std::get<double>(parameter.defaultValue), -1})
                                           : std::visit([](const auto &held) { return Attribute(held); }, parameter.defaultValue);
    bound.origins[parameter.name] = Origin::standard;
  }
  while (!operands.empty() && !operands.back().has_value()) {
    operands.pop_back();
  }
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i].has_value()) {
      reportMissingInput(signature, i, span);
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
  return bound;
}

const Signature &Checker::definitionSignature(const Definition &definition) {
  const auto [known, fresh] = signatures.try_emplace(&definition);
  Signature &signature = known->second;
  if (!fresh) {
    return signature;
  }
  signature.name = definition.name;
  for (const Parameter &parameter : definition.parameters) {
    const auto operand = [&](Accepts accepts) { signature.operands.push_back({parameter.name, accepts}); };
    if (!parameter.type.has_value()) {
      operand(Accepts::any);
      continue;
    }
    const Expression &type = *parameter.type;
    const std::string name = type.kind == Expression::Kind::name ? type.text : "";
    static const std::map<std::string, Type> types = {
        {"int", Type::integer}, {"float", Type::number}, {"bool", Type::boolean}, {"string", Type::string}};
    if (definition.isHead && (name == "class" || name == "number" || name == "set" || name == "tags")) {
      operand(name == "class"    ? Accepts::classTarget
              : name == "number" ? Accepts::numberTarget
              : name == "set"    ? Accepts::setTarget
                                 : Accepts::tagsTarget);
      continue;
    }
    ParameterSpec spec;
    spec.name = parameter.name;
    if (const auto found = types.find(name); found != types.end()) {
      spec.type = found->second;
    } else {
      if (type.kind != Expression::Kind::error) {
        report("unknown-type", type.span,
               {{"name", name.empty() ? std::string(type.span.text().substr(0, 40)) : name},
                {"rule", "a parameter is `int`, `float`, `bool` or `string`, an input has no type, and the target of a head is `class`, "
                         "`number` or `tags`"},
                {"nearest", definition.isHead ? nearest(name, {"int", "float", "bool", "string", "class", "number", "set", "tags"})
                                              : nearest(name, {"int", "float", "bool", "string"})}});
      }
      operand(Accepts::any); // as good a guess as any other: what follows is judged all the same
      continue;
    }
    spec.required = !parameter.defaultValue.has_value();
    if (!spec.required) {
      Scope empty;
      Place place;
      const std::size_t before = diagnostics.errors();
      const auto value = evaluateParameter(*parameter.defaultValue, spec, definition.name, empty, place, nullptr);
      if (value && diagnostics.errors() == before) {
        spec.defaultValue = std::visit(
            [](const auto &held) -> PluginValue {
              using T = std::decay_t<decltype(held)>;
              if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
                return std::int64_t{0};
              } else {
                return held;
              }
            },
            *value);
      } else {
        spec.defaultValue = spec.type == Type::boolean  ? PluginValue(false)
                            : spec.type == Type::number ? PluginValue(std::nan(""))
                            : spec.type == Type::string ? PluginValue(std::string())
                                                        : PluginValue(unknownSize);
      }
    }
    signature.parameters.push_back(std::move(spec));
  }
  return signature;
}

Value Checker::dimension(const Callable &callable, const Expression &call, Scope &scope, Place &place) {
  Value value;
  const bool isWidth = callable.kind == Callable::Kind::width;
  if (call.kind != Expression::Kind::call || call.arguments.size() != 1 || !call.arguments[0].name.empty()) {
    if (call.kind == Expression::Kind::call && call.arguments.size() > 1) {
      report("too-many-arguments", call.arguments[1].value.span, {{"callable", callable.name}});
    } else {
      report("missing-input", call.span,
             {{"callable", callable.name}, {"name", isWidth ? "x" : "target"}, {"example", isWidth ? "width(x)" : "count(label)"}});
    }
    return value;
  }
  const Expression &argument = call.arguments[0].value;
  const Value of = evaluate(argument, scope, place);
  if (of.kind == Value::Kind::error) {
    return value;
  }
  value.kind = Value::Kind::integer;
  value.integer = unknownSize;
  if (of.kind == Value::Kind::unknown) {
    return value;
  }
  if (!isWidth) {
    const Column *column = of.kind == Value::Kind::column ? dataBlock.find(of.text) : nullptr;
    if (column == nullptr || !column->hasClasses()) {
      report("type-mismatch", argument.span, {{"op", "count"}, {"expected", "a class, set or tags column"}, {"found", describe(of)}});
      return {};
    }
    value.integer = classCount(of.text);
    return value;
  }
  bool unknown = false;
  const int node = operandNode(of, Accepts::rows, "width", argument.span, &unknown);
  if (node < 0) {
    return {};
  }
  value.integer = graph.nodes[static_cast<std::size_t>(node)].type.width;
  return value;
}

Value Checker::evaluateCall(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place) {
  if (tooLarge) {
    return {}; // reported; what follows would only take time
  }
  const Expression &callee = call.kind == Expression::Kind::call ? call.children[0] : call;
  if (callee.kind == Expression::Kind::name && callee.text == "search" && !flow.has_value() && call.kind == Expression::Kind::call) {
    return evaluateSearch(call, nullptr, scope, place);
  }
  Callable callable = resolveCallable(callee, scope, flow.has_value() ? &*flow : nullptr);
  static const std::vector<Argument> none;
  const std::vector<Argument> &arguments = call.kind == Expression::Kind::call ? call.arguments : none;
  switch (callable.kind) {
  case Callable::Kind::none:
  case Callable::Kind::metric:
    for (const Argument &argument : arguments) {
      if (looksLikeModelValue(argument.value, scope)) {
        evaluate(argument.value, scope, place); // mistakes within are independent of this one
      }
    }
    return {};
  case Callable::Kind::width:
  case Callable::Kind::count:
    if (flow.has_value()) {
      report("too-many-arguments", flowSpan, {{"callable", callable.name}});
      return {};
    }
    return dimension(callable, call, scope, place);
  case Callable::Kind::l2:
    if (flow.has_value()) {
      report("too-many-arguments", flowSpan, {{"callable", callable.name}});
      return {};
    }
    return applyL2(call, scope, place);
  case Callable::Kind::repeat:
    return makeRepeat(call, std::move(flow), flowSpan, scope, place);
  default:
    break;
  }
  if (callable.kind == Callable::Kind::instance) {
    // Only inputs: the instance has its arguments.
    Signature signature;
    signature.name = callable.name;
    const Instance &held = *callable.instance;
    signature.operands = held.callable.kind == Callable::Kind::builtin      ? held.callable.op->signature.operands
                         : held.callable.kind == Callable::Kind::definition ? definitionSignature(*held.callable.definition).operands
                         : held.callable.kind == Callable::Kind::head       ? signatureOf(*held.callable.manifest).operands
                                                                            : std::vector<OperandSpec>{{"x", Accepts::any}};
    for (const Argument &argument : arguments) {
      const bool operand = std::any_of(signature.operands.begin(), signature.operands.end(),
                                       [&](const OperandSpec &one) { return one.name == argument.name; });
      if (!operand && !(argument.name.empty() && looksLikeModelValue(argument.value, scope)) &&
          argument.value.kind != Expression::Kind::error) {
        report("arguments-of-instance", argument.value.span, {{"name", callable.name}});
        return {};
      }
    }
    BoundCall bound = bindCall(signature, call.span, arguments, std::move(flow), flowSpan, scope, place, "");
    if (bound.operands.size() < signature.operands.size()) {
      reportMissingInput(signature, bound.operands.size(), call.span);
      return {};
    }
    if (held.callable.kind == Callable::Kind::repeat) {
      Place inside;
      inside.path = held.path;
      return applyRepeat(held, std::move(bound.operands), bound.operandSpans, call.span, inside, scope);
    }
    return apply(held, std::move(bound.operands), bound.operandSpans, held.path, call.span);
  }

  Signature signature = callable.kind == Callable::Kind::builtin      ? callable.op->signature
                        : callable.kind == Callable::Kind::definition ? definitionSignature(*callable.definition)
                        : callable.kind == Callable::Kind::clean      ? cleanSignature()
                                                                      : signatureOf(*callable.manifest);
  BoundCall bound = bindCall(signature, call.span, arguments, std::move(flow), flowSpan, scope, place, "");
  if (callable.kind == Callable::Kind::clean || callable.kind == Callable::Kind::tokenizer) {
    if (bound.operands.empty()) {
      reportMissingInput(signature, 0, call.span);
      return {};
    }
    return applyTextStep(callable, std::move(bound), call.span);
  }
  const bool poisoned =
      std::any_of(bound.operands.begin(), bound.operands.end(), [](const Value &operand) { return operand.kind == Value::Kind::error; });
  if (!bound.good || poisoned) {
    return {};
  }
  auto instance = std::make_shared<Instance>();
  instance->callable = callable;
  instance->span = call.span;
  instance->attributes = std::move(bound.attributes);
  if (bound.operands.empty() && !signature.operands.empty()) {
    Value value;
    value.kind = Value::Kind::instance;
    value.instance = std::move(instance);
    return value;
  }
  if (bound.operands.size() < signature.operands.size()) {
    reportMissingInput(signature, bound.operands.size(), call.span);
    return {};
  }
  const std::string path = nextPath(place, callable.name);
  for (const ParameterSpec &parameter : signature.parameters) {
    const auto value = instance->attributes.find(parameter.name);
    if (value != instance->attributes.end() && graph.nodes.size() < 10000) {
      const auto at = bound.spans.find(parameter.name);
      resolve("model." + path + "." + parameter.name, formatAttribute(value->second, &parameter), bound.origins[parameter.name],
              at == bound.spans.end() ? Span{} : at->second);
    }
  }
  return apply(*instance, std::move(bound.operands), bound.operandSpans, path, call.span);
}

Value Checker::makeRepeat(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place) {
  static const std::vector<Argument> none;
  const std::vector<Argument> &arguments = call.kind == Expression::Kind::call ? call.arguments : none;
  if (arguments.size() < 2 || !arguments[0].name.empty() || !arguments[1].name.empty()) {
    report("bad-repeat", call.span);
    return {};
  }
  if (arguments.size() > 2) {
    report("too-many-arguments", arguments[2].value.span, {{"callable", "repeat"}});
    return {};
  }
  ParameterSpec times;
  times.name = "repeat";
  times.type = Type::integer;
  times.hasMinimum = true;
  times.minimum = 1;
  const auto count = evaluateParameter(arguments[0].value, times, "repeat", scope, place, nullptr);
  const Expression &what = arguments[1].value;
  Value inner;
  if (what.kind == Expression::Kind::name || what.kind == Expression::Kind::call) {
    const Expression &callee = what.kind == Expression::Kind::call ? what.children[0] : what;
    const Callable callable = resolveCallable(callee, scope);
    if (callable.kind == Callable::Kind::none) {
      return {};
    }
    if (callable.kind == Callable::Kind::instance && what.kind == Expression::Kind::name) {
      inner.kind = Value::Kind::instance;
      inner.instance = callable.instance;
    } else if (callable.kind == Callable::Kind::builtin || callable.kind == Callable::Kind::definition ||
               callable.kind == Callable::Kind::repeat) {
      Place nowhere;
      inner = evaluateCall(what, std::nullopt, {}, scope, nowhere);
    }
    if (inner.kind == Value::Kind::error && (callable.kind == Callable::Kind::builtin || callable.kind == Callable::Kind::definition)) {
      return {};
    }
  }
  if (inner.kind != Value::Kind::instance ||
      (inner.instance->callable.kind == Callable::Kind::definition && inner.instance->callable.definition->isHead)) {
    if (what.kind != Expression::Kind::error) {
      report("bad-repeat", what.span);
    }
    return {};
  }
  if (!count) {
    return {};
  }
  auto instance = std::make_shared<Instance>();
  instance->callable.kind = Callable::Kind::repeat;
  instance->callable.name = "repeat";
  instance->span = call.span;
  instance->times = std::get<std::int64_t>(*count);
  instance->inner = inner.instance;
  if (!flow.has_value()) {
    Value value;
    value.kind = Value::Kind::instance;
    value.instance = std::move(instance);
    return value;
  }
  std::vector<Value> operands;
  operands.push_back(std::move(*flow));
  return applyRepeat(*instance, std::move(operands), {flowSpan}, call.span, place, scope);
}

bool Checker::checkKnown(const Attributes &attributes, const std::string &callable, const std::map<std::string, Span> &spans,
                         const Span &span) {
  for (const auto &[name, attribute] : attributes) {
    const auto *integer = std::get_if<std::int64_t>(&attribute);
    const auto *number = std::get_if<double>(&attribute);
    if ((integer != nullptr && *integer == unknownSize) || (number != nullptr && std::isnan(*number))) {
      const auto at = spans.find(name);
      report("depends-on-data", at == spans.end() ? span : at->second, {{"name", name}, {"callable", callable}});
      return false;
    }
  }
  return true;
}

Value Checker::applyTextStep(const Callable &callable, BoundCall bound, const Span &span) {
  Value &input = bound.operands[0];
  if (input.kind == Value::Kind::error || input.kind == Value::Kind::unknown) {
    return input;
  }
  FeatureDraft draft;
  const auto isColumn = [&](const Value &value, std::string_view type) {
    const Column *column = value.kind == Value::Kind::column ? dataBlock.find(value.text) : nullptr;
    return column != nullptr && (column->type == type || column->type.empty());
  };
  const bool isList = input.kind == Value::Kind::list &&
                      std::all_of(input.items.begin(), input.items.end(), [&](const Value &value) { return isColumn(value, "text"); });
  if (isList && input.items.size() != 2) {
    report("not-a-pair", bound.operandSpans[0].file != nullptr ? bound.operandSpans[0] : span,
           {{"count", std::to_string(input.items.size())}});
    return {};
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
    report("feature-not-text", bound.operandSpans[0].file != nullptr ? bound.operandSpans[0] : span,
           {{"found", late ? "what the tokenizer made" : describe(input)},
            {"hint", late ? "write `clean(...)` before the tokenizer: `" + input.draft->column + " |> clean(...) |> " +
                                input.draft->steps.back().plugin + "(...)`"
                          : ""}});
    return {};
  }
  if (!bound.good || !checkKnown(bound.attributes, callable.name, bound.spans, span) || !spend(span)) {
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
      report("truncate-without-pair", at->second);
      return {};
    }
    draft.tokenized = true;
  }
  draft.steps.push_back(std::move(step));
  draft.span = span;
  Value value;
  value.kind = Value::Kind::draft;
  value.draft = std::make_shared<FeatureDraft>(std::move(draft));
  return value;
}

void Checker::checkOperation(const BuiltinOp &op, const std::vector<ValueType> &types, const Attributes &attributes, const Span &span) {
  const std::string &name = op.signature.name;
  const auto integer = [&](const char *attribute) { return std::get<std::int64_t>(attributes.at(attribute)); };
  if (name == "self_attention") {
    const std::int64_t heads = integer("heads"), width = types[0].width;
    if (heads != unknownSize && width != unknownSize && width % heads != 0) {
      report("heads-do-not-divide", span, {{"heads", std::to_string(heads)}, {"width", std::to_string(width)}});
    }
  } else if (name == "positions") {
    const std::int64_t places = integer("max");
    if (const auto found = featureByName.find(types[0].axis); found != featureByName.end() && places != unknownSize) {
      const Feature &feature = featureList[found->second];
      const std::int64_t limit = feature.draft.steps.back().maxLength;
      if (limit == 0 || limit > places) {
        report("positions-too-few", span,
               {{"positions", std::to_string(places)},
                {"axis", feature.name},
                {"length", limit == 0 ? "any number of tokens" : std::to_string(limit) + " tokens"}},
               {{(feature.draft.maxLengthSpan.file != nullptr ? feature.draft.maxLengthSpan : feature.nameSpan).range(),
                 "the tokens are made here"}});
      }
    }
  } else if (name == "cross_entropy" || name == "sigmoid_cross_entropy") {
    const bool sets = name == "sigmoid_cross_entropy";
    const auto &weights = std::get<std::vector<double>>(attributes.at(sets ? "positive_weights" : "class_weights"));
    const std::int64_t classes = types[1].width;
    if (!weights.empty() && classes != unknownSize && static_cast<std::int64_t>(weights.size()) != classes) {
      report("class-weights-count", span, {{"given", std::to_string(weights.size())}, {"classes", std::to_string(classes)}});
    }
    if (types[0].width != unknownSize && classes != unknownSize && types[0].width != classes) {
      report("shape-mismatch", span,
             {{"op", name},
              {"left", describeType(types[0])},
              {"right", std::to_string(classes) + (sets ? " labels" : " classes")},
              {"rule", sets ? "there is one logit a label" : "there is one logit a class"}});
    }
  } else if (name == "mse" && types[0].width != unknownSize && types[0].width != 1) {
    report("shape-mismatch", span,
           {{"op", name},
            {"left", describeType(types[0])},
            {"right", "one number a record"},
            {"rule", "one number is predicted for each record"}});
  } else if (name == "concat") {
    for (std::size_t i = 1; i < types.size(); ++i) {
      const bool vectors = types[0].kind != ValueType::Kind::sequence && types[i].kind != ValueType::Kind::sequence;
      if (!vectors && (types[i].kind != types[0].kind || types[i].axis != types[0].axis)) {
        report("shape-mismatch", span,
               {{"op", name},
                {"left", describeType(types[0])},
                {"right", describeType(types[i])},
                {"rule", "`concat` joins vectors, or sequences of one axis"}});
        break;
      }
    }
  }
}

} // namespace penstock::frontend
