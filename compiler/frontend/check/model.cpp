#include "compiler/frontend/check/model.h"

#include "compiler/frontend/check/conversion.h"
#include "compiler/frontend/other_tools.h"

namespace penstock::frontend {

using diagnostics::nearest;
using Type = PluginParameter::Type;

namespace {

constexpr std::size_t deepestLayers = 32;

/// What stands for the value of a parameter that is not known: it fits wherever its type does.
Attribute unknownOf(Type type) {
  return type == Type::boolean  ? Attribute(false)
         : type == Type::number ? Attribute(std::nan(""))
         : type == Type::string ? Attribute(std::string())
                                : Attribute(unknownSize);
}

} // namespace

Model::Model(const Program &files, Scopes &names, Settings &set, Evaluator &evaluating, Records &data, GraphBuilder &building,
             EncoderBuilder &expanding, Reporter &reports)
    : program(files), scopes(names), settings(set), evaluator(evaluating), records(data), builder(building), encoders(expanding),
      reporter(reports) {}

// ---- signatures

Signature Model::signatureOf(const Callable &callable) {
  switch (callable.kind) {
  case Callable::Kind::builtin:
    return callable.op->signature;
  case Callable::Kind::definition:
    return definitionSignature(*callable.definition);
  case Callable::Kind::step:
    return frontend::signatureOf(*callable.row);
  default:
    return frontend::signatureOf(*callable.manifest);
  }
}

const Signature &Model::definitionSignature(const Definition &definition) {
  static const std::map<std::string, Type> types = {
      {"int", Type::integer}, {"float", Type::number}, {"bool", Type::boolean}, {"string", Type::string}};
  const auto [known, fresh] = signatures.try_emplace(&definition);
  Signature &signature = known->second;
  if (!fresh) {
    return signature;
  }
  signature.name = definition.name;
  for (const Parameter &parameter : definition.parameters) {
    const std::string name = parameter.type && parameter.type->kind == Expression::Kind::name ? parameter.type->text : "";
    const std::optional<Accepts> predicted = definition.isHead ? targetOfType(name) : std::nullopt;
    const auto type = types.find(name);
    if (predicted || type == types.end()) {
      if (parameter.type && !predicted && parameter.type->kind != Expression::Kind::error) {
        const Span &at = parameter.type->span;
        reporter.report(
            "unknown-type", at,
            {{"name", name.empty() ? excerpt(at, 40) : name},
             {"rule", "a parameter is `int`, `float`, `bool` or `string`, an input has no type, and the target of a head is `class`, "
                      "`number` or `tags`"},
             {"nearest", definition.isHead ? nearest(name, {"int", "float", "bool", "string", "class", "number", "set", "tags"})
                                           : nearest(name, {"int", "float", "bool", "string"})}});
      }
      // Of an unknown type: as good a guess as any other, what follows is judged all the same.
      signature.operands.push_back({parameter.name, predicted.value_or(Accepts::any)});
      continue;
    }
    ParameterSpec spec;
    spec.name = parameter.name;
    spec.type = type->second;
    spec.required = !parameter.defaultValue.has_value();
    if (!spec.required) {
      Scope empty;
      Place place;
      const std::size_t before = reporter.errors();
      const auto value = evaluator.parameter(*parameter.defaultValue, spec, empty, place, nullptr);
      spec.defaultValue = pluginValue(value && reporter.errors() == before ? *value : unknownOf(spec.type));
    }
    signature.parameters.push_back(std::move(spec));
  }
  return signature;
}

// ---- operations and heads of plugins

Value Model::apply(const Instance &instance, Inputs inputs, const std::string &path, const Span &span) {
  if (!builder.spend(span)) {
    return {};
  }
  switch (instance.callable.kind) {
  case Callable::Kind::builtin:
    if (isEncoder(instance.callable.name)) {
      return encoders.encoder(instance, inputs.values[0], inputs.at(0, span), path, span);
    }
    if (instance.callable.name == "bert_pooler") {
      return encoders.pooler(instance, inputs.values[0], inputs.at(0, span), path, span);
    }
    return applyBuiltin(instance, inputs, path, span);
  case Callable::Kind::definition:
    return applyDefinition(instance, inputs, path, span);
  case Callable::Kind::head:
    return rowOf(instance.callable.manifest->kind).afterTraining ? applyLearner(instance, inputs, span)
                                                                 : applyHead(instance, std::move(inputs), path, span);
  default:
    return {};
  }
}

bool Model::operandNodes(const std::vector<OperandSpec> &operands, const std::string &op, const Inputs &inputs, const Span &span,
                         std::vector<int> &nodes, Value &result) {
  bool unknown = false, good = true;
  for (std::size_t i = 0; i < inputs.values.size(); ++i) {
    const Accepts accepts = operands[std::min(i, operands.size() - 1)].accepts;
    bool operandUnknown = false;
    const ValueType beside = i > 0 && nodes[0] >= 0 ? builder.typeOf(nodes[0]) : ValueType{};
    nodes.push_back(
        builder.operand(inputs.values[i], accepts, op, inputs.at(i, span), &operandUnknown, i > 0 && nodes[0] >= 0 ? &beside : nullptr));
    good = good && (nodes.back() >= 0 || operandUnknown);
    unknown = unknown || operandUnknown;
  }
  result = good && unknown ? Value(Value::Kind::unknown) : Value{};
  return good && !unknown;
}

Value Model::applyBuiltin(const Instance &instance, const Inputs &inputs, const std::string &path, const Span &span) {
  const BuiltinOp &op = *instance.callable.op;
  GraphNode node;
  Value value;
  if (!operandNodes(op.signature.operands, op.signature.name, inputs, span, node.operands, value)) {
    return value;
  }
  node.op = op.signature.name;
  node.attributes = instance.attributes;
  node.path = path;
  node.range = span.range();
  std::vector<ValueType> types;
  for (const int operand : node.operands) {
    types.push_back(builder.typeOf(operand));
  }
  if (!inputs.values.empty()) {
    records.weighClasses(op.signature.parameters, node.attributes, inputs.values.back().text, span);
  }
  if (!builder.checkOperation(op, types, node.attributes, span)) {
    return {};
  }
  node.type = op.result(types, node.attributes);
  const bool sized = std::all_of(types.begin(), types.end(), isSized) &&
                     std::all_of(node.attributes.begin(), node.attributes.end(), [](const auto &attribute) {
                       const auto *integer = std::get_if<std::int64_t>(&attribute.second);
                       return integer == nullptr || *integer != unknownSize;
                     });
  if (op.weights != nullptr && sized) {
    node.weights = op.weights(types, node.attributes);
    if (!builder.checkWeights(node, span)) {
      return {};
    }
  }
  encoders.checkVectors(node.attributes, span);
  node.attributes.erase("file");       // the weight says where it lies, and no program depends on it
  if (op.signature.operands.empty()) { // an input of the batch that no column gives
    node.kind = GraphNode::Kind::input;
    node.column = node.op;
    node.op = path;
  }
  return builder.valueOf(builder.emit(std::move(node)));
}

/// What decides is no part of the program. What is at its default is left out, so that it is the same as not written.
static Attributes takeDecision(const PluginManifest &manifest, Attributes &attributes) {
  Attributes decision;
  for (const PluginParameter &parameter : manifest.parameters) {
    if (auto taken = parameter.decides ? attributes.extract(parameter.name) : Attributes::node_type();
        !taken.empty() && (parameter.optional || pluginValue(taken.mapped()) != parameter.defaultValue)) {
      decision.insert(std::move(taken));
    }
  }
  return decision;
}

void Model::checkDecision(const PluginManifest &manifest, const Attributes &decision, const std::string &column, std::int64_t classes,
                          const Span &span) {
  for (const auto &[name, value] : decision) {
    const std::int64_t wanted = manifest.find(name)->classes;
    if (wanted != 0 && classes != unknownSize && classes != wanted) {
      reporter.report("decision-of-classes", span,
                      {{"name", name},
                       {"head", manifest.name},
                       {"wanted", std::to_string(wanted)},
                       {"column", column},
                       {"classes", std::to_string(classes)}});
    }
    if (const auto *fit = std::get_if<std::string>(&value); fit != nullptr && !records.hasRecords("dev")) {
      reporter.report("fit-without-dev", span, {{"name", name}, {"fit", *fit}});
    }
  }
}

Value Model::applyHead(const Instance &instance, Inputs inputs, const std::string &path, const Span &span) {
  const PluginManifest &manifest = *instance.callable.manifest;
  GraphNode node;
  Value value;
  const Signature signature = frontend::signatureOf(manifest);
  if (!manifest.scale.empty() && inputs.values.size() == 2) {
    inputs.values[1] = records.scaledTarget(inputs.values[1], *findFeatureOperator(manifest.scale), inputs.at(1, span));
  }
  if (!operandNodes(signature.operands, manifest.name, inputs, span, node.operands, value)) {
    return value;
  }
  const GraphNode &predicted = builder.graph.nodes[static_cast<std::size_t>(node.operands[1])];
  const std::string feature = predicted.column.empty() ? predicted.op : "";
  const std::string column = feature.empty() ? predicted.op : records.findFeature(feature)->draft.column();
  const ValueType target = predicted.type;
  const bool isNumber = predicted.column == "number" || !feature.empty();
  Attributes attributes = instance.attributes;
  records.weighClasses(signature.parameters, attributes, column, span);
  if (!isNumber) {
    builder.checkClassCounts(signature.parameters, attributes, sizeOf(target), span);
  }
  Attributes decision = takeDecision(manifest, attributes);
  checkDecision(manifest, decision, column, sizeOf(target), span);
  node.kind = GraphNode::Kind::head;
  node.op = manifest.name;
  node.attributes = attributes;
  node.type = ValueType::head(sizeOf(target));
  node.path = path;
  node.range = span.range();
  GraphNode part;
  part.path = path;
  part.range = node.range;
  value.kind = Value::Kind::head;
  value.head = builder.emit(std::move(node));
  part.operands = {value.head};
  part.op = "answer_of";
  part.type = target.withWidth(sizeOf(target));
  value.type = part.type;
  value.node = builder.emit(part);
  part.op = "loss_of";
  part.type = ValueType::scalar();
  value.loss = builder.emit(part);
  value.predicted = std::make_shared<Predicted>(column, feature, manifest.name, std::move(attributes), std::move(decision));
  return value;
}

Value Model::applyLearner(const Instance &instance, const Inputs &inputs, const Span &span) {
  const PluginManifest &manifest = *instance.callable.manifest;
  std::vector<int> nodes;
  Value value;
  if (!operandNodes(frontend::signatureOf(manifest).operands, manifest.name, inputs, span, nodes, value)) {
    return value;
  }
  value = builder.valueOf(nodes[0]);
  value.kind = Value::Kind::head;
  const std::string column = nodes.size() > 1 ? inputs.values[1].text : "";
  if (nodes.size() > 1 && inputs.values[1].kind != Value::Kind::column) { // a learner is shown the column itself
    reporter.report("type-mismatch", inputs.at(1, span),
                    {{"op", manifest.name}, {"expected", "a column"}, {"found", describe(inputs.values[1])}});
    return {};
  }
  value.predicted = std::make_shared<Predicted>(column, "", manifest.name, instance.attributes, Attributes(), true);
  return value;
}

// ---- layers and heads of the language

/// One use of a layer or head: its body, with a scope of its own.
class Model::Body {
public:
  Body(Model &owner, const Instance &used, const std::string &where, const Span &call)
      : model(owner), reporter(owner.reporter), instance(used), definition(*used.callable.definition), path(where), span(call) {
    scope.unit = instance.callable.unit;
  }

