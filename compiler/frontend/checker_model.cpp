// The expansion of the model: calls become nodes of the graph, layers and heads of the language are inlined.
#include "compiler/frontend/checker.h"
#include "compiler/frontend/other_tools.h"

#include <algorithm>
#include <cmath>

namespace penstock::frontend {

using diagnostics::nearest;

namespace {

constexpr std::int64_t mostOperations = 100000;
constexpr std::size_t deepestLayers = 32;

} // namespace

std::int64_t Checker::classCount(const std::string &column) const {
  if (const Column *found = dataBlock.find(column); found != nullptr && found->declared) {
    return static_cast<std::int64_t>(found->classes.size());
  }
  if (facts != nullptr) {
    if (const auto classes = facts->classes.find(column); classes != facts->classes.end()) {
      return static_cast<std::int64_t>(classes->second.size());
    }
  }
  return unknownSize;
}

/// As scikit-learn's `balanced`: a class weighs records / (classes * its records), of train. A class without any has no records to
/// weigh.
void Checker::balanceClasses(Attributes &attributes, const std::string &column) const {
  const auto found = attributes.find("class_weights");
  if (found == attributes.end() || !std::holds_alternative<std::string>(found->second)) {
    return;
  }
  std::vector<double> weights;
  if (facts != nullptr) {
    if (const auto counts = facts->trainCounts.find(column); counts != facts->trainCounts.end()) {
      std::int64_t records = 0;
      for (const std::int64_t count : counts->second) {
        records += count;
      }
      for (const std::int64_t count : counts->second) {
        const double share = static_cast<double>(counts->second.size()) * static_cast<double>(count);
        weights.push_back(count > 0 ? static_cast<double>(records) / share : 0);
      }
    }
  }
  found->second = std::move(weights);
}

std::int64_t Checker::vocabularySize(const std::string &feature) const {
  if (facts != nullptr) {
    if (const auto found = facts->vocabularies.find(feature); found != facts->vocabularies.end() && found->second.size > 0) {
      return found->second.size;
    }
  }
  return unknownSize;
}

bool Checker::spend(const Span &span) {
  if (tooLarge) {
    return false;
  }
  if (++spent > mostOperations) {
    tooLarge = true;
    report("model-too-large", span, {{"limit", "100,000"}});
    return false;
  }
  return true;
}

int Checker::emit(GraphNode node) {
  graph.nodes.push_back(std::move(node));
  return static_cast<int>(graph.nodes.size()) - 1;
}

Value Checker::apply(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                     const Span &span) {
  if (!spend(span)) {
    return {};
  }
  switch (instance.callable.kind) {
  case Callable::Kind::builtin:
    if (isEncoder(instance.callable.name)) {
      return applyEncoder(instance, std::move(operands), spans, path, span);
    }
    if (instance.callable.name == "bert_pooler") {
      return applyPooler(instance, std::move(operands), spans, path, span);
    }
    return applyBuiltin(instance, std::move(operands), spans, path, span);
  case Callable::Kind::definition:
    return applyDefinition(instance, std::move(operands), spans, path, span);
  case Callable::Kind::head:
    return applyHead(instance, std::move(operands), spans, path, span);
  default:
    return {};
  }
}

Value Checker::applyBuiltin(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                            const Span &span) {
  const BuiltinOp &op = *instance.callable.op;
  GraphNode node;
  node.op = op.signature.name;
  node.attributes = instance.attributes;
  node.path = path;
  node.range = span.range();
  std::vector<ValueType> types;
  bool unknown = false, good = true;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Accepts accepts = op.signature.operands[std::min(i, op.signature.operands.size() - 1)].accepts;
    bool operandUnknown = false;
    const ValueType *beside = i > 0 && node.operands[0] >= 0 ? &types[0] : nullptr;
    const int operand =
        operandNode(operands[i], accepts, op.signature.name, spans[i].file != nullptr ? spans[i] : span, &operandUnknown, beside);
    good = good && (operand >= 0 || operandUnknown);
    unknown = unknown || operandUnknown;
    node.operands.push_back(operand);
    types.push_back(operand >= 0 ? graph.nodes[static_cast<std::size_t>(operand)].type : ValueType{});
  }
  Value value;
  if (!good) {
    return value;
  }
  if (unknown) {
    value.kind = Value::Kind::unknown;
    return value;
  }
  if (!operands.empty()) {
    balanceClasses(node.attributes, operands.back().text);
  }
  checkOperation(op, types, node.attributes, span);
  if (node.op == "concat" && types.size() > 1) {
    for (const ValueType &type : types) {
      if ((type.kind == ValueType::Kind::sequence) != (types[0].kind == ValueType::Kind::sequence) || type.axis != types[0].axis) {
        return value; // reported above
      }
    }
  }
  node.type = op.result(types, node.attributes);
  const bool sized = std::all_of(types.begin(), types.end(), [](const ValueType &type) { return type.width != unknownSize; }) &&
                     std::all_of(node.attributes.begin(), node.attributes.end(), [](const auto &attribute) {
                       const auto *integer = std::get_if<std::int64_t>(&attribute.second);
                       return integer == nullptr || *integer != unknownSize;
                     });
  if (op.weights != nullptr && sized) {
    node.weights = op.weights(types, node.attributes);
    // The product of a shape is a size of memory.
    for (const Weight &weight : node.weights) {
      double elements = 1;
      for (const std::int64_t size : weight.shape) {
        elements *= static_cast<double>(size);
      }
      if (elements > 4e9) {
        report("out-of-range", span,
               {{"name", op.signature.name},
                {"value", "a weight of " + formatNumber(elements) + " numbers"},
                {"rule", "small enough that a weight has at most 4,000,000,000 numbers"}});
        return value;
      }
    }
  }
  value.kind = Value::Kind::node;
  value.node = emit(std::move(node));
  return value;
}

