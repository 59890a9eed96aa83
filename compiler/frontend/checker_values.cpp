// Names, literals, arithmetic and the conversion of values to parameters.
#include "compiler/frontend/checker.h"
#include "compiler/frontend/other_tools.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;
using Type = PluginParameter::Type;

namespace {

constexpr int deepest = 200;

struct Deeper {
  explicit Deeper(int &value) : depth(value) { ++depth; }
  ~Deeper() { --depth; }
  int &depth;
};

Origin stronger(Origin a, Origin b) { return std::max(a, b); }

bool isNumber(const Value &value) { return value.kind == Value::Kind::integer || value.kind == Value::Kind::floating; }

double numberOf(const Value &value) {
  if (value.kind == Value::Kind::integer) {
    return value.integer == unknownSize ? std::nan("") : static_cast<double>(value.integer);
  }
  return value.number;
}

Value integerValue(std::int64_t number) {
  Value value;
  value.kind = Value::Kind::integer;
  value.integer = number;
  return value;
}

Value floatingValue(double number) {
  Value value;
  value.kind = Value::Kind::floating;
  value.number = number;
  return value;
}

} // namespace

const char *originName(Origin origin) {
  switch (origin) {
  case Origin::standard:
    return "default";
  case Origin::file:
    return "file";
  case Origin::search:
    return "search default";
  case Origin::commandLine:
    return "command line";
  }
  return "file";
}

void Checker::report(const char *id, const Span &span, const diagnostics::Arguments &arguments, std::vector<diagnostics::Label> labels) {
  if (muted) {
    mutedMistake = true;
    return;
  }
  diagnostics.report(id, span.range(), arguments, std::move(labels));
}

bool Checker::declareValue(Scope &scope, const std::string &name, const Span &span, Value value) {
  const auto bound = scope.instances.find(name);
  const auto [found, fresh] = scope.values.emplace(name, Scope::Declared{std::move(value), span});
  if (!fresh) {
    report("duplicate-name", span, {{"name", name}}, {{found->second.span.range(), "declared here"}});
    return false;
  }
  if (bound != scope.instances.end()) {
    report("duplicate-name", span, {{"name", name}}, {{bound->second.second.range(), "declared here"}});
    return false;
  }
  return true;
}

bool Checker::isWanted(const Value &value) {
  if (value.kind == Value::Kind::error || value.kind == Value::Kind::unknown) {
    return true;
  }
  if (wanted.operand) {
    const Column *column = value.kind == Value::Kind::column ? dataBlock.find(value.text) : nullptr;
    return isTarget(*wanted.operand) ? column != nullptr && fitsTarget(*wanted.operand, column->type) : value.isModel();
  }
  if (wanted.parameter == nullptr) {
    return true;
  }
  muted = true;
  mutedMistake = false;
  const bool good = convert(value, *wanted.parameter, {}).has_value() && !mutedMistake;
  muted = false;
  return good;
}

std::vector<std::string> Checker::valueNames(const Scope &scope) {
  std::vector<std::string> names;
  if (diagnostics.full()) {
    return names;
  }
  for (const auto &[name, declared] : scope.values) {
    if (isWanted(declared.value)) {
      names.push_back(name);
    }
  }
  return names;
}

void Checker::reportUnknownName(const Expression &expression, const Scope &scope) {
  if (wanted.parameter != nullptr && wanted.parameter->type == Type::boolean) {
    std::string lower = expression.text;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const bool yes = lower == "true" || lower == "yes" || lower == "on", no = lower == "false" || lower == "no" || lower == "off";
    if (yes || no) {
      report("unknown-name", expression.span, {{"name", expression.text}, {"nearest", yes ? "true" : "false"}});
      return;
    }
  }
  report("unknown-name", expression.span, {{"name", expression.text}, {"nearest", nearest(expression.text, valueNames(scope))}});
}