  Value run(const Inputs &inputs) {
    if (!declareParameters(inputs)) {
      return {};
    }
    model.expanding.push_back(&definition);
    model.expanded.insert(&definition);
    readEntries();
    model.expanding.pop_back();
    if (model.builder.tooLarge()) {
      return {};
    }
    return definition.isHead ? headValue() : layerValue();
  }

private:
  bool declareParameters(const Inputs &inputs) {
    const Signature &signature = model.definitionSignature(definition);
    std::size_t next = 0; // operand
    for (const Parameter &parameter : definition.parameters) {
      const bool isOperand = next < signature.operands.size() && signature.operands[next].name == parameter.name;
      Value value;
      if (isOperand) {
        if (next >= inputs.values.size() ||
            !readOperand(inputs.values[next], signature.operands[next].accepts, inputs.at(next, span), value)) {
          return false;
        }
        ++next;
      } else {
        const auto attribute = instance.attributes.find(parameter.name);
        if (attribute == instance.attributes.end()) {
          continue;
        }
        value = valueOf(attribute->second);
      }
      model.scopes.declare(scope, parameter.name, parameter.nameSpan, std::move(value));
    }
    return true;
  }

  bool readOperand(const Value &given, Accepts accepts, const Span &at, Value &value) {
    const bool isDraft = given.kind == Value::Kind::draft && given.draft->complete();
    value = isDraft ? model.records.featureOf(given, at) : given;
    if (isTarget(accepts)) {
      bool unknown = false;
      if (model.builder.operand(value, accepts, definition.name, at, &unknown) < 0 && !unknown) {
        return false;
      }
      const bool made = value.kind == Value::Kind::feature;
      target = value.kind == Value::Kind::column ? value.text : made ? value.draft->column() : "";
      targetFeature = made ? value.text : "";
      targetType = typeOfTarget(accepts);
    }
    return true;
  }

