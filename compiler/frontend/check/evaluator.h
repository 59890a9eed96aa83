// Expressions to values: names, literals, arithmetic, the arguments of calls. What a call gives it asks of `Calls`.
#pragma once

#include "compiler/frontend/check/scope.h"
#include "compiler/frontend/check/settings.h"

#include <functional>
#include <optional>

namespace penstock::frontend {

/// What an expression can ask of the model. The evaluator knows no more of it.
class Calls {
public:
  virtual ~Calls() = default;
  /// `flow` is what flows into the call, or nothing; `call` is a call or the name of what is called.
  virtual Value call(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place) = 0;
  /// `left + right` and the like, where one side is a value of the model.
  virtual Value combine(char sign, const Value &left, const Value &right, const Span &span, Place &place) = 0;
};

/// The names from `first` to `last`, which differ in the whole number at their end: `s_1` to `s_3`. None where they do not.
std::optional<std::vector<std::string>> namesFrom(const std::string &first, const std::string &last);

/// A call whose arguments have met the operands and parameters of its signature.
struct BoundCall {
  bool good = true;
  std::vector<Value> operands; // missing at the end: not given
  std::vector<Span> operandSpans;
  Attributes attributes;
  std::map<std::string, Origin> origins; // of those that are given: others are at their defaults
  std::map<std::string, Span> spans;

  std::pair<Origin, Span> written(const std::string &parameter) const {
    const auto origin = origins.find(parameter);
    const auto span = spans.find(parameter);
    return {origin == origins.end() ? Origin::standard : origin->second, span == spans.end() ? Span{} : span->second};
  }
};

class Evaluator {
public:
  Evaluator(const Scopes &scopes, Settings &settings, Reporter &reporter);
  /// Before the first call is evaluated.
  void answerCalls(Calls &answering) { calls = &answering; }

  Value evaluate(const Expression &expression, Scope &scope, Place &place);
  /// `*origin`, where given, becomes that of the value where it is stronger.
  std::optional<Attribute> parameter(const Expression &expression, const ParameterSpec &spec, Scope &scope, Place &place, Origin *origin);
  /// `search(...)`; `spec`: of the parameter that it is given for, nullptr for none.
  Value search(const Expression &expression, const ParameterSpec *spec, Scope &scope, Place &place);

  /// The key of a call, whose arguments `--set` may give. It is asked for when the arguments have been read; `hasInput`: the call has its
  /// first input, or needs none. "" for a call that has none.
  using KeyOf = std::function<std::string(bool hasInput)>;
  BoundCall bind(const Signature &signature, const Span &span, const std::vector<Argument> &arguments, std::optional<Value> flow,
                 const Span &flowSpan, Scope &scope, Place &place, const KeyOf &keyOf);
  BoundCall bind(const Signature &signature, const Span &span, const std::vector<Argument> &arguments, std::optional<Value> flow,
                 const Span &flowSpan, Scope &scope, Place &place, const std::string &key) {
    return bind(signature, span, arguments, std::move(flow), flowSpan, scope, place, KeyOf([&](bool) { return key; }));
  }
  /// What `--set` gives the parameters of a call with that key takes the place of what the call has.
  void override(const Signature &signature, const std::string &key, Scope &scope, Place &place, BoundCall &bound);
  /// Whether an argument without a name is an input, not a parameter.
  bool looksLikeModelValue(const Expression &expression, const Scope &scope) const;
  void reportMissingInput(const Signature &signature, std::size_t index, const Span &span);
  void reportUnknownName(const Expression &expression, const Scope &scope);

private:
  class Binding;
  class Search;
  struct Wanted { // where a name is looked for
    const ParameterSpec *parameter = nullptr;
    std::optional<Accepts> operand;
  };

  Value evaluateAs(Wanted what, const Expression &expression, Scope &scope, Place &place);
  Value evaluateName(const Expression &expression, Scope &scope);
  Value evaluateList(const Expression &expression, Scope &scope, Place &place);
  Value evaluateRange(const Expression &expression, Scope &scope, Place &place);
  Value evaluateSum(const Expression &expression, Scope &scope, Place &place);
  Value evaluateNegation(const Expression &expression, Scope &scope, Place &place);
  Value evaluateFlow(const Expression &expression, Scope &scope, Place &place);
  Value evaluateMember(const Expression &expression, Scope &scope, Place &place);
  Value arithmetic(char sign, Value left, Value right, const Span &span, Place &place);
  Value scalarArithmetic(char sign, const Value &left, const Value &right, const Span &span);
  std::optional<Attribute> convertOrReport(const Value &value, const ParameterSpec &spec, const Span &span);
  /// Whether a value could stand where one is looked for: what a hint suggests must be accepted there.
  bool isWanted(const Value &value) const;
  std::vector<std::string> valueNames(const Scope &scope) const;
  /// An input was meant: whatever stands there is not one, and evaluating it says why.
  void reportNoInput(const Signature &signature, std::size_t index, const Expression &given, Scope &scope, Place &place);

  const Scopes &scopes;
  Settings &settings;
  Reporter &reporter;
  Calls *calls = nullptr;
  Wanted wanted;
  int depth = 0;
};

} // namespace penstock::frontend