Value Checker::applyHead(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                         const Span &span) {
  const PluginManifest &manifest = *instance.callable.manifest;
  if (manifest.kind == PluginKind::learner) {
    return applyLearner(instance, operands[0], spans[0].file != nullptr ? spans[0] : span, span);
  }
  const Signature signature = signatureOf(manifest);
  int nodes[2] = {-1, -1};
  bool unknown = false, good = true;
  for (std::size_t i = 0; i < 2 && i < operands.size(); ++i) {
    bool operandUnknown = false;
    const ValueType rows = i > 0 && nodes[0] >= 0 ? graph.nodes[static_cast<std::size_t>(nodes[0])].type : ValueType{};
    nodes[i] = operandNode(operands[i], signature.operands[i].accepts, manifest.name, spans[i].file != nullptr ? spans[i] : span,
                           &operandUnknown, i > 0 && nodes[0] >= 0 ? &rows : nullptr);
    good = good && (nodes[i] >= 0 || operandUnknown);
    unknown = unknown || operandUnknown;
  }
  Value value;
  if (!good) {
    return value;
  }
  if (unknown) {
    value.kind = Value::Kind::unknown;
    return value;
  }
  Attributes attributes = instance.attributes;
  balanceClasses(attributes, operands[1].text);
  for (const char *name : {"class_weights", "positive_weights"}) {
    const auto weights = attributes.find(name);
    const auto *list = weights == attributes.end() ? nullptr : std::get_if<std::vector<double>>(&weights->second);
    const ValueType &target = graph.nodes[static_cast<std::size_t>(nodes[1])].type;
    if (list != nullptr && !list->empty() && target.kind != ValueType::Kind::number && target.width != unknownSize &&
        static_cast<std::int64_t>(list->size()) != target.width) {
      report("class-weights-count", span, {{"given", std::to_string(list->size())}, {"classes", std::to_string(target.width)}});
    }
  }
  const ValueType target = graph.nodes[static_cast<std::size_t>(nodes[1])].type;
  GraphNode node;
  node.kind = GraphNode::Kind::head;
  node.op = manifest.name;
  node.operands = {nodes[0], nodes[1]};
  node.attributes = attributes;
  node.type = {ValueType::Kind::head, "", target.width};
  node.path = path;
  node.range = span.range();
  const int head = emit(node);
  GraphNode part;
  part.operands = {head};
  part.path = path;
  part.range = node.range;
  part.op = "answer_of";
  part.type = {ValueType::Kind::vector, "", target.kind == ValueType::Kind::number ? 1 : target.width};
  if (target.kind == ValueType::Kind::tags) {
    part.type = {ValueType::Kind::sequence, target.axis, target.width};
  }
  value.node = emit(part);
  part.op = "loss_of";
  part.type = {ValueType::Kind::scalar, "", 1};
  value.loss = emit(part);
  value.kind = Value::Kind::head;
  value.head = head;
  value.target = operands[1].text;
  value.decoder = manifest.name;
  value.decoderAttributes = std::move(attributes);
  return value;
}

