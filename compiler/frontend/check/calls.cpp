// Calls within a model: which of the things that can be called is meant, and those that are no operations.
#include "compiler/frontend/check/model.h"

#include <cmath>
#include <limits>

namespace penstock::frontend {

using Type = PluginParameter::Type;

namespace {

constexpr std::size_t mostResolved = 10000; // nodes, of which every parameter is shown

} // namespace

Value Model::call(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place) {
  if (builder.tooLarge()) {
    return {}; // reported; what follows would only take time
  }
  const Expression &callee = calleeOf(call);
  if (callee.kind == Expression::Kind::name && callee.text == "search" && !flow.has_value() && call.kind == Expression::Kind::call) {
    return evaluator.search(call, nullptr, scope, place);
  }
  const Callable callable = scopes.resolve(callee, scope, flow.has_value() ? &*flow : nullptr);
  switch (callable.kind) {
  case Callable::Kind::none:
    for (const Argument &argument : argumentsOf(call)) {
      if (evaluator.looksLikeModelValue(argument.value, scope)) {
        evaluator.evaluate(argument.value, scope, place); // mistakes within are independent of this one
      }
    }
    return {};
  case Callable::Kind::width:
  case Callable::Kind::count:
  case Callable::Kind::l2:
    if (flow.has_value()) {
      reporter.report("too-many-arguments", flowSpan, {{"callable", callable.name}});
      return {};
    }
    return callable.kind == Callable::Kind::l2 ? applyL2(call, scope, place) : dimension(callable, call, scope, place);
  case Callable::Kind::repeat:
    return makeRepeat(call, std::move(flow), flowSpan, scope, place);
  case Callable::Kind::instance:
    return callInstance(callable, call, std::move(flow), flowSpan, scope, place);
  default:
    return callSignature(callable, call, std::move(flow), flowSpan, scope, place);
  }
}

Value Model::callInstance(const Callable &callable, const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope,
                          Place &place) {
  // Only inputs: the instance has its arguments.
  const Instance &held = *callable.instance;
  Signature signature;
  signature.name = callable.name;
  signature.operands =
      held.callable.kind == Callable::Kind::repeat ? std::vector<OperandSpec>{{"x", Accepts::any}} : signatureOf(held.callable).operands;
  for (const Argument &argument : argumentsOf(call)) {
    const bool operand = std::any_of(signature.operands.begin(), signature.operands.end(),
                                     [&](const OperandSpec &one) { return one.name == argument.name; });
    if (!operand && !(argument.name.empty() && evaluator.looksLikeModelValue(argument.value, scope)) &&
        argument.value.kind != Expression::Kind::error) {
      reporter.report("arguments-of-instance", argument.value.span, {{"name", callable.name}});
      return {};
    }
  }
  BoundCall bound = evaluator.bind(signature, call.span, argumentsOf(call), std::move(flow), flowSpan, scope, place, "");
  if (bound.operands.size() < signature.operands.size()) {
    evaluator.reportMissingInput(signature, bound.operands.size(), call.span);
    return {};
  }
  Inputs inputs{std::move(bound.operands), std::move(bound.operandSpans)};
  if (held.callable.kind == Callable::Kind::repeat) {
    Place inside;
    inside.path = held.path;
    return applyRepeat(held, std::move(inputs), call.span, inside, scope);
  }
  return apply(held, std::move(inputs), held.path, call.span);
}

Value Model::callSignature(const Callable &callable, const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope,
                           Place &place) {
  const Signature signature = signatureOf(callable);
  std::string path;
  const Evaluator::KeyOf keyOf = [&](bool hasInput) -> std::string {
    if (callable.kind == Callable::Kind::step || callable.kind == Callable::Kind::tokenizer) {
      return ""; // `Records` knows what the feature is called when it is whole
    }
    path = hasInput ? place.next(callable.name) : place.path; // of what is bound to a name, or given to `repeat`
    return path.empty() ? "" : "model." + path;
  };
  BoundCall bound = evaluator.bind(signature, call.span, argumentsOf(call), std::move(flow), flowSpan, scope, place, keyOf);
  if (callable.kind == Callable::Kind::step || callable.kind == Callable::Kind::tokenizer) {
    if (bound.operands.empty()) {
      evaluator.reportMissingInput(signature, 0, call.span);
      return {};
    }
    Value value = records.step(callable, std::move(bound), call.span);
    return value.kind == Value::Kind::draft && !builder.spend(call.span) ? Value{} : value;
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
  instance->origins = bound.origins;
  if (bound.operands.empty() && !signature.operands.empty()) {
    Value value(Value::Kind::instance);
    value.instance = std::move(instance);
    return value;
  }
  if (bound.operands.size() < signature.operands.size()) {
    evaluator.reportMissingInput(signature, bound.operands.size(), call.span);
    return {};
  }
  resolveParameters(signature, instance->attributes, path, [&](const std::string &name) { return bound.written(name); });
  return apply(*instance, {std::move(bound.operands), std::move(bound.operandSpans)}, path, call.span);
}

/// Where the model is not so large that nobody would read it.
void Model::resolveParameters(const Signature &signature, const Attributes &attributes, const std::string &path,
                              const Settings::Written &written) {
  if (builder.graph.nodes.size() < mostResolved) {
    settings.resolveParameters("model." + path, signature, attributes, written);
  }
}

Value Model::dimension(const Callable &callable, const Expression &call, Scope &scope, Place &place) {
  const bool isWidth = callable.kind == Callable::Kind::width;
  if (call.kind != Expression::Kind::call || call.arguments.size() != 1 || !call.arguments[0].name.empty()) {
    if (call.kind == Expression::Kind::call && call.arguments.size() > 1) {
      reporter.report("too-many-arguments", call.arguments[1].value.span, {{"callable", callable.name}});
    } else {
      reporter.report(
          "missing-input", call.span,
          {{"callable", callable.name}, {"name", isWidth ? "x" : "target"}, {"example", isWidth ? "width(x)" : "count(label)"}});
    }
    return {};
  }
  const Expression &argument = call.arguments[0].value;
  const Value of = evaluator.evaluate(argument, scope, place);
  if (of.kind == Value::Kind::error) {
    return {};
  }
  if (of.kind == Value::Kind::unknown) {
    return integerValue(unknownSize);
  }
  if (!isWidth) {
    if (of.column == nullptr || !of.column->hasClasses()) {
      reporter.report("type-mismatch", argument.span,
                      {{"op", "count"}, {"expected", "a class, set or tags column"}, {"found", describe(of)}});
      return {};
    }
    return integerValue(records.classCount(of.text));
  }
  bool unknown = false;
  const int node = builder.operand(of, Accepts::rows, "width", argument.span, &unknown);
  return node < 0 ? Value{} : integerValue(builder.typeOf(node).width);
}

/// The instance that `repeat` repeats; no instance after a report, or where `what` is none: `reported` says which.
Value Model::repeated(const Expression &what, Scope &scope, bool &reported) {
  reported = false;
  Value inner;
  if (what.kind != Expression::Kind::name && what.kind != Expression::Kind::call) {
    return inner;
  }
  const Callable callable = scopes.resolve(calleeOf(what), scope);
  const bool isLayer = callable.kind == Callable::Kind::builtin || callable.kind == Callable::Kind::definition;
  if (callable.kind == Callable::Kind::instance && what.kind == Expression::Kind::name) {
    inner.kind = Value::Kind::instance;
    inner.instance = callable.instance;
  } else if (isLayer || callable.kind == Callable::Kind::repeat) {
    Place nowhere;
    inner = call(what, std::nullopt, {}, scope, nowhere);
  }
  reported = callable.kind == Callable::Kind::none || (isLayer && inner.kind == Value::Kind::error);
  return inner;
}

Value Model::makeRepeat(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place) {
  const std::vector<Argument> &arguments = argumentsOf(call);
  if (arguments.size() < 2 || !arguments[0].name.empty() || !arguments[1].name.empty()) {
    reporter.report("bad-repeat", call.span);
    return {};
  }
  if (arguments.size() > 2) {
    reporter.report("too-many-arguments", arguments[2].value.span, {{"callable", "repeat"}});
    return {};
  }
  ParameterSpec times;
  times.name = "repeat";
  times.type = Type::integer;
  times.hasMinimum = true;
  times.minimum = 1;
  const auto count = evaluator.parameter(arguments[0].value, times, scope, place, nullptr);
  const Expression &what = arguments[1].value;
  bool reported = false;
  const Value inner = repeated(what, scope, reported);
  if (reported) {
    return {};
  }
  if (inner.kind != Value::Kind::instance ||
      (inner.instance->callable.kind == Callable::Kind::definition && inner.instance->callable.definition->isHead)) {
    if (what.kind != Expression::Kind::error) {
      reporter.report("bad-repeat", what.span);
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
    Value value(Value::Kind::instance);
    value.instance = std::move(instance);
    return value;
  }
  Inputs inputs;
  inputs.values.push_back(std::move(*flow));
  inputs.spans.push_back(flowSpan);
  return applyRepeat(*instance, std::move(inputs), call.span, place, scope);
}

Value Model::applyRepeat(const Instance &instance, Inputs inputs, const Span &span, Place &place, Scope &scope) {
  // How often is known only with the facts: one repetition shows what is wrong with all, and its width where it stays that of the input.
  const bool open = instance.times == unknownSize;
  const Value before = open ? inputs.values[0] : Value{};
  unknownTimes = unknownTimes || open;
  for (std::int64_t i = 0; i < (open ? 1 : instance.times); ++i) {
    if (inputs.values[0].kind == Value::Kind::error || builder.tooLarge() || !builder.spend(span)) {
      return {};
    }
    Value made = repeatOnce(instance, std::move(inputs), span, place, scope);
    inputs = {};
    inputs.values.push_back(std::move(made));
    inputs.spans.push_back(span);
  }
  Value flowing = std::move(inputs.values[0]);
  if (open && flowing.kind == Value::Kind::node && flowing.node >= 0) {
    ValueType &type = builder.graph.nodes[static_cast<std::size_t>(flowing.node)].type;
    const bool same = before.kind == Value::Kind::node && before.node >= 0 && builder.typeOf(before.node).width == type.width;
    type.width = same ? type.width : unknownSize;
    flowing.type = type;
  }
  return flowing;
}

Value Model::repeatOnce(const Instance &instance, Inputs inputs, const Span &span, Place &place, Scope &scope) {
  const Instance &inner = *instance.inner;
  if (inner.callable.kind == Callable::Kind::repeat) {
    Place inside;
    inside.path = inner.path.empty() ? place.next("repeat") : inner.path;
    return applyRepeat(inner, std::move(inputs), span, inside, scope);
  }
  const std::string path = inner.path.empty() ? place.next(inner.callable.name) : inner.path;
  const Signature signature = signatureOf(inner.callable);
  if (signature.operands.size() != 1) {
    reporter.report("bad-repeat", instance.span);
    return {};
  }
  if (!inner.path.empty()) {
    return apply(inner, std::move(inputs), path, span);
  }
  Instance own = inner;
  BoundCall bound;
  bound.attributes = inner.attributes;
  evaluator.override(signature, "model." + path, scope, place, bound);
  if (!bound.good) {
    return {};
  }
  own.attributes = std::move(bound.attributes);
  resolveParameters(signature, own.attributes, path, [&](const std::string &name) {
    return bound.spans.count(name) > 0 ? bound.written(name) : std::pair(Origin::file, inner.span);
  });
  return apply(own, std::move(inputs), path, span);
}

bool Model::ownsWeights(const std::string &binding) {
  for (const std::vector<GraphNode> &nodes = builder.graph.nodes; weightedUpTo < nodes.size(); ++weightedUpTo) {
    const GraphNode &one = nodes[weightedUpTo];
    if (hasDecayingWeights(one)) {
      weighted.insert(one.path.substr(0, one.path.find('.')));
    }
  }
  return weighted.count(binding) > 0;
}

Value Model::applyL2(const Expression &call, Scope &scope, Place &place) {
  std::string prefix;
  if (const std::vector<Argument> &arguments = argumentsOf(call); !arguments.empty()) {
    if (arguments.size() > 1) {
      reporter.report("too-many-arguments", arguments[1].value.span, {{"callable", "l2"}});
      return {};
    }
    const Expression &argument = arguments[0].value;
    const bool isName = argument.kind == Expression::Kind::name;
    if (!isName || &scope != &scopes.top || scope.bindings.count(argument.text) == 0) {
      if (isName && scope.values.count(argument.text) == 0 && scope.instances.count(argument.text) == 0) {
        evaluator.reportUnknownName(argument, scope);
      } else if (argument.kind != Expression::Kind::error) {
        reporter.report("type-mismatch", argument.span,
                        {{"op", "l2"}, {"expected", "the name of a binding of `model`"}, {"found", "`" + excerpt(argument.span) + "`"}});
      }
      return {};
    }
    prefix = argument.text;
    if (!ownsWeights(prefix) && isGood) {
      reporter.report("prefix-without-weights", argument.span, {{"name", prefix}});
      return {};
    }
  }
  if (!builder.spend(call.span)) {
    return {};
  }
  GraphNode node;
  node.op = "l2";
  node.attributes["prefix"] = prefix;
  node.type = ValueType::scalar();
  node.path = place.next("l2");
  node.range = call.span.range();
  return builder.valueOf(builder.emit(std::move(node)));
}

Value Model::combine(char sign, const Value &left, const Value &right, const Span &span, Place &place) {
  // Both of one type, or one of them a constant.
  const std::string shown(1, sign);
  const Value *values[2] = {&left, &right};
  int nodes[2] = {-1, -1};
  for (int i = 0; i < 2; ++i) {
    if (values[i]->isModel()) {
      bool unknown = false;
      nodes[i] = values[i]->isScalarNode() ? values[i]->node : builder.operand(*values[i], Accepts::rows, shown, span, &unknown);
      if (nodes[i] < 0) {
        return Value(unknown ? Value::Kind::unknown : Value::Kind::error);
      }
    }
  }
  if (!builder.spend(span)) {
    return {};
  }
  if (sign == '/' && right.isNumber() && right.asDouble() == 0) {
    reporter.report("division-by-zero", span);
    return {};
  }
  for (int i = 0; i < 2; ++i) {
    if (nodes[i] < 0 && std::abs(values[i]->asDouble()) > std::numeric_limits<float>::max()) {
      reporter.report("not-a-float32", span, {{"number", formatNumber(values[i]->asDouble())}});
      return {};
    }
  }
  for (int i = 0; i < 2; ++i) {
    if (nodes[i] < 0) {
      GraphNode constant;
      constant.op = "constant";
      constant.attributes["value"] = values[i]->asDouble();
      constant.type = ValueType::scalar();
      constant.path = place.next("constant");
      constant.range = span.range();
      nodes[i] = builder.emit(std::move(constant));
    }
  }
  const ValueType a = builder.typeOf(nodes[0]), b = builder.typeOf(nodes[1]);
  ValueType result = left.isNumber() ? b : a;
  if (!left.isNumber() && !right.isNumber()) {
    const bool widths = a.width == b.width || a.width == unknownSize || b.width == unknownSize;
    if (!a.sameRows(b) || !widths) {
      reporter.report(
          "shape-mismatch", span,
          {{"op", shown}, {"left", describeType(a)}, {"right", describeType(b)}, {"rule", "both sides of an operator have one type"}});
      return {};
    }
    result.width = a.width == unknownSize ? b.width : a.width;
  }
  GraphNode node;
  node.op = sign == '+' ? "add" : sign == '-' ? "sub" : sign == '*' ? "mul" : "div";
  node.operands = {nodes[0], nodes[1]};
  node.type = result;
  node.path = place.next(node.op);
  node.range = span.range();
  return builder.valueOf(builder.emit(std::move(node)));
}

} // namespace penstock::frontend
