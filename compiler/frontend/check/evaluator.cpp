#include "compiler/frontend/check/evaluator.h"

#include "compiler/frontend/check/conversion.h"
#include "compiler/frontend/check/source_files.h"
#include "compiler/frontend/other_tools.h"

#include <charconv>
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

} // namespace

Evaluator::Evaluator(const Scopes &names, Settings &set, Reporter &reports) : scopes(names), settings(set), reporter(reports) {}

bool Evaluator::isWanted(const Value &value) const {
  if (value.kind == Value::Kind::error || value.kind == Value::Kind::unknown) {
    return true;
  }
  if (wanted.operand) {
    return isTarget(*wanted.operand) ? value.column != nullptr && fitsTarget(*wanted.operand, value.column->type) : value.isModel();
  }
  Mismatch mismatch;
  return wanted.parameter == nullptr || convert(value, *wanted.parameter, "/", mismatch).has_value();
}

std::vector<std::string> Evaluator::valueNames(const Scope &scope) const {
  std::vector<std::string> names;
  if (reporter.full()) {
    return names;
  }
  for (const auto &[name, declared] : scope.values) {
    if (isWanted(declared.value)) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end()); // of names as near as each other a hint has the first
  return names;
}

void Evaluator::reportUnknownName(const Expression &expression, const Scope &scope) {
  if (wanted.parameter != nullptr && wanted.parameter->type == Type::boolean) {
    std::string lower = expression.text;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const bool yes = lower == "true" || lower == "yes" || lower == "on", no = lower == "false" || lower == "no" || lower == "off";
    if (yes || no) {
      reporter.report("unknown-name", expression.span, {{"name", expression.text}, {"nearest", yes ? "true" : "false"}});
      return;
    }
  }
  reporter.report("unknown-name", expression.span, {{"name", expression.text}, {"nearest", nearest(expression.text, valueNames(scope))}});
}

Value Evaluator::evaluateName(const Expression &expression, Scope &scope) {
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
  if (scopes.find(expression.text, scope).kind != Callable::Kind::none) {
    reporter.report("callable-as-value", expression.span, {{"name", expression.text}});
  } else {
    reportUnknownName(expression, scope);
  }
  return {};
}

Value Evaluator::evaluate(const Expression &expression, Scope &scope, Place &place) {
  if (reporter.full()) {
    return {};
  }
  const Deeper deeper(depth);
  if (depth > deepest) {
    reporter.report("nesting-too-deep", expression.span, {{"limit", std::to_string(deepest)}});
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
    return evaluateList(expression, scope, place);
  case Expression::Kind::range:
    return evaluateRange(expression, scope, place);
  case Expression::Kind::sum:
  case Expression::Kind::product:
    return evaluateSum(expression, scope, place);
  case Expression::Kind::negate:
    return evaluateNegation(expression, scope, place);
  case Expression::Kind::flow:
    return evaluateFlow(expression, scope, place);
  case Expression::Kind::call:
    return calls->call(expression, std::nullopt, {}, scope, place);
  case Expression::Kind::member:
    return evaluateMember(expression, scope, place);
  case Expression::Kind::index:
    reporter.report("not-in-edition", expression.span, {{"what", "`[...]` after a value"}});
    return {};
  }
  return {};
}

Value Evaluator::evaluateAs(Wanted what, const Expression &expression, Scope &scope, Place &place) {
  const Wanted around = std::exchange(wanted, what);
  Value value = evaluate(expression, scope, place);
  wanted = around;
  return value;
}

// More columns than any table has: a slip of the hand would take all memory.
static constexpr std::int64_t mostNames = 65536;

std::optional<std::vector<std::string>> namesFrom(const std::string &first, const std::string &last) {
  const auto digits = [](const std::string &name) {
    const std::size_t end = name.find_last_not_of("0123456789");
    return end == std::string::npos ? name.size() : end + 1;
  };
  const std::size_t at = digits(first);
  std::int64_t from = 0, to = 0;
  const auto read = [](std::string_view text, std::int64_t &number) {
    return !text.empty() && text.size() <= 6 && (text.size() == 1 || text[0] != '0') &&
           std::from_chars(text.data(), text.data() + text.size(), number).ptr == text.data() + text.size();
  };
  if (digits(last) != at || first.compare(0, at, last, 0, at) != 0 || !read(std::string_view(first).substr(at), from) ||
      !read(std::string_view(last).substr(at), to) || from > to || to - from >= mostNames) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (std::int64_t number = from; number <= to; ++number) {
    names.push_back(first.substr(0, at) + std::to_string(number));
  }
  return names;
}

