#include "compiler/frontend/check/graph_builder.h"

#include "compiler/frontend/encoders.h"

namespace penstock::frontend {

namespace {

constexpr std::int64_t mostOperations = 100000;

} // namespace

namespace {

/// Those of the node, or, before the sizes are known, those that it will have, of any size.
std::vector<Weight> weightsOf(const GraphNode &node) {
  const BuiltinOp *op = node.kind == GraphNode::Kind::builtin && node.weights.empty() ? findBuiltin(node.op) : nullptr;
  if (op == nullptr || op->weights == nullptr) {
    return node.weights;
  }
  return op->weights(OperandTypes(node.operands.size(), ValueType::vector(1)), node.attributes);
}

} // namespace

std::string shapeText(const std::vector<std::int64_t> &shape) {
  std::string text;
  for (const std::int64_t size : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

bool hasWeights(const GraphNode &node) {
  return !node.weights.empty() || node.kind == GraphNode::Kind::head || isUnexpanded(node) || !weightsOf(node).empty();
}

bool hasDecayingWeights(const GraphNode &node) {
  const std::vector<Weight> weights = weightsOf(node);
  return node.kind == GraphNode::Kind::head || isUnexpanded(node) ||
         std::any_of(weights.begin(), weights.end(), [](const Weight &weight) { return weight.decays; });
}

bool isUnexpanded(const GraphNode &node) { return node.kind == GraphNode::Kind::builtin && isEncoder(node.op); }

GraphBuilder::GraphBuilder(const Scopes &names, Records &data, Reporter &reports) : scopes(names), records(data), reporter(reports) {}

GraphBuilder::Trial::Trial(GraphBuilder &owner) : builder(owner) { swap(); }
GraphBuilder::Trial::~Trial() { swap(); }
GraphBuilder::Undone::Undone(GraphBuilder &owner)
    : builder(owner), graph(owner.graph), inputs(owner.inputs), shared(owner.shared), predictedAt(owner.predictedAt), spent(owner.spent),
      full(owner.full) {}
GraphBuilder::Undone::~Undone() {
  builder.graph = std::move(graph);
  builder.inputs = std::move(inputs);
  builder.shared = std::move(shared);
  builder.predictedAt = std::move(predictedAt);
  builder.spent = spent;
  builder.full = full;
}
void GraphBuilder::Trial::swap() {
  std::swap(graph, builder.graph);
  std::swap(inputs, builder.inputs);
  std::swap(shared, builder.shared);
  std::swap(spent, builder.spent);
  std::swap(full, builder.full);
}

bool GraphBuilder::spend(const Span &span) {
  if (full) {
    return false;
  }
  if (++spent > mostOperations) {
    full = true;
    reporter.report("model-too-large", span, {{"limit", "100,000"}});
    return false;
  }
  return true;
}

int GraphBuilder::emit(GraphNode node) {
  graph.nodes.push_back(std::move(node));
  return static_cast<int>(graph.nodes.size()) - 1;
}

Value GraphBuilder::valueOf(int node) const {
  Value value(Value::Kind::node);
  value.node = node;
  value.type = typeOf(node);
  return value;
}

int GraphBuilder::input(const std::string &name, const Column *column, bool isTarget, const Span &span, const std::string &axis) {
  const auto [known, fresh] = inputs.try_emplace(name);
  Input &input = known->second;
  if (isTarget) {
    predictedAt.emplace(name, span);
  } else if (!input.readAt) {
    input.readAt = span;
  }
  if (!fresh) {
    return input.node;
  }
  GraphNode node;
  node.kind = GraphNode::Kind::input;
  node.op = name;
  node.path = name;
  node.range = span.range();
  const Feature *feature = column == nullptr ? records.findFeature(name) : nullptr;
  if (column != nullptr) {
    node.column = column->type;
    node.type = column->type == "class"  ? ValueType::index("", records.classCount(name))
                : column->type == "set"  ? ValueType::vector(records.classCount(name))
                : column->type == "tags" ? ValueType::index(axis, records.classCount(name))
                                         : ValueType::vector(1);
  } else {
    const FeatureDraft *draft = feature == nullptr ? nullptr : &feature->draft;
    node.type = draft != nullptr && draft->flow == Flow::number
                    ? draft->ofSeries ? ValueType::sequence(records.seriesAxis(), draft->width) : ValueType::vector(draft->width)
                : draft != nullptr && draft->flow == Flow::index ? ValueType::index("", draft->values)
                                                                 : ValueType::index(name, records.vocabularySize(name));
    records.use(name);
  }
  return input.node = emit(std::move(node));
}

std::optional<Span> GraphBuilder::readAt(const std::string &name) const {
  const auto found = inputs.find(name);
  return found == inputs.end() ? std::nullopt : found->second.readAt;
}

int GraphBuilder::target(const Value &value, Accepts accepts, const std::string &op, const Span &span, bool *unknown,
                         const ValueType *beside) {
  const Column *column = value.column.get();
  if (column == nullptr && (value.kind == Value::Kind::feature || value.kind == Value::Kind::draft)) {
    return targetFeature(value, accepts, op, span);
  }
  if (column == nullptr) {
    reporter.report("type-mismatch", span,
                    {{"op", op},
                     {"expected", describeAccepts(accepts)},
                     {"found", describe(value)},
                     {"rule", "a target is a column of the data"},
                     {"hint", "write the name of a column"}});
    return -1;
  }
  if (column->type.empty()) {
    *unknown = true;
    return -1;
  }
  if (!fitsTarget(accepts, column->type)) {
    reportWrongTarget(*column, accepts, op, span);
    return -1;
  }
  if (column->type == "tags") {
    return tags(*column, op, span, unknown, beside);
  }
  if (accepts == Accepts::labelTarget && beside != nullptr && beside->onAxis()) {
    reporter.report("needs-pooling", span, {{"op", op}});
    return -1;
  }
  if (column->holds == Flow::number && !column->missing.empty()) {
    reporter.report("missing-target", span, {{"name", column->name}}, {{column->span.range(), "declared here"}});
    return -1;
  }
  return input(column->name, column, true, span);
}

/// Operators on a target column: what is predicted is their result, what is answered is of the column.
int GraphBuilder::targetFeature(const Value &value, Accepts accepts, const std::string &op, const Span &span) {
  const FeatureDraft &draft = *value.draft;
  const bool isTime = draft.columns.front()->holds != Flow::number;
  if (!fitsTarget(accepts, "number") || draft.flow != Flow::number || draft.columns.size() != 1 || isTime || draft.ofSeries) {
    reporter.report("type-mismatch", span,
                    {{"op", op},
                     {"expected", describeAccepts(accepts)},
                     {"found", describe(value)},
                     {"rule", "a target is a column, or a number column with operators that have an inverse"}});
    return -1;
  }
  if (!records.checkFilled(draft, span)) {
    return -1;
  }
  for (const FeatureDraft::Step &step : draft.steps) {
    if (!step.row->inverts) {
      reporter.report("no-inverse", span, {{"op", step.name()}, {"name", draft.column()}});
      return -1;
    }
  }
  const int node = input(value.text, nullptr, true, span);
  predictedAt.emplace(draft.column(), span);
  return node;
}

/// The loss of targets of that type, "" for none.
static std::string lossOf(const std::string &type) {
  const auto loss = std::find_if(builtinOps().begin(), builtinOps().end(), [&](const BuiltinOp &op) {
    const std::vector<OperandSpec> &operands = op.signature.operands;
    return !operands.empty() && isTarget(operands.back().accepts) && fitsTarget(operands.back().accepts, type);
  });
  return loss == builtinOps().end() ? "" : loss->signature.name;
}

void GraphBuilder::reportWrongTarget(const Column &column, Accepts accepts, const std::string &op, const Span &span) {
  const std::string &type = column.type;
  const char *expected = accepts == Accepts::numberTarget  ? "a number"
                         : accepts == Accepts::classTarget ? "a class"
                         : accepts == Accepts::setTarget   ? "a set"
                         : accepts == Accepts::tagsTarget  ? "tags"
                         : accepts == Accepts::labelTarget ? "a class or tags"
                                                           : "a class, a number or a set";
  // What predicts such a column, or which column this one predicts.
  const std::string other = findBuiltin(op) != nullptr ? lossOf(type) : scopes.headOf(type);
  const std::string only = typeOfTarget(accepts), declared = only.empty() ? "class" : only;
  const std::string hint = (other.empty() ? "" : "write `" + other + "`, or ") + "declare `" + column.name + "` as `" + declared + "()`";
  reporter.report("wrong-target", span,
                  {{"op", op}, {"expected", expected}, {"name", column.name}, {"found", "a " + type + " column"}, {"hint", hint}},
                  {{column.span.range(), "declared here"}});
}

int GraphBuilder::tags(const Column &column, const std::string &op, const Span &span, bool *unknown, const ValueType *beside) {
  if (beside == nullptr) {
    *unknown = true;
    return -1;
  }
  const Feature *feature = records.findFeature(beside->axis());
  const auto known = inputs.find(column.name);
  std::string problem;
  if (!acceptsType(Accepts::sequence, *beside)) {
    problem = "what is tagged is " + describeType(*beside);
  } else if (feature == nullptr || records.typeOf(feature->draft.column()) != "words") {
    problem = "`" + beside->axis() + "` is not made of words";
  } else if (known != inputs.end() && !typeOf(known->second.node).sameRows(*beside)) {
    problem = "`" + typeOf(known->second.node).axis() + "` has these tags already, and `" + beside->axis() + "` gets them too";
  }
  if (!problem.empty()) {
    reporter.report("tags-without-words", span, {{"op", op}, {"name", column.name}, {"problem", problem}},
                    {{column.span.range(), "declared here"}});
    return -1;
  }
  return input(column.name, &column, true, span, beside->axis());
}

int GraphBuilder::operand(const Value &given, Accepts accepts, const std::string &op, const Span &span, bool *unknown,
                          const ValueType *beside) {
  if (given.kind == Value::Kind::error) {
    return -1;
  }
  if (given.kind == Value::Kind::unknown) {
    *unknown = true;
    return -1;
  }
  const Value numbers = given.kind == Value::Kind::list ? records.numbersOf(given) : Value(Value::Kind::error);
  const Value &whole = numbers.kind == Value::Kind::draft ? numbers : given;
  const bool isDraft = whole.kind == Value::Kind::draft && whole.draft->complete();
  const Value value = isDraft ? records.featureOf(whole, span) : whole;
  const auto mismatch = [&](const std::string &rule = "each operation says what may flow into it", const std::string &hint = "") {
    reporter.report("type-mismatch", span,
                    {{"op", op}, {"expected", describeAccepts(accepts)}, {"found", describe(value)}, {"rule", rule}, {"hint", hint}});
    return -1;
  };
  if (isTarget(accepts)) {
    return target(value, accepts, op, span, unknown, beside);
  }
  switch (value.kind) {
  case Value::Kind::column:
    if (value.column->type.empty()) {
      *unknown = true;
      return -1;
    }
    if (value.column->type == "text" || value.column->type == "words") {
      reporter.report("needs-tokenizer", span, {{"op", op}, {"name", value.text}});
      return -1;
    }
    if (value.column->type == "class" && accepts != Accepts::index) {
      return mismatch("a class is a name, not a number to compute with", "write `|> one_hot` or `|> embedding(...)` first");
    }
    if (value.column->type != (accepts == Accepts::index ? "class" : "number") || accepts == Accepts::ids || accepts == Accepts::sequence) {
      return mismatch();
    }
    if (value.column->holds == Flow::number && !value.column->missing.empty()) {
      reporter.report("missing-not-filled", span, {{"name", value.text}}, {{value.column->span.range(), "declared here"}});
      return -1;
    }
    return input(value.text, value.column.get(), false, span);
  case Value::Kind::draft:
    if (value.draft->flow == Flow::time) {
      return mismatch();
    }
    reporter.report("needs-tokenizer", span, {{"op", op}, {"name", value.draft->column()}});
    return -1;
  case Value::Kind::feature:
    if (value.draft->flow == Flow::number) {
      if (!records.checkFilled(*value.draft, span)) {
        return -1;
      }
      if (accepts == Accepts::ids || accepts == Accepts::index || (accepts == Accepts::sequence && !value.draft->ofSeries)) {
        return mismatch();
      }
      if (accepts == Accepts::vector && value.draft->ofSeries) {
        reporter.report("needs-pooling", span, {{"op", op}});
        return -1;
      }
      return input(value.text, nullptr, false, span);
    }
    if (value.draft->flow == Flow::index && accepts != Accepts::index) {
      return mismatch("a class is a name, not a number to compute with", "write `|> one_hot` or `|> embedding(...)` first");
    }
    if (accepts != Accepts::ids && accepts != Accepts::index && accepts != Accepts::any) {
      return mismatch("ids are names of tokens, not numbers to compute with", "write `|> embedding(...)` or `|> counts` first");
    }
    return input(value.text, nullptr, false, span);
  case Value::Kind::head:
    return mismatch("the result of a head has an answer and a loss", "write `.answer` or `.loss`");
  case Value::Kind::instance:
    reporter.report("instance-as-value", span, {{"name", value.instance->callable.name}});
    return -1;
  case Value::Kind::node:
    break;
  default:
    return mismatch();
  }
  const ValueType &type = typeOf(value.node);
  if (accepts == Accepts::vector && type.isRows() && type.onAxis()) {
    reporter.report("needs-pooling", span, {{"op", op}});
    return -1;
  }
  return acceptsType(accepts, type) ? value.node : mismatch();
}

int GraphBuilder::emitOperation(const char *name, std::vector<int> operands, Attributes attributes, const std::string &path,
                                const Span &span) {
  const BuiltinOp *op = findBuiltin(name);
  GraphNode node;
  node.op = name;
  node.path = path;
  node.range = span.range();
  node.attributes = std::move(attributes);
  std::vector<ValueType> types;
  for (const int operand : operands) {
    types.push_back(typeOf(operand));
  }
  node.operands = std::move(operands);
  if (op == nullptr) { // add, mul
    node.type = types[0];
  } else {
    for (const ParameterSpec &parameter : op->signature.parameters) {
      if (!parameter.required && !parameter.absent && node.attributes.count(parameter.name) == 0) {
        node.attributes[parameter.name] = defaultOf(parameter);
      }
    }
    node.type = op->result(types, node.attributes);
    if (op->weights != nullptr && std::all_of(types.begin(), types.end(), isSized)) {
      node.weights = op->weights(types, node.attributes);
    }
  }
  spend(span);
  return emit(std::move(node));
}

bool GraphBuilder::checkWeights(const GraphNode &node, const Span &span) {
  for (const Weight &weight : node.weights) {
    double elements = 1; // the product of a shape is a size of memory
    for (const std::int64_t size : weight.shape) {
      elements *= static_cast<double>(size);
    }
    if (elements > 4e9) {
      reporter.report("out-of-range", span,
                      {{"name", node.op},
                       {"value", "a weight of " + formatNumber(elements) + " numbers"},
                       {"rule", "small enough that a weight has at most 4,000,000,000 numbers"}});
      return false;
    }
    const std::string name = node.path + "." + weight.name;
    const auto [before, fresh] = shared.try_emplace(name, Shared{weight.shape, node.range});
    if (!fresh && before->second.shape != weight.shape) {
      reporter.report("instance-of-two-shapes", span,
                      {{"name", name}, {"shape", shapeText(weight.shape)}, {"before", shapeText(before->second.shape)}},
                      {{before->second.range, "the other call"}});
      return false;
    }
  }
  return true;
}

void GraphBuilder::checkPositions(std::int64_t places, const ValueType &rows, const Span &span) {
  const Feature *feature = records.findFeature(rows.axis());
  const bool ofSeries = feature == nullptr && rows.onAxis() && !rows.axes.back().extents.empty();
  if ((feature == nullptr && !ofSeries) || places == unknownSize) {
    return;
  }
  const std::int64_t limit = ofSeries ? records.series().length : feature->draft.steps.back().maxLength; // 0: none
  if (limit > 0 && limit <= places) {
    return;
  }
  const std::string what = ofSeries ? " rows" : " tokens", most = std::to_string(places);
  const Span at = ofSeries                                       ? records.seriesSpan()
                  : feature->draft.maxLengthSpan.file != nullptr ? feature->draft.maxLengthSpan
                                                                 : feature->nameSpan;
  reporter.report("positions-too-few", span,
                  {{"positions", most},
                   {"axis", ofSeries ? records.series().order : feature->name},
                   {"length", limit == 0 ? "any number of" + what : std::to_string(limit) + what},
                   {"setting", ofSeries ? "length" : "max_length"},
                   {"where", ofSeries ? "`series`" : "the tokenizer"}},
                  {{at.range(), ofSeries ? "the rows are put together here" : "the tokens are made here"}});
}

void GraphBuilder::checkClassCounts(const std::vector<ParameterSpec> &parameters, const Attributes &attributes, std::int64_t classes,
                                    const Span &span) {
  for (const ParameterSpec &parameter : parameters) {
    const auto given = attributes.find(parameter.name);
    const auto *list = !parameter.eachClass || given == attributes.end() ? nullptr : std::get_if<std::vector<double>>(&given->second);
    const bool forAll = list != nullptr && parameter.oneForAll && list->size() == 1;
    if (list != nullptr && !list->empty() && !forAll && classes != unknownSize && static_cast<std::int64_t>(list->size()) != classes) {
      reporter.report("class-weights-count", span,
                      {{"name", parameter.name}, {"given", std::to_string(list->size())}, {"classes", std::to_string(classes)}});
    }
  }
  const auto weights = attributes.find("class_weights");
  const auto *list = weights == attributes.end() ? nullptr : std::get_if<std::vector<double>>(&weights->second);
  if (list != nullptr && !list->empty() && std::all_of(list->begin(), list->end(), [](double weight) { return weight == 0; })) {
    reporter.report("class-weights-zero", span, {});
  }
}

bool GraphBuilder::checkOperation(const BuiltinOp &op, const OperandTypes &types, const Attributes &attributes, const Span &span) {
  for (const ParameterSpec &parameter : op.signature.parameters) {
    if (parameter.boundsRows) {
      checkPositions(std::get<std::int64_t>(attributes.at(parameter.name)), types[0], span);
    }
  }
  if (!types.empty()) {
    checkClassCounts(op.signature.parameters, attributes, sizeOf(types.back()), span);
  }
  auto problem = op.check == nullptr ? std::nullopt : op.check(types, attributes);
  if (!problem) {
    return true;
  }
  problem->arguments.emplace("op", op.signature.name);
  reporter.report(problem->id, span, problem->arguments);
  return problem->typed;
}

} // namespace penstock::frontend
