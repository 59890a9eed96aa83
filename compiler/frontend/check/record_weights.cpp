#include "compiler/frontend/check/record_weights.h"

namespace penstock::frontend {

std::string readRecordWeights(const Setting &setting, GraphBuilder &builder, const Scopes &scopes, SettingValues &values,
                              const BlockSettings &given, Reporter &reporter) {
  ParameterSpec spec;
  spec.name = "weights";
  spec.type = PluginParameter::Type::string;
  spec.column = true;
  const auto value = values.simple(given, "train", spec);
  if (!value) {
    return "";
  }
  const auto &name = std::get<std::string>(*value);
  const Span &at = setting.value->span;
  const auto found = scopes.top.values.find(name);
  const Column *const column = found == scopes.top.values.end() ? nullptr : found->second.value.column.get();
  if (column == nullptr) {
    std::vector<std::string> columns;
    for (const auto &[other, declared] : scopes.top.values) {
      if (declared.value.kind == Value::Kind::column) {
        columns.push_back(other);
      }
    }
    reporter.report("unknown-name", at, {{"name", name}, {"nearest", diagnostics::nearest(name, columns)}});
    return "";
  }
  const auto wrong = [&](const std::string &detail, const std::string &hint) {
    reporter.report("bad-weights", at, {{"detail", detail}, {"hint", hint}});
    return std::string();
  };
  if (column->type.empty()) {
    return "";
  }
  if (column->type != "number") {
    return wrong("`" + name + "` is a " + column->type + " column", "declare it `number()`");
  }
  if (!column->missing.empty()) {
    return wrong("cells of `" + name + "` may be missing, and every record counts something", "leave `missing` out");
  }
  if (builder.targetUses().count(name) > 0) {
    return wrong("`" + name + "` is what the model predicts", "name another column");
  }
  for (const Answer &answer : builder.graph.answers) {
    if (answer.learner) {
      return wrong("`" + answer.decoder + "` of `" + answer.name + "` learns without a loss, and knows no weights", "leave `weights` out");
    }
  }
  const bool known = std::any_of(builder.graph.nodes.begin(), builder.graph.nodes.end(),
                                 [&](const GraphNode &node) { return node.kind == GraphNode::Kind::input && node.op == name; });
  if (!known) {
    GraphNode node;
    node.kind = GraphNode::Kind::input;
    node.op = node.path = name;
    node.column = column->type;
    node.type = ValueType::vector(1);
    node.range = at.range();
    builder.emit(std::move(node));
  }
  return name;
}

} // namespace penstock::frontend