Value Evaluator::evaluateList(const Expression &expression, Scope &scope, Place &place) {
  Value value(Value::Kind::list);
  wanted = {}; // of the items nothing is known
  for (const Expression &child : expression.children) {
    if (child.kind == Expression::Kind::range && child.children[0].kind == Expression::Kind::name &&
        child.children[1].kind == Expression::Kind::name) {
      const auto names = namesFrom(child.children[0].text, child.children[1].text);
      if (!names) {
        reporter.report("bad-name-range", child.span, {{"first", child.children[0].text}, {"last", child.children[1].text}});
        return {};
      }
      for (const std::string &name : *names) {
        Expression one = child.children[0];
        one.text = name;
        one.span = child.span;
        value.items.push_back(evaluateName(one, scope));
        if (value.items.back().kind == Value::Kind::error) {
          return {};
        }
      }
      continue;
    }
    value.items.push_back(evaluate(child, scope, place));
    value.origin = stronger(value.origin, value.items.back().origin);
    if (value.items.back().kind == Value::Kind::error) {
      return {};
    }
  }
  return value;
}

Value Evaluator::evaluateRange(const Expression &expression, Scope &scope, Place &place) {
  Value value(Value::Kind::range);
  for (const Expression &child : expression.children) {
    value.items.push_back(evaluate(child, scope, place));
    const Value &end = value.items.back();
    if (end.kind == Value::Kind::error) {
      return {};
    }
    if (!end.isNumber()) {
      reporter.report("wrong-type", child.span, {{"name", ".."}, {"expected", "two numbers"}, {"found", describe(end)}});
      return {};
    }
  }
  return value;
}

Value Evaluator::evaluateNegation(const Expression &expression, Scope &scope, Place &place) {
  Value inner = evaluate(expression.children[0], scope, place);
  if (inner.kind == Value::Kind::integer) {
    inner.integer = inner.integer == unknownSize ? unknownSize : -inner.integer;
    return inner;
  }
  if (inner.kind == Value::Kind::floating) {
    inner.number = -inner.number;
    return inner;
  }
  if (inner.isModel()) {
    return arithmetic('*', integerValue(-1), std::move(inner), expression.span, place);
  }
  if (inner.kind != Value::Kind::error) {
    reporter.report("bad-operands", expression.span, {{"operator", "-"}, {"left", "nothing"}, {"right", describe(inner)}});
  }
  return {};
}

Value Evaluator::evaluateFlow(const Expression &expression, Scope &scope, Place &place) {
  Value flowing = evaluateAs({nullptr, Accepts::any}, expression.children[0], scope, place);
  Span span = expression.children[0].span;
  for (std::size_t i = 1; i < expression.children.size(); ++i) {
    const Expression &step = expression.children[i];
    if (step.kind == Expression::Kind::error) {
      flowing = {};
      continue;
    }
    flowing = calls->call(step, std::move(flowing), span, scope, place);
    span.end = step.span.end;
  }
  return flowing;
}

Value Evaluator::evaluateMember(const Expression &expression, Scope &scope, Place &place) {
  const Value base = evaluate(expression.children[0], scope, place);
  if (base.kind == Value::Kind::error || base.kind == Value::Kind::unknown) {
    return base;
  }
  const bool isLoss = expression.text == "loss";
  if (base.kind == Value::Kind::head && (isLoss || expression.text == "answer")) {
    Value value(Value::Kind::node);
    value.node = isLoss ? base.loss : base.node;
    value.type = isLoss ? ValueType::scalar() : base.type;
    if (value.node < 0) {
      reporter.report("answer-without-loss", expression.span, {{"name", std::string(expression.children[0].span.text())}});
      return {};
    }
    return value;
  }
  reporter.report("unknown-name", expression.nameSpan.file != nullptr ? expression.nameSpan : expression.span,
                  {{"name", excerpt(expression.span, 80)},
                   {"nearest", base.kind != Value::Kind::head ? ""
                               : base.loss < 0                ? nearest(expression.text, {"answer"})
                                                              : nearest(expression.text, {"loss", "answer"})}});
  return {};
}

Value Evaluator::evaluateSum(const Expression &expression, Scope &scope, Place &place) {
  Value left = evaluate(expression.children[0], scope, place);
  Span span = expression.children[0].span;
  for (std::size_t i = 1; i < expression.children.size(); ++i) {
    Value right = evaluate(expression.children[i], scope, place);
    span.end = expression.children[i].span.end;
    left = arithmetic(expression.text[i], std::move(left), std::move(right), span, place);
  }
  return left;
}

Value Evaluator::scalarArithmetic(char sign, const Value &left, const Value &right, const Span &span) {
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
        reporter.report("division-by-zero", span);
        return {};
      }
      if (left.integer % right.integer != 0) {
        reporter.report("inexact-division", span, {{"left", std::to_string(left.integer)}, {"right", std::to_string(right.integer)}});
        return {};
      }
      value.integer = left.integer / right.integer;
    }
    if (overflow || value.integer == unknownSize) {
      reporter.report("arithmetic-overflow", span);
      return {};
    }
    return value;
  }
  const double a = left.asDouble(), b = right.asDouble();
  if (sign == '/' && b == 0) {
    reporter.report("division-by-zero", span);
    return {};
  }
  value = floatingValue(sign == '+' ? a + b : sign == '-' ? a - b : sign == '*' ? a * b : a / b);
  value.origin = origin;
  if (std::isinf(value.number)) {
    reporter.report("arithmetic-overflow", span);
    return {};
  }
  return value;
}