Value Checker::applyLearner(const Instance &instance, const Value &operand, const Span &at, const Span &span) {
  const PluginManifest &manifest = *instance.callable.manifest;
  bool unknown = false;
  Value value;
  const int node = operandNode(operand, signatureOf(manifest).operands[0].accepts, manifest.name, at.file != nullptr ? at : span, &unknown);
  if (unknown) {
    value.kind = Value::Kind::unknown;
  } else if (node >= 0) {
    value.kind = Value::Kind::head;
    value.node = node;
    value.learner = true;
    value.decoder = manifest.name;
    value.decoderAttributes = instance.attributes;
  }
  return value;
}

Value Checker::applyDefinition(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans,
                               const std::string &path, const Span &span) {
  const Definition &definition = *instance.callable.definition;
  if (std::find(expanding.begin(), expanding.end(), &definition) != expanding.end()) {
    report("recursive-layer", span, {{"name", definition.name}}, {{definition.nameSpan.range(), "declared here"}});
    return {};
  }
  if (expanding.size() >= deepestLayers) {
    report("nesting-too-deep", span, {{"limit", std::to_string(deepestLayers)}});
    return {};
  }
  const Signature &signature = definitionSignature(definition);
  spent += static_cast<std::int64_t>(definition.parameters.size() / 16);
  Scope scope;
  scope.unit = instance.callable.unit;
  std::size_t operand = 0;
  std::string target;
  Accepts targetType = Accepts::classTarget;
  for (const Parameter &parameter : definition.parameters) {
    Value value;
    const auto isOperand = std::find_if(signature.operands.begin(), signature.operands.end(),
                                        [&](const OperandSpec &one) { return one.name == parameter.name; });
    if (isOperand != signature.operands.end()) {
      if (operand >= operands.size()) {
        return {};
      }
      value = operands[operand];
      const Span &at = spans[operand].file != nullptr ? spans[operand] : span;
      ++operand;
      if (isOperand->accepts == Accepts::classTarget || isOperand->accepts == Accepts::numberTarget ||
          isOperand->accepts == Accepts::setTarget || isOperand->accepts == Accepts::tagsTarget) {
        bool unknown = false;
        if (operandNode(value, isOperand->accepts, definition.name, at, &unknown) < 0 && !unknown) {
          return {};
        }
        target = value.kind == Value::Kind::column ? value.text : "";
        targetType = isOperand->accepts;
      } else if (value.kind == Value::Kind::draft && value.draft->tokenized) {
        value = featureOf(value, at);
      }
    } else {
      const auto attribute = instance.attributes.find(parameter.name);
      if (attribute == instance.attributes.end()) {
        continue;
      }
      if (const auto *flag = std::get_if<bool>(&attribute->second)) {
        value.kind = Value::Kind::boolean;
        value.flag = *flag;
      } else if (const auto *integer = std::get_if<std::int64_t>(&attribute->second)) {
        value.kind = Value::Kind::integer;
        value.integer = *integer;
      } else if (const auto *number = std::get_if<double>(&attribute->second)) {
        value.kind = Value::Kind::floating;
        value.number = *number;
      } else if (const auto *text = std::get_if<std::string>(&attribute->second)) {
        value.kind = Value::Kind::string;
        value.text = *text;
      }
    }
    declareValue(scope, parameter.name, parameter.nameSpan, std::move(value));
  }
  expanding.push_back(&definition);
  expanded.insert(&definition);
  for (const Entry &entry : definition.body.entries) {
    if (entry.kind == Entry::Kind::binding) {
      scope.bindings.insert(entry.name);
    }
  }
  Place place;
  place.path = path;
  place.reserved = &scope.bindings;
  Value result, answer, loss;
  bool hasResult = false, hasAnswer = false, hasLoss = false;
  const std::vector<Entry> &entries = definition.body.entries;
  for (std::size_t i = 0; i < entries.size() && !tooLarge; ++i) {
    const Entry &entry = entries[i];
    if (entry.kind == Entry::Kind::binding) {
      bindEntry(entry, scope, path.empty() ? entry.name : path + "." + entry.name);
    } else if (entry.kind == Entry::Kind::expression && !definition.isHead) {
      if (i + 1 < entries.size()) {
        report("shadowed-result", entry.span, {{"name", definition.name}});
      }
      result = evaluate(entry.value, scope, place);
      hasResult = true;
    } else if (entry.kind == Entry::Kind::setting && definition.isHead && (entry.name == "answer" || entry.name == "loss")) {
      bool &seen = entry.name == "answer" ? hasAnswer : hasLoss;
      if (seen) {
        report("duplicate-setting", entry.nameSpan, {{"name", entry.name}});
      }
      seen = true;
      Place inside;
      inside.path = path.empty() ? entry.name : path + "." + entry.name;
      (entry.name == "answer" ? answer : loss) = evaluate(entry.value, scope, inside);
    } else if (entry.kind == Entry::Kind::setting && definition.isHead) {
      report("unknown-setting", entry.nameSpan,
             {{"block", "head"},
              {"name", entry.name},
              {"settings", "`answer` or `loss`"},
              {"hint", hintForWord("head", entry.name, {"answer", "loss"})}});
    } else {
      report("misplaced-entry", entry.span,
             {{"entry", entry.kind == Entry::Kind::setting ? "a setting" : "this entry"},
              {"block", definition.isHead ? "a head" : "a layer"},
              {"rule",
               definition.isHead ? "a head has bindings, `answer:` and `loss:`" : "a layer has bindings and, at its end, an expression"}});
    }
  }
  expanding.pop_back();
  if (tooLarge) {
    return {};
  }
  if (!definition.isHead) {
    if (!hasResult) {
      report("layer-without-result", definition.nameSpan, {{"name", definition.name}});
    } else if (result.kind == Value::Kind::instance) {
      report("instance-as-value", entries.back().span, {{"name", definition.name}});
      return {};
    } else if (result.kind != Value::Kind::error && !result.isModel()) {
      report("type-mismatch", entries.back().span,
             {{"op", definition.name}, {"expected", "a value of the model as its result"}, {"found", describe(result)}});
      return {};
    }
    return result;
  }
  if (!hasAnswer) {
    report("head-without-answer", definition.nameSpan, {{"name", definition.name}});
    return {};
  }
  const auto answerEntry = std::find_if(entries.begin(), entries.end(), [](const Entry &entry) { return entry.name == "answer"; });
  Value value;
  bool unknown = false;
  if (answer.kind == Value::Kind::error || (hasLoss && loss.kind == Value::Kind::error)) {
    return value;
  }
  value.node = operandNode(answer, targetType == Accepts::tagsTarget ? Accepts::sequence : Accepts::vector, "answer",
                           answerEntry->value.span, &unknown);
  if (value.node < 0 && !unknown) {
    return {};
  }
  if (hasLoss && loss.kind != Value::Kind::unknown) {
    const auto lossEntry = std::find_if(entries.begin(), entries.end(), [](const Entry &entry) { return entry.name == "loss"; });
    const bool scalar =
        loss.kind == Value::Kind::node && graph.nodes[static_cast<std::size_t>(loss.node)].type.kind == ValueType::Kind::scalar;
    if (!scalar) {
      report("objective-not-scalar", lossEntry->value.span, {{"found", describe(loss)}});
      return {};
    }
    value.loss = loss.node;
  }
  if (unknown || loss.kind == Value::Kind::unknown) {
    value = {};
    value.kind = Value::Kind::unknown;
    return value;
  }
  value.kind = Value::Kind::head;
  value.target = target;
  value.decoder = targetType == Accepts::classTarget    ? "classify"
                  : targetType == Accepts::numberTarget ? "regress"
                  : targetType == Accepts::setTarget    ? "multi_label"
                                                        : "tag";
  return value;
}

