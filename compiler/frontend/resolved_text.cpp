#include "compiler/frontend/resolved_text.h"

#include "compiler/frontend/operations.h"
#include "compiler/frontend/signatures.h"

#include <algorithm>

namespace penstock::frontend {

std::string resolvedTextOf(const TypedPipeline &pipeline) {
  std::string text = "edition = 1\npipeline = " + quote(pipeline.name) + "\n";
  // By key: in which order a file says things means nothing.
  std::vector<const ResolvedValue *> byKey;
  byKey.reserve(pipeline.resolved.size());
  for (const ResolvedValue &resolved : pipeline.resolved) {
    byKey.push_back(&resolved);
  }
  std::sort(byKey.begin(), byKey.end(), [](const ResolvedValue *a, const ResolvedValue *b) { return a->key < b->key; });
  for (const ResolvedValue *resolved : byKey) {
    if (decidedBy(resolved->key) != Role::place) {
      text += resolved->key + " = " + resolved->value + "\n";
    }
  }
  const auto put = [&](const Attributes &attributes) {
    for (const auto &[attribute, value] : attributes) {
      text += " " + attribute + "=" + formatAttribute(value);
    }
  };
  for (const GraphNode &node : pipeline.model.nodes) {
    text += "node " + node.path + " " + node.op;
    for (const int operand : node.operands) {
      text += " %" + std::to_string(operand);
    }
    put(node.attributes);
    text += " width=" + std::to_string(sizeOf(node.type)) + "\n";
  }
  for (const Answer &answer : pipeline.model.answers) {
    if (answer.learner) { // which is no node
      text += "learner " + answer.name + " " + answer.decoder + " %" + std::to_string(answer.value);
      put(answer.parameters);
      text += "\n";
    }
  }
  return text;
}

} // namespace penstock::frontend