  void readEntries() {
    const std::vector<Entry> &entries = definition.body.entries;
    for (const Entry &entry : entries) {
      if (entry.kind == Entry::Kind::binding) {
        scope.bindings.insert(entry.name);
      }
    }
    Place place;
    place.path = path;
    place.reserved = &scope.bindings;
    for (std::size_t i = 0; i < entries.size() && !model.builder.tooLarge(); ++i) {
      const Entry &entry = entries[i];
      if (entry.kind == Entry::Kind::binding) {
        model.bindEntry(entry, scope, within(entry.name));
      } else if (entry.kind == Entry::Kind::expression && !definition.isHead) {
        if (i + 1 < entries.size()) {
          reporter.report("shadowed-result", entry.span, {{"name", definition.name}});
        }
        result = model.evaluator.evaluate(entry.value, scope, place);
        resultEntry = &entry;
      } else if (entry.kind == Entry::Kind::setting && definition.isHead) {
        readPart(entry);
      } else {
        reporter.report("misplaced-entry", entry.span,
                        {{"entry", entry.kind == Entry::Kind::setting ? "a setting" : "this entry"},
                         {"block", definition.isHead ? "a head" : "a layer"},
                         {"rule", definition.isHead ? "a head has bindings, `answer:` and `loss:`"
                                                    : "a layer has bindings and, at its end, an expression"}});
      }
    }
  }

