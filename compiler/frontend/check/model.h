// The block `model`: what calls give. Layers and heads of the language are inlined, `repeat` is unrolled, heads of plugins
// become answers.
#pragma once

#include "compiler/frontend/check/encoder_builder.h"

#include <functional>

namespace penstock::frontend {

class Model : public Calls {
public:
  Model(const Program &program, Scopes &scopes, Settings &settings, Evaluator &evaluator, Records &records, GraphBuilder &builder,
        EncoderBuilder &encoders, Reporter &reporter);

  void read();
  /// Layers and heads that nothing uses, with inputs that may be anything.
  void checkUnusedDefinitions();
  /// Whether nothing is wrong with the model: what follows from it may be judged.
  bool good() const { return isGood; }
  /// Whether some `repeat` waits for facts: how many instances there are is not known.
  bool hasUnknownTimes() const { return unknownTimes; }

  Value call(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place) override;
  Value combine(char sign, const Value &left, const Value &right, const Span &span, Place &place) override;

private:
  /// What flows into an instance.
  struct Inputs {
    std::vector<Value> values;
    std::vector<Span> spans; // without a file: those of the call
    const Span &at(std::size_t i, const Span &call) const { return spans[i].file != nullptr ? spans[i] : call; }
  };
  class Body;

  // calls.cpp
  Value callInstance(const Callable &callable, const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope,
                     Place &place);
  Value callSignature(const Callable &callable, const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope,
                      Place &place);
  void resolveParameters(const Signature &signature, const Attributes &attributes, const std::string &path,
                         const Settings::Written &written);
  Value dimension(const Callable &callable, const Expression &call, Scope &scope, Place &place);
  Value makeRepeat(const Expression &call, std::optional<Value> flow, const Span &flowSpan, Scope &scope, Place &place);
  Value repeated(const Expression &what, Scope &scope, bool &reported);
  Value applyRepeat(const Instance &instance, Inputs inputs, const Span &span, Place &place, Scope &scope);
  Value repeatOnce(const Instance &instance, Inputs inputs, const Span &span, Place &place, Scope &scope);
  Value applyL2(const Expression &call, Scope &scope, Place &place);
  bool ownsWeights(const std::string &binding);

  // model.cpp
  Signature signatureOf(const Callable &callable);
  const Signature &definitionSignature(const Definition &definition);
  Value apply(const Instance &instance, Inputs inputs, const std::string &path, const Span &span);
  Value applyBuiltin(const Instance &instance, const Inputs &inputs, const std::string &path, const Span &span);
  Value applyDefinition(const Instance &instance, const Inputs &inputs, const std::string &path, const Span &span);
  void checkDecision(const PluginManifest &manifest, const Attributes &decision, const std::string &column, std::int64_t classes,
                     const Span &span);
  Value applyHead(const Instance &instance, Inputs inputs, const std::string &path, const Span &span);
  Value applyLearner(const Instance &instance, const Inputs &inputs, const Span &span);
  /// The nodes of the operands and their types. False where nothing can be made of them; `result` says why.
  bool operandNodes(const std::vector<OperandSpec> &operands, const std::string &op, const Inputs &inputs, const Span &span,
                    std::vector<int> &nodes, Value &result);
  void bindEntry(const Entry &entry, Scope &scope, const std::string &path);
  void addAnswer(const std::string &name, const Value &head);
  void reportNoAnswer(const Span &span);

  const Program &program;
  Scopes &scopes;
  Settings &settings;
  Evaluator &evaluator;
  Records &records;
  GraphBuilder &builder;
  EncoderBuilder &encoders;
  Reporter &reporter;
  bool isGood = false, unknownTimes = false;
  std::vector<const Definition *> expanding; // the one within the other
  std::set<const Definition *> expanded;
  std::map<const Definition *, Signature> signatures;
  std::set<std::string> weighted; // bindings with decaying weights,
  std::size_t weightedUpTo = 0;   // of so many nodes
};

} // namespace penstock::frontend