std::string Checker::describe(const Value &value, const ModelGraph &graph) {
  switch (value.kind) {
  case Value::Kind::boolean:
    return "`true` or `false`";
  case Value::Kind::integer:
    return value.integer == unknownSize ? "a whole number" : "the whole number " + std::to_string(value.integer);
  case Value::Kind::floating:
    return std::isnan(value.number) ? "a number" : "the number " + formatNumber(value.number);
  case Value::Kind::string:
    return "a string";
  case Value::Kind::path:
    return "a path";
  case Value::Kind::word:
    return "the word `" + value.text + "`";
  case Value::Kind::quantity:
    return "a quantity in `" + value.text + "`";
  case Value::Kind::list:
    return "a list";
  case Value::Kind::range:
    return "a range";
  case Value::Kind::column:
    return "the column `" + value.text + "`";
  case Value::Kind::draft:
    return "a text without a tokenizer";
  case Value::Kind::feature:
    return "the ids of `" + value.text + "`";
  case Value::Kind::node:
    return value.node >= 0 ? describeType(graph.nodes[static_cast<std::size_t>(value.node)].type) : "a value";
  case Value::Kind::head:
    return "the result of a head";
  case Value::Kind::instance:
    return "an instance";
  case Value::Kind::error:
  case Value::Kind::unknown:
    break;
  }
  return "a value";
}

Value Checker::evaluateName(const Expression &expression, Scope &scope) {
  if (expression.text == "true" || expression.text == "false") {
    Value value;
    value.kind = Value::Kind::boolean;
    value.flag = expression.text == "true";
    return value;
  }
  const auto found = scope.values.find(expression.text);
  if (found != scope.values.end()) {
    return found->second.value;
  }
  if (findCallable(expression.text, scope).kind != Callable::Kind::none) {
    report("callable-as-value", expression.span, {{"name", expression.text}});
  } else {
    reportUnknownName(expression, scope);
  }
  return {};
}