  /// `answer:` or `loss:` of a head.
  void readPart(const Entry &entry) {
    if (entry.name != "answer" && entry.name != "loss") {
      reporter.report("unknown-setting", entry.nameSpan,
                      {{"block", "head"},
                       {"name", entry.name},
                       {"settings", "`answer` or `loss`"},
                       {"hint", hintForWord("head", entry.name, {"answer", "loss"})}});
      return;
    }
    const bool isAnswer = entry.name == "answer";
    const Entry *&seen = isAnswer ? answerEntry : lossEntry;
    if (seen != nullptr) {
      reporter.report("duplicate-setting", entry.nameSpan, {{"name", entry.name}});
    } else {
      seen = &entry;
    }
    Place inside;
    inside.path = within(entry.name);
    (isAnswer ? answer : loss) = model.evaluator.evaluate(entry.value, scope, inside);
  }

  Value layerValue() {
    if (resultEntry == nullptr) {
      reporter.report("layer-without-result", definition.nameSpan, {{"name", definition.name}});
    } else if (result.kind == Value::Kind::instance) {
      reporter.report("instance-as-value", definition.body.entries.back().span, {{"name", definition.name}});
      return {};
    } else if (result.kind != Value::Kind::error && !result.isModel()) {
      reporter.report("type-mismatch", definition.body.entries.back().span,
                      {{"op", definition.name}, {"expected", "a value of the model as its result"}, {"found", describe(result)}});
      return {};
    }
    return result;
  }

