// A head outside of the tree. `mode` says how it gives its loss: "items", the loss of each record and its weight, which is that of the
// class; "scalar", their sums as two scalars; "mean", one scalar alone; "trained", a weight that it may not give.
#include <penstock/sdk/head.h>

#include <algorithm>
#include <array>

namespace {

using namespace penstock;

class Even {
public:
  Even(const sdk::Parameters &parameters, const sdk::Target &target)
      : mode(parameters.text("mode")), classes(target.classes), names(target.names) {}
  std::vector<sdk::Field> describe() const { return {sdk::Field::ofClass("label", names).means("class"), sdk::Field::f32("value")}; }
  sdk::HeadGraph build(sdk::Graph &graph, sdk::Node input, sdk::Node target) const {
    graph.needVector(input, "even");
    const sdk::Node logits = graph.linear(input, classes, true, "even");
    sdk::HeadGraph made;
    made.answer = graph.op("softmax", {logits});
    if (!target) {
      return made;
    }
    const std::array<double, 3> weights = {0.25, 1.5, 5.0};
    const auto classWeights = std::span<const double>(weights).first(static_cast<std::size_t>(classes));
    const sdk::Node items = graph.op("cross_entropy_rows", {logits, target}, {{"class_weights", classWeights}});
    const sdk::Node weight = graph.op("class_weight", {target}, {{"class_weights", classWeights}});
    if (mode == "mean") {
      made.loss = graph.op("div", {graph.op("total", {graph.op("cross_entropy_rows", {logits, target})}), graph.op("record_count", {})});
    } else if (mode == "trained") {
      made.loss = items;
      made.weight = graph.op("total", {made.answer});
    } else {
      made.loss = mode == "scalar" ? graph.op("total", {items}) : items;
      made.weight = mode == "scalar" ? graph.op("total", {weight}) : weight;
    }
    return made;
  }

  void decode(std::span<const float> row, sdk::ColumnWriter &out) const {
    out[0].add(std::max_element(row.begin(), row.end()) - row.begin());
    out[1].add(row[0]);
  }

private:
  std::string mode;
  std::int64_t classes;
  std::vector<std::string> names;
};

} // namespace

PENSTOCK_HEAD(Even, "even", "1.0.0")