Value Checker::evaluate(const Expression &expression, Scope &scope, Place &place) {
  if (diagnostics.full()) {
    return {};
  }
  const Deeper deeper(depth);
  if (depth > deepest) {
    report("nesting-too-deep", expression.span, {{"limit", std::to_string(deepest)}});
    return {};
  }
  Value value;
  switch (expression.kind) {
  case Expression::Kind::error:
    return {};
  case Expression::Kind::integer:
    return integerValue(expression.integer);
  case Expression::Kind::floating:
  case Expression::Kind::percent:
    return floatingValue(expression.number);
  case Expression::Kind::quantity:
    value.kind = Value::Kind::quantity;
    value.number = expression.number;
    value.text = expression.text;
    return value;
  case Expression::Kind::string:
    value.kind = Value::Kind::string;
    value.text = expression.text;
    return value;
  case Expression::Kind::name:
    return evaluateName(expression, scope);
  case Expression::Kind::list:
    value.kind = Value::Kind::list;
    wanted = {}; // of the items nothing is known
    for (const Expression &child : expression.children) {
      value.items.push_back(evaluate(child, scope, place));
      value.origin = stronger(value.origin, value.items.back().origin);
      if (value.items.back().kind == Value::Kind::error) {
        return {};
      }
    }
    return value;
  case Expression::Kind::range: {
    value.kind = Value::Kind::range;
    for (const Expression &child : expression.children) {
      value.items.push_back(evaluate(child, scope, place));
      if (value.items.back().kind == Value::Kind::error) {
        return {};
      }
      if (!isNumber(value.items.back())) {
        report("wrong-type", child.span, {{"name", ".."}, {"expected", "two numbers"}, {"found", describe(value.items.back())}});
        return {};
      }
    }
    return value;
  }
  case Expression::Kind::sum:
  case Expression::Kind::product:
    return evaluateSum(expression, scope, place);
  case Expression::Kind::negate: {
    const Value inner = evaluate(expression.children[0], scope, place);
    if (inner.kind == Value::Kind::integer) {
      Value negated = inner;
      negated.integer = inner.integer == unknownSize ? unknownSize : -inner.integer;
      return negated;
    }
    if (inner.kind == Value::Kind::floating) {
      Value negated = inner;
      negated.number = -inner.number;
      return negated;
    }
    if (inner.isModel()) {
      return arithmetic('*', integerValue(-1), inner, expression.span, place);
    }
    if (inner.kind != Value::Kind::error) {
      report("bad-operands", expression.span, {{"operator", "-"}, {"left", "nothing"}, {"right", describe(inner)}});
    }
    return {};
  }
  case Expression::Kind::flow: {
    const Wanted around = std::exchange(wanted, {nullptr, Accepts::any});
    Value flowing = evaluate(expression.children[0], scope, place);
    wanted = around;
    Span span = expression.children[0].span;
    for (std::size_t i = 1; i < expression.children.size(); ++i) {
      const Expression &step = expression.children[i];
      if (step.kind == Expression::Kind::error) {
        flowing = {};
        continue;
      }
      flowing = evaluateCall(step, std::move(flowing), span, scope, place);
      span.end = step.span.end;
    }
    return flowing;
  }
  case Expression::Kind::call:
    return evaluateCall(expression, std::nullopt, {}, scope, place);
  case Expression::Kind::member: {
    const Value base = evaluate(expression.children[0], scope, place);
    if (base.kind == Value::Kind::error || base.kind == Value::Kind::unknown) {
      return base;
    }
    if (base.kind == Value::Kind::head && (expression.text == "loss" || expression.text == "answer")) {
      value.kind = Value::Kind::node;
      value.node = expression.text == "loss" ? base.loss : base.node;
      if (value.node < 0) {
        report("answer-without-loss", expression.span, {{"name", std::string(expression.children[0].span.text())}});
        return {};
      }
      return value;
    }
    report("unknown-name", expression.nameSpan.file != nullptr ? expression.nameSpan : expression.span,
           {{"name", std::string(expression.span.text().substr(0, 80))},
            {"nearest", base.kind != Value::Kind::head ? ""
                        : base.loss < 0                ? nearest(expression.text, {"answer"})
                                                       : nearest(expression.text, {"loss", "answer"})}});
    return {};
  }
  case Expression::Kind::index:
    report("not-in-edition", expression.span, {{"what", "`[...]` after a value"}});
    return {};
  }
  return {};
}

Value Checker::evaluateSum(const Expression &expression, Scope &scope, Place &place) {
  Value left = evaluate(expression.children[0], scope, place);
  Span span = expression.children[0].span;
  for (std::size_t i = 1; i < expression.children.size(); ++i) {
    Value right = evaluate(expression.children[i], scope, place);
    span.end = expression.children[i].span.end;
    left = arithmetic(expression.text[i], std::move(left), std::move(right), span, place);
  }
  return left;
}

Value Checker::scalarArithmetic(char sign, const Value &left, const Value &right, const Span &span) {
  const Origin origin = stronger(left.origin, right.origin);
  Value value;
  if (left.kind == Value::Kind::integer && right.kind == Value::Kind::integer) {
    value = integerValue(unknownSize);
    value.origin = origin;
    if (left.integer == unknownSize || right.integer == unknownSize) {
      return value;
    }
    bool overflow = false;
    switch (sign) {
    case '+':
      overflow = __builtin_add_overflow(left.integer, right.integer, &value.integer);
      break;
    case '-':
      overflow = __builtin_sub_overflow(left.integer, right.integer, &value.integer);
      break;
    case '*':
      overflow = __builtin_mul_overflow(left.integer, right.integer, &value.integer);
      break;
    default:
      if (right.integer == 0) {
        report("division-by-zero", span);
        return {};
      }
      if (left.integer % right.integer != 0) {
        report("inexact-division", span, {{"left", std::to_string(left.integer)}, {"right", std::to_string(right.integer)}});
        return {};
      }
      value.integer = left.integer / right.integer;
    }
    if (overflow || value.integer == unknownSize) {
      report("arithmetic-overflow", span);
      return {};
    }
    return value;
  }
  const double a = numberOf(left), b = numberOf(right);
  if (sign == '/' && b == 0) {
    report("division-by-zero", span);
    return {};
  }
  value = floatingValue(sign == '+' ? a + b : sign == '-' ? a - b : sign == '*' ? a * b : a / b);
  value.origin = origin;
  if (std::isinf(value.number)) {
    report("arithmetic-overflow", span);
    return {};
  }
  return value;
}