Value Evaluator::arithmetic(char sign, Value left, Value right, const Span &span, Place &place) {
  if (left.kind == Value::Kind::error || right.kind == Value::Kind::error) {
    return {};
  }
  if (left.isNumber() && right.isNumber()) {
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
      reporter.report("instance-as-value", span, {{"name", value->instance->callable.name}});
      return {};
    }
  }
  const auto operand = [&](const Value &value) { return value.isModel() || value.isNumber(); };
  if (!(operand(left) && operand(right))) {
    reporter.report("bad-operands", span, {{"operator", std::string(1, sign)}, {"left", describe(left)}, {"right", describe(right)}});
    return {};
  }
  if (left.kind == Value::Kind::unknown || right.kind == Value::Kind::unknown) {
    return Value(Value::Kind::unknown);
  }
  return calls->combine(sign, left, right, span, place);
}

/// The name of what is to be fitted: a word, or `fit(WORD)`; nothing where the expression is of another form.
static std::optional<std::string> fittedWord(const Expression &expression) {
  if (expression.kind == Expression::Kind::name && expression.text != "true" && expression.text != "false") {
    return expression.text;
  }
  const bool fits = expression.kind == Expression::Kind::call && expression.children[0].kind == Expression::Kind::name &&
                    expression.children[0].text == "fit" && expression.arguments.size() == 1 && expression.arguments[0].name.empty() &&
                    expression.arguments[0].value.kind == Expression::Kind::name;
  return fits ? std::optional("fit(" + expression.arguments[0].value.text + ")") : std::nullopt;
}

std::optional<Attribute> Evaluator::parameter(const Expression &expression, const ParameterSpec &spec, Scope &scope, Place &place,
                                              Origin *origin) {
  if (expression.kind == Expression::Kind::error) {
    return std::nullopt;
  }
  if (const auto word = fittedWord(expression); !spec.fitted.empty() && word && scope.values.find(*word) == scope.values.end()) {
    if (std::find(spec.fitted.begin(), spec.fitted.end(), *word) != spec.fitted.end()) {
      return Attribute(*word);
    }
    reporter.report("not-a-member", expression.span,
                    {{"value", *word},
                     {"name", spec.name},
                     {"members", "a number or " + quotedList(spec.fitted)},
                     {"hint", hintForWord("member", *word, spec.fitted)}});
    return std::nullopt;
  }
  if (!spec.members.empty() && expression.kind == Expression::Kind::name) {
    if (std::find(spec.members.begin(), spec.members.end(), expression.text) != spec.members.end()) {
      return spec.type == Type::strings ? Attribute(std::vector<std::string>{expression.text}) : Attribute(expression.text);
    }
    if (scope.values.find(expression.text) == scope.values.end()) {
      reporter.report("not-a-member", expression.span,
                      {{"value", expression.text},
                       {"name", spec.name},
                       {"members", quotedList(spec.members)},
                       {"hint", hintForWord("member", expression.text, spec.members)}});
      return std::nullopt;
    }
  }
  if (spec.several && namesFiles(expression)) {
    return filesOf(*this, reporter, expression, spec, scope, place, origin);
  }
  Value value;
  if (isCallOf(expression, "search")) {
    value = search(expression, &spec, scope, place);
  } else {
    value = evaluateAs({&spec, std::nullopt}, expression, scope, place);
  }
  if (origin != nullptr) {
    *origin = stronger(*origin, value.origin);
  }
  return convertOrReport(value, spec, expression.span);
}

std::optional<Attribute> Evaluator::convertOrReport(const Value &value, const ParameterSpec &spec, const Span &span) {
  Mismatch mismatch;
  auto attribute = convert(value, spec, settings.folderOf(span), mismatch);
  if (!attribute && mismatch.id != nullptr) {
    reporter.report(mismatch.id, span, mismatch.arguments);
  }
  return attribute;
}

bool Evaluator::looksLikeModelValue(const Expression &expression, const Scope &scope) const {
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
    const Callable callable = scopes.find(expression.children[0].text, scope);
    return callable.kind != Callable::Kind::none && callable.kind != Callable::Kind::width && callable.kind != Callable::Kind::count;
  }
  case Expression::Kind::list: // of columns
    return !expression.children.empty() &&
           std::all_of(expression.children.begin(), expression.children.end(), [&](const Expression &child) {
             const Expression &first = child.kind == Expression::Kind::range ? child.children[0] : child;
             return first.kind == Expression::Kind::name && looksLikeModelValue(first, scope);
           });
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