  Value headValue() {
    if (answerEntry == nullptr) {
      reporter.report("head-without-answer", definition.nameSpan, {{"name", definition.name}});
      return {};
    }
    if (answer.kind == Value::Kind::error || (lossEntry != nullptr && loss.kind == Value::Kind::error)) {
      return {};
    }
    bool unknown = false;
    const int node = model.builder.operand(answer, targetType == "tags" ? Accepts::sequence : Accepts::vector, "answer",
                                           answerEntry->value.span, &unknown);
    if (node < 0 && !unknown) {
      return {};
    }
    const bool lossUnknown = loss.kind == Value::Kind::unknown;
    if (lossEntry != nullptr && !lossUnknown && !loss.isScalarNode()) {
      reporter.report("objective-not-scalar", lossEntry->value.span, {{"found", describe(loss)}});
      return {};
    }
    if (unknown || lossUnknown) {
      return Value(Value::Kind::unknown);
    }
    Value value = model.builder.valueOf(node);
    value.kind = Value::Kind::head;
    value.loss = loss.node;
    value.predicted = std::make_shared<Predicted>(target, targetFeature, model.scopes.headOf(targetType));
    return value;
  }

  std::string within(const std::string &name) const { return path.empty() ? name : path + "." + name; }

  Model &model;
  Reporter &reporter;
  const Instance &instance;
  const Definition &definition;
  const std::string &path;
  const Span span;
  Scope scope;
  std::string target, targetFeature;
  std::string targetType = "class";
  Value result, answer, loss;
  const Entry *resultEntry = nullptr, *answerEntry = nullptr, *lossEntry = nullptr;
};

Value Model::applyDefinition(const Instance &instance, const Inputs &inputs, const std::string &path, const Span &span) {
  const Definition &definition = *instance.callable.definition;
  if (std::find(expanding.begin(), expanding.end(), &definition) != expanding.end()) {
    reporter.report("recursive-layer", span, {{"name", definition.name}}, {{definition.nameSpan.range(), "declared here"}});
    return {};
  }
  if (expanding.size() >= deepestLayers) {
    reporter.report("nesting-too-deep", span, {{"limit", std::to_string(deepestLayers)}});
    return {};
  }
  builder.charge(definition.parameters.size() / 16);
  return Body(*this, instance, path, span).run(inputs);
}

void Model::checkUnusedDefinitions() {
  const GraphBuilder::Trial trial(builder);
  const bool forgot = settings.forgetResolved(true);
  const bool known = unknownTimes; // of the model, whatever a layer that is tried repeats
  for (const auto &unit : program.units) {
    for (const Definition &definition : unit->ast.definitions) {
      if (expanded.count(&definition) > 0 || reporter.full()) {
        continue;
      }
      Instance instance;
      instance.callable.kind = Callable::Kind::definition;
      instance.callable.name = definition.name;
      instance.callable.definition = &definition;
      instance.callable.unit = unit.get();
      instance.span = definition.nameSpan;
      const Signature &signature = definitionSignature(definition);
      for (const ParameterSpec &parameter : signature.parameters) {
        instance.attributes[parameter.name] = unknownOf(parameter.type);
      }
      const std::size_t count = signature.operands.size();
      apply(instance, {std::vector<Value>(count, Value(Value::Kind::unknown)), std::vector<Span>(count)}, "", definition.nameSpan);
    }
  }
  unknownTimes = known;
  settings.forgetResolved(forgot);
}

// ---- the block

void Model::bindEntry(const Entry &entry, Scope &scope, const std::string &path) {
  Place place;
  place.path = path;
  Value value = evaluator.evaluate(entry.value, scope, place);
  if (value.kind == Value::Kind::instance) {
    if (value.instance->path.empty()) {
      value.instance->path = path;
    }
    const bool taken = scopes.find(entry.name, scope).kind != Callable::Kind::none;
    const auto held = scope.values.find(entry.name);
    if (taken || held != scope.values.end()) {
      std::vector<diagnostics::Label> labels;
      if (const auto bound = scope.instances.find(entry.name); bound != scope.instances.end()) {
        labels.push_back({bound->second.second.range(), "declared here"});
      } else if (held != scope.values.end()) {
        labels.push_back({held->second.span.range(), "declared here"});
      }
      reporter.report("duplicate-name", entry.nameSpan, {{"name", entry.name}}, std::move(labels));
      return;
    }
    scope.instances.emplace(entry.name, std::make_pair(value.instance, entry.nameSpan));
    return;
  }
  if (value.kind == Value::Kind::draft && value.draft->complete()) {
    value = records.featureOf(value, entry.value.span);
  }
  scopes.declare(scope, entry.name, entry.nameSpan, std::move(value));
}

void Model::addAnswer(const std::string &name, const Value &head) {
  Answer answer;
  answer.name = name;
  const Predicted &predicted = *head.predicted;
  answer.target = predicted.target;
  answer.feature = predicted.feature;
  answer.head = head.head;
  answer.value = head.node;
  answer.loss = head.loss;
  answer.decoder = predicted.decoder;
  answer.parameters = predicted.parameters;
  answer.decision = predicted.decision;
  answer.learner = predicted.learner;
  builder.graph.answers.push_back(std::move(answer));
}

void Model::reportNoAnswer(const Span &span) {
  std::string example;
  for (const auto &column : records.data().columns) {
    const std::string head = scopes.headOf(column->type);
    if (example.empty() && !head.empty()) {
      example = head + "(" + column->name + ")";
    }
  }
  reporter.report("no-answer", span, {{"example", example}});
}

void Model::read() {
  const Block *block = program.block("model");
  if (block == nullptr) {
    return;
  }
  const std::size_t before = reporter.errors();
  for (const Entry &entry : block->entries) {
    if (entry.kind == Entry::Kind::binding) {
      scopes.top.bindings.insert(entry.name);
    }
  }
  std::vector<std::string> order;
  for (const Entry &entry : block->entries) {
    if (entry.kind != Entry::Kind::binding) {
      reporter.report("misplaced-entry", entry.span,
                      {{"entry", entry.kind == Entry::Kind::setting ? "a setting" : "this entry"},
                       {"block", "`model`"},
                       {"rule", "`model` has bindings"},
                       {"hint", entry.kind == Entry::Kind::setting ? "write `" + entry.name + " = ...`" : "bind it to a name"}});
      continue;
    }
    bindEntry(entry, scopes.top, entry.name);
    order.push_back(entry.name);
  }
  bool poisoned = false;
  for (const std::string &name : order) {
    const auto found = scopes.top.values.find(name);
    if (found == scopes.top.values.end()) {
      continue;
    }
    const Value &value = found->second.value;
    poisoned = poisoned || value.kind == Value::Kind::error || value.kind == Value::Kind::unknown;
    if (value.kind == Value::Kind::head) {
      addAnswer(name, value);
    }
  }
  if (builder.graph.answers.empty() && !poisoned && reporter.errors() == before && !records.data().columns.empty()) {
    reportNoAnswer(block->keywordSpan);
  }
  for (const auto &[name, target] : builder.targetUses()) {
    if (const auto read = builder.readAt(name)) {
      reporter.report("target-as-input", *read, {{"name", name}}, {{target.range(), "the target of this head"}});
    }
  }
  for (const Feature &feature : records.features()) {
    const auto read = builder.readAt(feature.name);
    for (const auto &column : feature.draft.columns) {
      const auto target = builder.targetUses().find(column->name);
      if (read && target != builder.targetUses().end()) {
        reporter.report("target-as-input", *read, {{"name", column->name}}, {{target->second.range(), "the target of this head"}});
      }
    }
  }
  isGood = reporter.errors() == before && !poisoned;
}

} // namespace penstock::frontend
