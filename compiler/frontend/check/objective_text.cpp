#include "compiler/frontend/check/objective_text.h"

#include <cmath>

namespace penstock::frontend {

namespace {

constexpr int deepestPrinted = 100;

/// How tightly an operation of the language binds; 0 for one that is written as a call.
int precedenceOf(const std::string &op) { return op == "add" || op == "sub" ? 1 : op == "mul" || op == "div" ? 2 : 0; }

const char *signOf(const std::string &op) { return op == "add" ? " + " : op == "sub" ? " - " : op == "mul" ? " * " : " / "; }

class Printer {
public:
  Printer(const ModelGraph &model, const std::map<int, std::string> &known, std::string path)
      : graph(model), names(known), prefix(std::move(path) + ".") {}

  std::string print(int index, int precedence, int depth = 0) const {
    const auto known = names.find(index);
    const GraphNode &node = graph.nodes[static_cast<std::size_t>(index)];
    if (known != names.end()) {
      return known->second;
    }
    // What a layer made of its inputs has its place in the model's graph.
    const bool own = node.path.rfind(prefix, 0) == 0 && node.path.find('.', prefix.size()) == std::string::npos;
    if (!own || depth > deepestPrinted) {
      return node.path;
    }
    if (node.op == "constant") {
      const double value = std::get<double>(node.attributes.at("value"));
      return std::isnan(value) ? "?" : formatNumber(value);
    }
    if (node.op == "l2") {
      return "l2(" + std::get<std::string>(node.attributes.at("prefix")) + ")";
    }
    const int mine = precedenceOf(node.op);
    return mine == 0 ? call(node, depth) : infix(index, mine, precedence, depth);
  }

private:
  /// A chain of one precedence, however long, from its first operand on.
  std::string infix(int index, int mine, int precedence, int depth) const {
    std::vector<const GraphNode *> chain;
    int first = index;
    for (;;) {
      const GraphNode &node = graph.nodes[static_cast<std::size_t>(first)];
      if (names.count(first) > 0 || precedenceOf(node.op) != mine || node.path.rfind(prefix, 0) != 0) {
        break;
      }
      chain.push_back(&node);
      first = node.operands[0];
    }
    std::string text = print(first, mine, depth + 1);
    for (auto node = chain.rbegin(); node != chain.rend(); ++node) {
      text += signOf((*node)->op) + print((*node)->operands[1], mine + 1, depth + 1);
    }
    return mine < precedence ? "(" + text + ")" : text;
  }

  std::string call(const GraphNode &node, int depth) const {
    std::string inside;
    for (const int operand : node.operands) {
      inside += (inside.empty() ? "" : ", ") + print(operand, 0, depth + 1);
    }
    const BuiltinOp *op = findBuiltin(node.op);
    for (const auto &[name, value] : node.attributes) {
      const ParameterSpec *spec = nullptr;
      for (std::size_t i = 0; op != nullptr && i < op->signature.parameters.size(); ++i) {
        spec = op->signature.parameters[i].name == name ? &op->signature.parameters[i] : spec;
      }
      inside += (inside.empty() ? "" : ", ") + name + ": " + formatAttribute(value, spec);
    }
    return node.op + "(" + inside + ")";
  }

  const ModelGraph &graph;
  const std::map<int, std::string> &names;
  const std::string prefix;
};

} // namespace

std::string formatObjective(const ModelGraph &graph, int objective, const std::string &path, const Scope &top) {
  std::map<int, std::string> names;
  for (const Answer &answer : graph.answers) {
    names.emplace(answer.loss, answer.name + ".loss");
  }
  for (const Answer &answer : graph.answers) {
    names.emplace(answer.value, answer.name + ".answer");
  }
  std::map<int, std::string_view> bound; // of several names the first
  for (const auto &[name, declared] : top.values) {
    if (declared.value.kind == Value::Kind::node) {
      const auto [held, fresh] = bound.emplace(declared.value.node, name);
      held->second = std::min<std::string_view>(held->second, name);
    }
  }
  names.insert(bound.begin(), bound.end());
  return Printer(graph, names, path).print(objective, 0);
}

} // namespace penstock::frontend