Value Checker::applyRepeat(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const Span &span,
                           Place &place, Scope &scope) {
  Value flowing = std::move(operands[0]);
  Span at = spans[0];
  const Instance &inner = *instance.inner;
  // How often is known only with the facts: one repetition shows what is wrong with all, and its width where it stays that of the input.
  const bool open = instance.times == unknownSize;
  const Value before = open ? flowing : Value{};
  unknownTimes = unknownTimes || open;
  for (std::int64_t i = 0; i < (open ? 1 : instance.times); ++i) {
    if (flowing.kind == Value::Kind::error || tooLarge) {
      return {};
    }
    if (!spend(span)) {
      return {};
    }
    std::vector<Value> one;
    one.push_back(std::move(flowing));
    if (inner.callable.kind == Callable::Kind::repeat) {
      Place inside;
      inside.path = inner.path.empty() ? nextPath(place, "repeat") : inner.path;
      flowing = applyRepeat(inner, std::move(one), {at}, span, inside, scope);
    } else {
      const std::string path = inner.path.empty() ? nextPath(place, inner.callable.name) : inner.path;
      const Signature signature = inner.callable.kind == Callable::Kind::definition ? definitionSignature(*inner.callable.definition)
                                  : inner.callable.kind == Callable::Kind::builtin  ? inner.callable.op->signature
                                                                                    : signatureOf(*inner.callable.manifest);
      if (signature.operands.size() != 1) {
        report("bad-repeat", instance.span);
        return {};
      }
      if (inner.path.empty() && graph.nodes.size() < 10000) {
        for (const ParameterSpec &parameter : signature.parameters) {
          if (const auto value = inner.attributes.find(parameter.name); value != inner.attributes.end()) {
            resolve("model." + path + "." + parameter.name, formatAttribute(value->second, &parameter), Origin::file, inner.span);
          }
        }
      }
      flowing = apply(inner, std::move(one), {at}, path, span);
    }
    at = span;
  }
  if (open && flowing.kind == Value::Kind::node && flowing.node >= 0) {
    ValueType &type = graph.nodes[static_cast<std::size_t>(flowing.node)].type;
    const bool same =
        before.kind == Value::Kind::node && before.node >= 0 && graph.nodes[static_cast<std::size_t>(before.node)].type.width == type.width;
    type.width = same ? type.width : unknownSize;
  }
  return flowing;
}