Value Checker::arithmetic(char sign, Value left, Value right, const Span &span, Place &place) {
  if (left.kind == Value::Kind::error || right.kind == Value::Kind::error) {
    return {};
  }
  if (isNumber(left) && isNumber(right)) {
    return scalarArithmetic(sign, left, right, span);
  }
  if (sign == '/' && (left.kind == Value::Kind::path || left.kind == Value::Kind::string) && right.kind == Value::Kind::string) {
    Value joined = left;
    joined.origin = stronger(left.origin, right.origin);
    joined.text += (joined.text.empty() || joined.text.back() == '/' ? "" : "/") + right.text;
    return joined;
  }
  for (const Value *value : {&left, &right}) {
    if (value->kind == Value::Kind::instance) {
      report("instance-as-value", span, {{"name", value->instance->callable.name}});
      return {};
    }
  }
  const auto operand = [&](const Value &value) { return value.isModel() || isNumber(value); };
  if (!(operand(left) && operand(right))) {
    report("bad-operands", span, {{"operator", std::string(1, sign)}, {"left", describe(left)}, {"right", describe(right)}});
    return {};
  }
  if (left.kind == Value::Kind::unknown || right.kind == Value::Kind::unknown) {
    Value value;
    value.kind = Value::Kind::unknown;
    return value;
  }
  // Model values: both of one type, or one of them a constant.
  const char *op = sign == '+' ? "add" : sign == '-' ? "sub" : sign == '*' ? "mul" : "div";
  int nodes[2] = {-1, -1};
  bool unknown = false;
  const Value *values[2] = {&left, &right};
  for (int i = 0; i < 2; ++i) {
    if (values[i]->isModel()) {
      const bool loss = values[i]->kind == Value::Kind::node && values[i]->node >= 0 &&
                        graph.nodes[static_cast<std::size_t>(values[i]->node)].type.kind == ValueType::Kind::scalar;
      nodes[i] = loss ? values[i]->node : operandNode(*values[i], Accepts::rows, std::string(1, sign), span, &unknown);
      if (nodes[i] < 0) {
        Value value;
        value.kind = unknown ? Value::Kind::unknown : Value::Kind::error;
        return value;
      }
    }
  }
  if (!spend(span)) {
    return {};
  }
  for (int i = 0; i < 2; ++i) {
    if (nodes[i] < 0) {
      GraphNode constant;
      constant.op = "constant";
      constant.attributes["value"] = numberOf(*values[i]);
      constant.type = {ValueType::Kind::scalar, "", 1};
      constant.path = nextPath(place, "constant");
      constant.range = span.range();
      nodes[i] = emit(std::move(constant));
    }
  }
  const ValueType a = graph.nodes[static_cast<std::size_t>(nodes[0])].type, b = graph.nodes[static_cast<std::size_t>(nodes[1])].type;
  const bool constantLeft = isNumber(left), constantRight = isNumber(right);
  const auto asVector = [](ValueType type) {
    return type.kind == ValueType::Kind::number ? ValueType{ValueType::Kind::vector, "", 1} : type;
  };
  ValueType result = asVector(constantLeft ? b : a);
  if (!constantLeft && !constantRight) {
    const ValueType x = asVector(a), y = asVector(b);
    const bool widths = x.width == y.width || x.width == unknownSize || y.width == unknownSize;
    if (x.kind != y.kind || x.axis != y.axis || !widths) {
      report("shape-mismatch", span,
             {{"op", std::string(1, sign)},
              {"left", describeType(a)},
              {"right", describeType(b)},
              {"rule", "both sides of an operator have one type"}});
      return {};
    }
    result.width = x.width == unknownSize ? y.width : x.width;
  }
  GraphNode node;
  node.op = op;
  node.operands = {nodes[0], nodes[1]};
  node.type = result;
  node.path = nextPath(place, op);
  node.range = span.range();
  Value value;
  value.kind = Value::Kind::node;
  value.node = emit(std::move(node));
  return value;
}

