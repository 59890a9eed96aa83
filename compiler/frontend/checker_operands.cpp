// What flows into an operation or is predicted: values become nodes of the graph where the operation takes them.
#include "compiler/frontend/checker.h"

#include <string>

namespace penstock::frontend {

int Checker::inputNode(const std::string &name, bool target, const Span &span, const std::string &axis) {
  (target ? targetUses : inputUses).emplace(name, span);
  if (const auto known = inputs.find(name); known != inputs.end()) {
    return known->second;
  }
  GraphNode node;
  node.kind = GraphNode::Kind::input;
  node.op = name;
  node.path = name;
  node.range = span.range();
  if (const Column *column = dataBlock.find(name)) {
    node.type = column->type == "class"  ? ValueType{ValueType::Kind::classId, "", classCount(name)}
                : column->type == "set"  ? ValueType{ValueType::Kind::set, "", classCount(name)}
                : column->type == "tags" ? ValueType{ValueType::Kind::tags, axis, classCount(name)}
                                         : ValueType{ValueType::Kind::number, "", 1};
  } else {
    node.type = {ValueType::Kind::ids, name, vocabularySize(name)};
    if (const auto feature = featureByName.find(name); feature != featureByName.end()) {
      featureList[feature->second].used = true;
    }
  }
  const int index = emit(std::move(node));
  inputs[name] = index;
  return index;
}

bool Checker::isTarget(Accepts accepts) {
  return accepts == Accepts::classTarget || accepts == Accepts::numberTarget || accepts == Accepts::setTarget ||
         accepts == Accepts::tagsTarget || accepts == Accepts::labelTarget || accepts == Accepts::anyTarget;
}

bool Checker::fitsTarget(Accepts accepts, const std::string &type) {
  return accepts == Accepts::classTarget    ? type == "class"
         : accepts == Accepts::numberTarget ? type == "number"
         : accepts == Accepts::setTarget    ? type == "set"
         : accepts == Accepts::tagsTarget   ? type == "tags"
         : accepts == Accepts::labelTarget  ? type == "class" || type == "tags"
                                            : type == "class" || type == "number" || type == "set";
}

int Checker::targetNode(const Value &value, Accepts accepts, const std::string &op, const Span &span, bool *unknown,
                        const ValueType *beside) {
  const Column *column = value.kind == Value::Kind::column ? dataBlock.find(value.text) : nullptr;
  if (column == nullptr) {
    report("type-mismatch", span,
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
  const std::string &type = column->type;
  if (!fitsTarget(accepts, type)) {
    const char *expected = accepts == Accepts::numberTarget  ? "a number"
                           : accepts == Accepts::classTarget ? "a class"
                           : accepts == Accepts::setTarget   ? "a set"
                           : accepts == Accepts::tagsTarget  ? "tags"
                           : accepts == Accepts::labelTarget ? "a class or tags"
                                                             : "a class, a number or a set";
    // What predicts such a column, or which column this one predicts.
    const bool isLoss = findBuiltin(op) != nullptr;
    const std::string other = type == "class"    ? isLoss ? "cross_entropy" : "classify"
                              : type == "number" ? isLoss ? "mse" : "regress"
                              : type == "set"    ? isLoss ? "sigmoid_cross_entropy" : "multi_label"
                              : type == "tags"   ? isLoss ? "cross_entropy" : "tag"
                                                 : "";
    const std::string declared = accepts == Accepts::numberTarget ? "number"
                                 : accepts == Accepts::setTarget  ? "set"
                                 : accepts == Accepts::tagsTarget ? "tags"
                                                                  : "class";
    const std::string hint = (other.empty() ? "" : "write `" + other + "`, or ") + "declare `" + value.text + "` as `" + declared + "()`";
    report("wrong-target", span,
           {{"op", op}, {"expected", expected}, {"name", value.text}, {"found", "a " + type + " column"}, {"hint", hint}},
           {{column->span.range(), "declared here"}});
    return -1;
  }
  if (type != "tags") {
    if (accepts == Accepts::labelTarget && beside != nullptr && beside->kind == ValueType::Kind::sequence) {
      report("needs-pooling", span, {{"op", op}});
      return -1;
    }
    return inputNode(value.text, true, span);
  }
  if (beside == nullptr) {
    *unknown = true;
    return -1;
  }
  const auto feature = featureByName.find(beside->axis);
  const Column *words = feature == featureByName.end() ? nullptr : dataBlock.find(featureList[feature->second].draft.column);
  const auto known = inputs.find(value.text);
  std::string problem;
  if (beside->kind != ValueType::Kind::sequence) {
    problem = "what is tagged is " + describeType(*beside);
  } else if (words == nullptr || words->type != "words") {
    problem = "`" + beside->axis + "` is not made of words";
  } else if (known != inputs.end() && graph.nodes[static_cast<std::size_t>(known->second)].type.axis != beside->axis) {
    problem = "`" + graph.nodes[static_cast<std::size_t>(known->second)].type.axis + "` has these tags already, and `" + beside->axis +
              "` gets them too";
  }
  if (!problem.empty()) {
    report("tags-without-words", span, {{"op", op}, {"name", value.text}, {"problem", problem}}, {{column->span.range(), "declared here"}});
    return -1;
  }
  return inputNode(value.text, true, span, beside->axis);
}

int Checker::operandNode(const Value &given, Accepts accepts, const std::string &op, const Span &span, bool *unknown,
                         const ValueType *beside) {
  if (given.kind == Value::Kind::error) {
    return -1;
  }
  if (given.kind == Value::Kind::unknown) {
    *unknown = true;
    return -1;
  }
  Value value = given;
  const auto mismatch = [&](const std::string &rule = "each operation says what may flow into it", const std::string &hint = "") {
    report("type-mismatch", span,
           {{"op", op}, {"expected", describeAccepts(accepts)}, {"found", describe(value)}, {"rule", rule}, {"hint", hint}});
    return -1;
  };
  if (value.kind == Value::Kind::draft && value.draft->tokenized) {
    value = featureOf(value, span);
  }
  if (isTarget(accepts)) {
    return targetNode(value, accepts, op, span, unknown, beside);
  }
  if (value.kind == Value::Kind::column) {
    const Column *column = dataBlock.find(value.text);
    if (column == nullptr || column->type.empty()) {
      *unknown = true;
      return -1;
    }
    if (column->type == "text" || column->type == "words") {
      report("needs-tokenizer", span, {{"op", op}, {"name", value.text}});
      return -1;
    }
    if (column->type != "number" || accepts == Accepts::ids || accepts == Accepts::sequence) {
      return mismatch();
    }
    return inputNode(value.text, false, span);
  }
  if (value.kind == Value::Kind::draft) {
    report("needs-tokenizer", span, {{"op", op}, {"name", value.draft->column}});
    return -1;
  }
  if (value.kind == Value::Kind::feature) {
    if (accepts != Accepts::ids && accepts != Accepts::any) {
      return mismatch("ids are names of tokens, not numbers to compute with", "write `|> embedding(...)` or `|> counts` first");
    }
    return inputNode(value.text, false, span);
  }
  if (value.kind == Value::Kind::head) {
    return mismatch("the result of a head has an answer and a loss", "write `.answer` or `.loss`");
  }
  if (value.kind == Value::Kind::instance) {
    report("instance-as-value", span, {{"name", value.instance->callable.name}});
    return -1;
  }
  if (value.kind != Value::Kind::node) {
    return mismatch();
  }
  const ValueType &type = graph.nodes[static_cast<std::size_t>(value.node)].type;
  using Kind = ValueType::Kind;
  bool good = false;
  switch (accepts) {
  case Accepts::rows:
  case Accepts::variadic:
  case Accepts::logits:
    good = type.kind == Kind::sequence || type.kind == Kind::vector || type.kind == Kind::number;
    break;
  case Accepts::sequence:
    good = type.kind == Kind::sequence;
    break;
  case Accepts::vector:
    good = type.kind == Kind::vector || type.kind == Kind::number;
    if (type.kind == Kind::sequence) {
      report("needs-pooling", span, {{"op", op}});
      return -1;
    }
    break;
  case Accepts::ids:
    good = type.kind == Kind::ids;
    break;
  default:
    good = true;
  }
  return good ? value.node : mismatch();
}

} // namespace penstock::frontend