Value Checker::applyL2(const Expression &call, Scope &scope, Place &place) {
  GraphNode node;
  node.op = "l2";
  std::string prefix;
  if (call.kind == Expression::Kind::call && !call.arguments.empty()) {
    if (call.arguments.size() > 1) {
      report("too-many-arguments", call.arguments[1].value.span, {{"callable", "l2"}});
      return {};
    }
    const Expression &argument = call.arguments[0].value;
    const bool known = argument.kind == Expression::Kind::name && &scope == &top && scope.bindings.count(argument.text) > 0;
    if (!known) {
      if (argument.kind == Expression::Kind::name && scope.values.count(argument.text) == 0 && scope.instances.count(argument.text) == 0) {
        reportUnknownName(argument, scope);
      } else if (argument.kind != Expression::Kind::error) {
        report("type-mismatch", argument.span,
               {{"op", "l2"},
                {"expected", "the name of a binding of `model`"},
                {"found", "`" + std::string(argument.span.text().substr(0, 60)) + "`"}});
      }
      return {};
    }
    prefix = argument.text;
    for (; weightedUpTo < graph.nodes.size(); ++weightedUpTo) {
      const GraphNode &one = graph.nodes[weightedUpTo];
      if (hasWeights(one) && one.op != "layer_norm") {
        weighted.insert(one.path.substr(0, one.path.find('.')));
      }
    }
    const bool found = weighted.count(prefix) > 0;
    if (!found && modelGood) {
      report("prefix-without-weights", argument.span, {{"name", prefix}});
      return {};
    }
  }
  if (!spend(call.span)) {
    return {};
  }
  node.attributes["prefix"] = prefix;
  node.type = {ValueType::Kind::scalar, "", 1};
  node.path = nextPath(place, "l2");
  node.range = call.span.range();
  Value value;
  value.kind = Value::Kind::node;
  value.node = emit(std::move(node));
  return value;
}

void Checker::bindEntry(const Entry &entry, Scope &scope, const std::string &path) {
  Place place;
  place.path = path;
  Value value = evaluate(entry.value, scope, place);
  if (value.kind == Value::Kind::instance) {
    if (value.instance->path.empty()) {
      value.instance->path = path;
    }
    const bool taken = findCallable(entry.name, scope).kind != Callable::Kind::none;
    const auto held = scope.values.find(entry.name);
    if (taken || held != scope.values.end()) {
      std::vector<diagnostics::Label> labels;
      if (const auto bound = scope.instances.find(entry.name); bound != scope.instances.end()) {
        labels.push_back({bound->second.second.range(), "declared here"});
      } else if (held != scope.values.end()) {
        labels.push_back({held->second.span.range(), "declared here"});
      }
      report("duplicate-name", entry.nameSpan, {{"name", entry.name}}, std::move(labels));
      return;
    }
    scope.instances.emplace(entry.name, std::make_pair(value.instance, entry.nameSpan));
    return;
  }
  if (value.kind == Value::Kind::draft && value.draft->tokenized) {
    value = featureOf(value, entry.value.span);
  }
  declareValue(scope, entry.name, entry.nameSpan, std::move(value));
}

