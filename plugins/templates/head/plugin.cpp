// A head: a hidden layer, then a class. Replace what is built and what is answered.
#include <penstock/sdk/head.h>

#include <algorithm>

namespace {

using namespace penstock;

class Hidden {
public:
  // Parameters are checked against plugin.toml before; throw sdk::Failure for what it cannot express.
  Hidden(const sdk::Parameters &parameters, sdk::Target predicted) : target(std::move(predicted)), hidden(parameters.integer("hidden")) {}

  // The fields of an answer. Metrics ask for what fields mean: `accuracy` for "class", `roc_auc` for "probabilities" beside it.
  std::vector<sdk::Field> describe() const {
    return {sdk::Field::ofClass("label", target.names).means("class"), sdk::Field::f32("lead").means("score"),
            sdk::Field::f32("probabilities").wide(target.names).means("probabilities")};
  }

  // Operations are those of docs/generated/ops.md; their derivatives come by themselves.
  sdk::HeadGraph build(sdk::Graph &graph, sdk::Node input, sdk::Node wanted) const {
    graph.needVector(input, "@NAME@");
    const double scale = 1.0 / static_cast<double>(graph.width(input));
    const sdk::Node inner = graph.parameter("inner", {graph.width(input), hidden}, sdk::Initializer::uniform, scale, true);
    const sdk::Node logits = graph.linear(graph.op("relu", {graph.op("linear", {input, inner})}), target.classes, true, "@NAME@");
    sdk::HeadGraph made;
    made.answer = graph.op("softmax", {logits});
    if (wanted) { // items and their weights: their sums are divided over all parts of a step
      made.loss = graph.op("cross_entropy_rows", {logits, wanted});
      made.weight = graph.op("class_weight", {wanted});
    }
    return made;
  }

  // One record's row of the answer, by many threads at once. This is the only place that decides.
  void decode(std::span<const float> row, sdk::ColumnWriter &out) const {
    const auto best = std::max_element(row.begin(), row.end());
    float second = 0;
    for (auto at = row.begin(); at != row.end(); ++at) {
      second = at == best ? second : std::max(second, *at);
    }
    out[0].add(best - row.begin());
    out[1].add(*best - second);
    out[2].add(row);
  }

private:
  sdk::Target target;
  std::int64_t hidden;
};

} // namespace

PENSTOCK_HEAD(Hidden, "@NAME@", "1.0.0")