// ---- parameters

std::optional<Attribute> Checker::convert(const Value &value, const ParameterSpec &spec, const Span &span) {
  const auto wrong = [&](const std::string &hint = "") -> std::optional<Attribute> {
    report("wrong-type", span,
           {{"name", spec.name}, {"expected", describeParameterType(spec)}, {"found", describe(value)}, {"hint", hint}});
    return std::nullopt;
  };
  const auto inside = [&](double number) {
    const bool low = spec.hasMinimum && (spec.openMinimum ? number <= spec.minimum : number < spec.minimum);
    const bool high = spec.hasMaximum && (spec.openMaximum ? number >= spec.maximum : number > spec.maximum);
    return !low && !high;
  };
  const auto within = [&](double number) {
    if (std::isnan(number) || inside(number)) {
      return true;
    }
    std::string rule;
    if (spec.hasMinimum) {
      rule = (spec.openMinimum ? "greater than " : "at least ") + formatNumber(spec.minimum);
    }
    if (spec.hasMaximum) {
      rule += std::string(rule.empty() ? "" : " and ") + (spec.openMaximum ? "less than " : "at most ") + formatNumber(spec.maximum);
    }
    // A share that was written without its sign.
    const bool share = spec.type == Type::number && spec.hasMaximum && spec.maximum == 1 && number > 1 && number <= 100;
    const std::string hint = share && inside(number / 100) ? "did you mean `" + formatNumber(number) + "%`?" : "";
    report("out-of-range", span, {{"name", spec.name}, {"value", formatNumber(number)}, {"rule", rule}, {"hint", hint}});
    return false;
  };
  if (value.kind == Value::Kind::error) {
    return std::nullopt;
  }
  if (spec.stepsOrShare) {
    if (value.kind == Value::Kind::quantity && (value.text == "steps" || value.text == "step")) {
      if (value.number < 0 || value.number > 1e15 || value.number != std::floor(value.number)) {
        report("out-of-range", span,
               {{"name", spec.name}, {"value", formatNumber(value.number) + " steps"}, {"rule", "a whole number of steps, not below 0"}});
        return std::nullopt;
      }
      return std::vector<double>{-1, value.number};
    }
    if (!isNumber(value)) {
      return wrong("write `10%` or `100 steps`");
    }
    ParameterSpec share = spec;
    share.hasMinimum = share.hasMaximum = true;
    share.minimum = 0;
    share.maximum = 1;
    const double number = numberOf(value);
    if (number < 0 || number > 1) {
      report("out-of-range", span,
             {{"name", spec.name}, {"value", formatNumber(number)}, {"rule", "between 0% and 100%, or a number of `steps`"}});
      return std::nullopt;
    }
    return std::vector<double>{number, -1};
  }
  switch (spec.type) {
  case Type::boolean:
    return value.kind == Value::Kind::boolean ? std::optional<Attribute>(value.flag) : wrong();
  case Type::integer:
    if (value.kind != Value::Kind::integer) {
      return wrong();
    }
    if (value.integer != unknownSize && !within(static_cast<double>(value.integer))) {
      return std::nullopt;
    }
    return value.integer;
  case Type::number:
    if (!isNumber(value)) {
      return wrong();
    }
    return within(numberOf(value)) ? std::optional<Attribute>(numberOf(value)) : std::nullopt;
  case Type::string:
    return value.kind == Value::Kind::string ? std::optional<Attribute>(value.text) : wrong("put it into quotes");
  case Type::path:
    if (value.kind != Value::Kind::path && value.kind != Value::Kind::string) {
      return wrong();
    }
    return joinPath(value.kind == Value::Kind::path ? "/" : folderOf(span), value.text);
  case Type::enumeration:
    if (value.kind != Value::Kind::word) {
      return wrong("write one of " + quotedList(spec.members));
    }
    if (std::find(spec.members.begin(), spec.members.end(), value.text) == spec.members.end()) {
      report("not-a-member", span,
             {{"value", value.text},
              {"name", spec.name},
              {"members", quotedList(spec.members)},
              {"hint", hintForWord("member", value.text, spec.members)}});
      return std::nullopt;
    }
    return value.text;
  case Type::strings: {
    if (value.kind != Value::Kind::list) {
      return wrong();
    }
    std::vector<std::string> items;
    for (const Value &item : value.items) {
      if (item.kind != Value::Kind::string) {
        return wrong();
      }
      items.push_back(item.text);
    }
    return items;
  }
  case Type::numbers: {
    if (value.kind != Value::Kind::list) {
      return wrong();
    }
    std::vector<double> items;
    for (const Value &item : value.items) {
      if (!isNumber(item)) {
        return wrong();
      }
      if (!within(numberOf(item))) {
        return std::nullopt;
      }
      items.push_back(numberOf(item));
    }
    return items;
  }
  }
  return wrong();
}