void Checker::readModel() {
  const Block *block = blockOf("model");
  if (block == nullptr) {
    return;
  }
  const std::size_t before = diagnostics.errors();
  for (const Entry &entry : block->entries) {
    if (entry.kind == Entry::Kind::binding) {
      top.bindings.insert(entry.name);
    }
  }
  std::vector<std::string> order;
  for (const Entry &entry : block->entries) {
    if (entry.kind != Entry::Kind::binding) {
      report("misplaced-entry", entry.span,
             {{"entry", entry.kind == Entry::Kind::setting ? "a setting" : "this entry"},
              {"block", "`model`"},
              {"rule", "`model` has bindings"},
              {"hint", entry.kind == Entry::Kind::setting ? "write `" + entry.name + " = ...`" : "bind it to a name"}});
      continue;
    }
    bindEntry(entry, top, entry.name);
    order.push_back(entry.name);
  }
  bool poisoned = false;
  for (const std::string &name : order) {
    const auto found = top.values.find(name);
    if (found == top.values.end()) {
      continue;
    }
    const Value &value = found->second.value;
    poisoned = poisoned || value.kind == Value::Kind::error || value.kind == Value::Kind::unknown;
    if (value.kind == Value::Kind::head) {
      Answer answer;
      answer.name = name;
      answer.target = value.target;
      answer.head = value.head;
      answer.value = value.node;
      answer.loss = value.loss;
      answer.decoder = value.decoder;
      answer.decoderAttributes = value.decoderAttributes;
      answer.learner = value.learner;
      graph.answers.push_back(std::move(answer));
    }
  }
  if (graph.answers.empty() && !poisoned && diagnostics.errors() == before && !dataBlock.columns.empty()) {
    std::string example;
    for (const Column &column : dataBlock.columns) {
      const char *const head = column.type == "class"    ? "classify"
                               : column.type == "number" ? "regress"
                               : column.type == "set"    ? "multi_label"
                               : column.type == "tags"   ? "tag"
                                                         : nullptr;
      if (example.empty() && head != nullptr) {
        example = std::string(head) + "(" + column.name + ")";
      }
    }
    report("no-answer", block->keywordSpan, {{"example", example}});
  }
  for (const auto &[name, span] : inputUses) {
    if (const auto target = targetUses.find(name); target != targetUses.end()) {
      report("target-as-input", span, {{"name", name}}, {{target->second.range(), "the target of this head"}});
    }
  }
  modelGood = diagnostics.errors() == before && !poisoned;
}

void Checker::checkUnusedDefinitions() {
  // A layer that nothing uses is checked with inputs that may be anything.
  const ModelGraph savedGraph = graph;
  const auto savedInputs = inputs;
  const std::int64_t savedSpent = spent;
  const bool savedTooLarge = tooLarge;
  scratch = true;
  spent = 0;
  tooLarge = false;
  for (const auto &unit : program.units) {
    for (const Definition &definition : unit->ast.definitions) {
      if (expanded.count(&definition) > 0 || diagnostics.full()) {
        continue;
      }
      Instance instance;
      instance.callable.kind = Callable::Kind::definition;
      instance.callable.name = definition.name;
      instance.callable.definition = &definition;
      instance.callable.unit = unit.get();
      instance.span = definition.nameSpan;
      const Signature &signature = definitionSignature(definition);
      std::vector<Value> operands(signature.operands.size());
      std::vector<Span> spans(signature.operands.size());
      for (Value &operand : operands) {
        operand.kind = Value::Kind::unknown;
      }
      for (const ParameterSpec &parameter : signature.parameters) {
        using Type = PluginParameter::Type;
        instance.attributes[parameter.name] = parameter.type == Type::boolean  ? Attribute(false)
                                              : parameter.type == Type::number ? Attribute(std::nan(""))
                                              : parameter.type == Type::string ? Attribute(std::string())
                                                                               : Attribute(unknownSize);
      }
      apply(instance, std::move(operands), spans, "", definition.nameSpan);
    }
  }
  scratch = false;
  graph = savedGraph;
  inputs = savedInputs;
  spent = savedSpent;
  tooLarge = savedTooLarge;
}

} // namespace penstock::frontend