std::optional<Attribute> Checker::evaluateParameter(const Expression &expression, const ParameterSpec &spec, const std::string &callable,
                                                    Scope &scope, Place &place, Origin *origin) {
  if (expression.kind == Expression::Kind::error) {
    return std::nullopt;
  }
  if (!spec.members.empty() && expression.kind == Expression::Kind::name) {
    if (std::find(spec.members.begin(), spec.members.end(), expression.text) != spec.members.end()) {
      return expression.text;
    }
    if (scope.values.find(expression.text) == scope.values.end()) {
      report("not-a-member", expression.span,
             {{"value", expression.text},
              {"name", spec.name},
              {"members", quotedList(spec.members)},
              {"hint", hintForWord("member", expression.text, spec.members)}});
      return std::nullopt;
    }
  }
  Value value;
  if (expression.kind == Expression::Kind::call && expression.children[0].kind == Expression::Kind::name &&
      expression.children[0].text == "search") {
    value = evaluateSearch(expression, &spec, scope, place);
  } else {
    const Wanted around = std::exchange(wanted, {&spec, std::nullopt});
    value = evaluate(expression, scope, place);
    wanted = around;
  }
  if (origin != nullptr) {
    *origin = stronger(*origin, value.origin);
  }
  (void)callable;
  return convert(value, spec, expression.span);
}

Value Checker::evaluateSearch(const Expression &expression, const ParameterSpec *spec, Scope &scope, Place &place) {
  const Expression *space = nullptr, *fallback = nullptr, *scale = nullptr;
  bool good = true;
  for (const Argument &argument : expression.arguments) {
    const Expression **slot = argument.name.empty()        ? &space
                              : argument.name == "default" ? &fallback
                              : argument.name == "scale"   ? &scale
                                                           : nullptr;
    if (slot == nullptr) {
      report("unknown-argument", argument.nameSpan,
             {{"callable", "search"},
              {"name", argument.name},
              {"parameters", "a range or a list, `scale` and `default`"},
              {"nearest", nearest(argument.name, {"default", "scale"})}});
      good = false;
    } else if (*slot != nullptr) {
      report(argument.name.empty() ? "too-many-arguments" : "duplicate-argument", argument.value.span,
             {{"callable", "search"}, {"name", argument.name}});
      good = false;
    } else {
      *slot = &argument.value;
    }
  }
  if (space == nullptr) {
    report("missing-argument", expression.span, {{"callable", "search"}, {"name", "a range or a list"}});
    return {};
  }
  bool log = false;
  if (scale != nullptr) {
    if (scale->kind == Expression::Kind::name && (scale->text == "log" || scale->text == "linear")) {
      log = scale->text == "log";
    } else if (scale->kind != Expression::Kind::error) {
      report("not-a-member", scale->span,
             {{"value", std::string(scale->span.text().substr(0, 40))},
              {"name", "scale"},
              {"members", "`linear` or `log`"},
              {"hint", hintForWord("member", scale->text, {"linear", "log"})}});
      good = false;
    }
  }
  // The members of the space have the type of the parameter, like the default.
  std::vector<Value> ends;
  const bool isRange = space->kind == Expression::Kind::range;
  if (!isRange && space->kind != Expression::Kind::list) {
    if (space->kind != Expression::Kind::error) {
      report("wrong-type", space->span,
             {{"name", "search"}, {"expected", "a range or a list"}, {"found", "`" + std::string(space->span.text().substr(0, 40)) + "`"}});
    }
    return {};
  }
  const auto one = [&](const Expression &member) {
    Value value;
    if (spec != nullptr && spec->type == Type::enumeration && member.kind == Expression::Kind::name) {
      value.kind = Value::Kind::word;
      value.text = member.text;
    } else {
      value = evaluate(member, scope, place);
    }
    if (value.kind == Value::Kind::error || (spec != nullptr && !convert(value, *spec, member.span))) {
      good = false;
    }
    return value;
  };
  for (const Expression &member : space->children) {
    ends.push_back(one(member));
  }
  if (good && isRange &&
      (!isNumber(ends[0]) || !isNumber(ends[1]) || numberOf(ends[0]) > numberOf(ends[1]) || (log && numberOf(ends[0]) <= 0))) {
    report("empty-range", space->span);
    good = false;
  }
  if (ends.empty()) {
    report("empty-range", space->span);
    good = false;
  }
  if (fallback == nullptr) {
    report("search-without-default", expression.span);
    return {};
  }
  Value value = one(*fallback);
  if (!good) {
    return {};
  }
  const auto equal = [](const Value &a, const Value &b) {
    if (isNumber(a) && isNumber(b) && (std::isnan(numberOf(a)) || std::isnan(numberOf(b)))) {
      return true; // not known yet
    }
    return isNumber(a) && isNumber(b) ? numberOf(a) == numberOf(b) : a.kind == b.kind && a.text == b.text && a.flag == b.flag;
  };
  const bool inside = isRange ? !(numberOf(value) < numberOf(ends[0]) || numberOf(value) > numberOf(ends[1]))
                              : std::any_of(ends.begin(), ends.end(), [&](const Value &member) { return equal(member, value); });
  if (!inside) {
    report("search-default-outside", fallback->span, {{"value", std::string(fallback->span.text().substr(0, 40))}});
    return {};
  }
  value.origin = stronger(value.origin, Origin::search);
  return value;
}

bool Checker::looksLikeModelValue(const Expression &expression, const Scope &scope) const {
  switch (expression.kind) {
  case Expression::Kind::name: {
    const auto found = scope.values.find(expression.text);
    return found != scope.values.end() && (found->second.value.isModel() || found->second.value.kind == Value::Kind::error);
  }
  case Expression::Kind::flow:
    return true;
  case Expression::Kind::member:
    return looksLikeModelValue(expression.children[0], scope);
  case Expression::Kind::call: {
    if (expression.children[0].kind != Expression::Kind::name) {
      return false;
    }
    const Callable callable = findCallable(expression.children[0].text, scope);
    return callable.kind != Callable::Kind::none && callable.kind != Callable::Kind::width && callable.kind != Callable::Kind::count;
  }
  case Expression::Kind::sum:
  case Expression::Kind::product:
  case Expression::Kind::negate:
    return std::any_of(expression.children.begin(), expression.children.end(),
                       [&](const Expression &child) { return looksLikeModelValue(child, scope); });
  default:
    return false;
  }
}

} // namespace penstock::frontend
